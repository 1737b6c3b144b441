import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { Webhook } from 'standardwebhooks'
import { type DnsServer, dnsServer, type Zone } from '../support/dns.ts'
import { eventually, scratch } from '../support/executable.ts'
import { call, type Json } from './client.ts'
import { type Dashboard, settled, startDashboard } from './dashboard.ts'

setDefaultTimeout(120_000)

const english = { locale: 'en-GB', viewport: { width: 1280, height: 900 } }
const zone: Zone = {}
const { folder, remove } = scratch()
let names: DnsServer
let dashboard: Dashboard

beforeAll(async () => {
  // An address of this process's own on loopback: the port has to be 53, as in any resolv.conf.
  const address = `127.53.${(process.pid >> 8) & 255}.${process.pid & 255}`
  names = await dnsServer(zone, { address, port: 53 })
  const file = join(folder, 'resolv.conf')
  writeFileSync(file, `nameserver ${address}\noptions timeout:1 attempts:1\n`)
  const mount = `mount --bind ${file} /etc/resolv.conf && exec "$@"`
  dashboard = await startDashboard(
    { OTPMINT_EGRESS_ALLOW: '127.0.0.0/8' },
    { through: ['unshare', '--mount', 'sh', '-c', mount, 'sh'], withinMs: 60_000 },
  )
})
afterAll(async () => {
  await dashboard.close()
  names.close()
  remove()
})

const mail = { host: 'mail.acme.test', port: 587, from: 'codes@acme.test' }

/** An app with one mail server. */
async function appWith(name = 'Acme'): Promise<{ id: string; path: string }> {
  const email = { ...mail, password: 'secret' }
  const { json } = await dashboard.admin('POST', '/v1/apps', { name, email })
  return { id: String(json.id), path: `/v1/apps/${json.id}` }
}

async function open(path: string, locale = 'en-GB'): Promise<Page> {
  const { page } = await dashboard.open(path, { ...english, locale })
  await settled(page)
  return page
}

const read = async (path: string) => (await dashboard.admin('GET', path)).json
const listed = async (path: string) => (await read(path)).items as unknown as Json[]
const button = (within: Page | Locator, name: string) =>
  within.getByRole('button', { name, exact: true })

/** What has the focus: the text of a button, a heading or a field's label. */
function focused(page: Page): Promise<string> {
  return page.evaluate(`(() => {
    const element = document.activeElement
    const text = element.labels?.[0]?.textContent ?? element.ariaLabel ?? element.textContent
    return element === document.body ? 'nothing' : text.trim()
  })()`) as Promise<string>
}

/** Waits until it has the focus, which moves after what is new on the page has been drawn. */
async function focusIsOn(page: Page, what: string): Promise<void> {
  await eventually(async () => (await focused(page)) === what).catch(() => {})
  expect(await focused(page)).toBe(what)
}

/** Presses the Tab key until something has the focus, as a person would look for it. */
async function tabTo(page: Page, what: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if ((await focused(page)) === what) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`the Tab key never led to ${what}`)
}

/** Opens a dialog by keyboard; the focus is in it then. */
async function openDialog(page: Page, opener: Locator): Promise<Locator> {
  await opener.focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  await settled(page)
  await eventually(async () => (await page.locator('dialog :focus').count()) === 1)
  return dialog
}

/** What is said to be wrong with the field that has the focus. */
async function mistakeAtFocus(page: Page): Promise<string> {
  return (await page.evaluate(`(() => {
    const { ariaInvalid } = document.activeElement
    const ids = document.activeElement.getAttribute('aria-describedby') ?? ''
    const says = document.getElementById(ids.split(' ')[0])?.textContent ?? ''
    return ariaInvalid === 'true' ? says : 'not marked: ' + document.activeElement.outerHTML
  })()`)) as string
}

/** A picture of one colour, as a PNG. */
async function picture(page: Page): Promise<Buffer> {
  const url = await page.evaluate(`(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 48 })
    canvas.getContext('2d').fillRect(0, 0, 160, 48)
    return canvas.toDataURL('image/png')
  })()`)
  return Buffer.from(String(url).split(',')[1] ?? '', 'base64')
}

test('a logo is chosen, shown and removed; a wrong file is refused beside its field and changes nothing', async () => {
  const { id, path } = await appWith()
  const page = await open(`/apps/${id}/messages`)
  const brand = () => read(`${path}/brand`)
  const card = page.locator('section').filter({ hasText: 'Colour, support and logo' })
  const choose = async (name: string, buffer: Buffer) => {
    const mimeType = 'image/png'
    await card.getByLabel('Logo', { exact: true }).setInputFiles({ name, mimeType, buffer })
    await button(card, 'Save').focus()
    await page.keyboard.press('Enter')
  }
  const logo = { type: 'image/png', width: 160, height: 48 }

  await choose('logo.png', await picture(page))
  await card.getByText('A logo of 160 × 48 is shown.').waitFor()
  expect(await brand()).toMatchObject({ logo })

  for (const [name, buffer, says] of [
    ['large.png', Buffer.alloc(20_001), 'must be no more than 20,000 bytes'],
    ['words.png', Buffer.from('no picture'), 'must be a whole PNG or JPEG'],
    ['photo.png', Buffer.alloc(400_000), 'must be no more than 20,000 bytes'],
  ] as const) {
    await choose(name, buffer)
    await card.getByText(says).first().waitFor()
    await focusIsOn(page, 'Logo')
    expect([name, await mistakeAtFocus(page)]).toEqual([name, says])
    expect(await brand()).toMatchObject({ logo })
  }

  await button(card, 'Remove logo').focus()
  await page.keyboard.press('Enter')
  await card.getByText('The logo is removed when you save.').waitFor()
  await button(card, 'Save').focus()
  await page.keyboard.press('Enter')
  await card.getByText('PNG or JPEG, at most').waitFor()
  expect(await brand()).toMatchObject({ logo: null })
  await page.context().close()
})

test('older versions of a template are loaded one after another, and in force only once they are saved', async () => {
  const { id, path } = await appWith()
  const template = `${path}/templates/en`
  const subject = '{{code}} is your code'
  for (const word of ['first', 'second', 'third']) {
    const parts = { subject, text: `${word} {{code}}`, html: `<p>${word} {{code}}</p>` }
    await dashboard.admin('PUT', template, { ...parts, variables: [] })
  }
  const page = await open(`/apps/${id}/messages/en`)
  const text = page.getByRole('textbox', { name: 'Plain text' })
  const load = (version: number) =>
    page.getByRole('row', { name: new RegExp(`^${version} `) }).getByRole('button')
  await button(page, 'Versions').focus()
  await page.keyboard.press('Enter')

  for (const [version, word] of [
    [1, 'first'],
    [2, 'second'],
  ] as const) {
    await load(version).focus()
    await page.keyboard.press('Enter')
    await page.getByText(`Version ${version} is in the editor, not in force.`).waitFor()
    expect(await text.inputValue()).toBe(`${word} {{code}}`)
    await page.frameLocator('iframe').getByText(`${word} 123456`).waitFor()
    await focusIsOn(page, 'Load into the editor')
  }
  expect(await read(template)).toMatchObject({ version: 3, text: 'third {{code}}' })

  await button(page, 'Put in force').focus()
  await page.keyboard.press('Enter')
  await page.getByText('Version 4 is in force').waitFor()
  await load(4).waitFor()
  expect(await read(template)).toMatchObject({ version: 4, text: 'second {{code}}' })
  await focusIsOn(page, 'Put in force')

  await page.route('**/templates/en?version=1', (route) => route.abort('connectionrefused'))
  await load(1).click()
  await page.getByText('The server did not answer.').waitFor()
  expect(await text.inputValue()).toBe('second {{code}}')
  await page.context().close()
})

test('a template that is given up for the built-in words shows those, and stays among the versions', async () => {
  const { id, path } = await appWith()
  const template = `${path}/templates/en`
  const parts = { subject: 'Own {{code}}', text: 'own {{code}}', html: '<p>own {{code}}</p>' }
  await dashboard.admin('PUT', template, { ...parts, variables: [] })
  const page = await open(`/apps/${id}/messages/en`)
  const reset = button(page, 'Built-in words')
  const dialog = await openDialog(page, reset)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Built-in words')
  expect(await read(template)).toMatchObject({ subject: 'Own {{code}}' })

  await openDialog(page, reset)
  await tabTo(page, 'Built-in words')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await reset.waitFor({ state: 'detached' })
  expect(await page.getByLabel('Subject').inputValue()).not.toBe('Own {{code}}')
  await focusIsOn(page, 'Acme')
  expect(await listed(`${path}/templates`)).toEqual([])
  expect(await read(`${template}?version=1`)).toMatchObject({ subject: 'Own {{code}}' })
  await page.context().close()
})

/** As if ten minutes had passed since the person gave the password. */
function forgetConfirmations(): void {
  const database = new Database(join(dashboard.env['OTPMINT_DATA_DIR'] ?? '', 'otpmint.db'))
  database.run('update sessions set confirmed_until = 0')
  database.close()
}

test('a webhook’s secret is replaced after the password; the new one is shown once, and both sign', async () => {
  const posts: { headers: Record<string, string>; body: string }[] = []
  const receiver = Bun.serve({
    ...{ port: 0, hostname: '127.0.0.1' },
    async fetch(request) {
      const headers = Object.fromEntries(request.headers)
      posts.push({ headers, body: await request.text() })
      return new Response(null, { status: 204 })
    },
  })
  const { id, path } = await appWith()
  const url = `http://127.0.0.1:${receiver.port}/`
  const { json: webhook } = await dashboard.admin('POST', `${path}/webhooks`, { url })
  const page = await open(`/apps/${id}/webhooks/${webhook.id}`)

  const rotate = button(page, 'New secret')
  await openDialog(page, rotate)
  forgetConfirmations()
  await tabTo(page, 'New secret')
  await page.keyboard.press('Enter')
  const ask = page.getByRole('dialog', { name: 'Please confirm that it is you' })
  await ask.waitFor()
  await focusIsOn(page, 'Your password')
  await page.keyboard.type(dashboard.person.password)
  await page.keyboard.press('Enter')
  const shown = page.getByRole('dialog', { name: 'New secret' })
  const secret = (await shown.locator('code').textContent()) ?? ''
  await page.keyboard.press('Escape')
  await shown.waitFor({ state: 'detached' })

  expect(secret).toMatch(/^whsec_/)
  await focusIsOn(page, 'New secret')
  expect(await page.content()).not.toContain(secret)
  await dashboard.admin('POST', `${path}/webhooks/${webhook.id}/test`)
  const { headers = {}, body = '' } = posts.at(-1) ?? {}
  for (const each of [secret, String(webhook['secret'])]) {
    expect(new Webhook(each).verify(body, headers)).toMatchObject({ type: expect.any(String) })
  }
  await page.context().close()
  await receiver.stop(true)
})

test('a webhook is changed and removed by keyboard; another URL gets a secret of its own, shown once', async () => {
  const { id, path } = await appWith()
  const url = 'https://example.com/hooks'
  const { json: webhook } = await dashboard.admin('POST', `${path}/webhooks`, {
    ...{ url, types: ['delivery.failed'] },
  })
  const page = await open(`/apps/${id}/webhooks/${webhook.id}`)
  const edit = button(page, 'Edit')
  const dialog = await openDialog(page, edit)
  await focusIsOn(page, 'URL')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('example.com')
  await page.keyboard.press('Enter')
  await dialog.locator('.mistake').waitFor()
  await focusIsOn(page, 'URL')
  expect(await mistakeAtFocus(page)).toContain('must be')
  expect(await listed(`${path}/webhooks`)).toMatchObject([{ url }])

  await page.keyboard.press('Control+A')
  await page.keyboard.type('https://example.com/other')
  await tabTo(page, 'delivery.bounced')
  await page.keyboard.press('Space')
  await page.keyboard.press('Enter')
  await dialog.getByText('This secret is shown only now.').waitFor()
  expect(await dialog.locator('code').textContent()).not.toBe(webhook['secret'])
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Edit')
  const changed = {
    url: 'https://example.com/other',
    types: ['delivery.failed', 'delivery.bounced'],
  }
  expect(await listed(`${path}/webhooks`)).toMatchObject([changed])

  await openDialog(page, edit)
  for (const type of changed.types) {
    await tabTo(page, type)
    await page.keyboard.press('Space')
  }
  await page.keyboard.press('Enter')
  await dialog.waitFor({ state: 'detached' })
  const [{ types = [] } = {}] = (await listed(`${path}/webhooks`)) as { types?: string[] }[]
  expect(types).toContain('app.alarm')

  await openDialog(page, button(page, 'Remove'))
  await tabTo(page, 'Remove')
  await page.keyboard.press('Enter')
  await page.getByText('No webhook yet').waitFor()
  await focusIsOn(page, 'Acme')
  expect(await listed(`${path}/webhooks`)).toEqual([])
  await page.context().close()
})

test('an app gets another name; one that is too long is refused beside the field', async () => {
  const { id, path } = await appWith()
  const page = await open(`/apps/${id}/settings`)
  await page.getByLabel('Name').focus()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('n'.repeat(65))
  await page.keyboard.press('Enter')
  await page.locator('.mistake').waitFor()
  await focusIsOn(page, 'Name')
  expect(await mistakeAtFocus(page)).toContain('64')
  expect((await read(path))['name']).toBe('Acme')

  await page.keyboard.press('Control+A')
  await page.keyboard.type('Acme Shop')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Acme Shop' }).waitFor()
  expect((await read(path))['name']).toBe('Acme Shop')
  expect(await page.locator('.mistake').count()).toBe(0)
  await page.context().close()
})

test('in German what is wrong with a field is said in German, also what the server alone knows', async () => {
  const { id, path } = await appWith()
  const page = await open(`/apps/${id}/policy`, 'de-DE')
  await page.getByLabel('Versuche je Code').fill('99')
  await page.keyboard.press('Enter')
  await page.getByText('muss eine ganze Zahl von 1 bis').waitFor()
  await focusIsOn(page, 'Versuche je Code')
  expect((await read(path))['policy']).toEqual({})

  const [way] = await listed(`${path}/endpoints`)
  await dashboard.admin('DELETE', `${path}/endpoints/${way?.id}`)
  const other = await open(`/apps/${id}/endpoints`, 'de-DE')
  await other.getByText('Diese App kann noch nichts senden').waitFor()
  await dashboard.admin('DELETE', path)
  await other.reload()
  await other.getByText('Diese App gibt es nicht (mehr).').waitFor()
  await other.context().close()
  await page.context().close()
})

test('an app is deleted only once its name is typed, and leaves nothing behind', async () => {
  const { id, path } = await appWith('Old shop')
  const page = await open(`/apps/${id}/settings`)
  const opener = page.getByRole('main').getByRole('button', { name: 'Delete app' })
  const dialog = await openDialog(page, opener)
  await focusIsOn(page, 'Type Old shop to confirm')
  await page.keyboard.type('Old')
  expect(await button(dialog, 'Delete app').isDisabled()).toBe(true)
  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Delete app')
  expect((await read(path)).id).toBe(id)

  await openDialog(page, opener)
  await page.keyboard.type('Old shop')
  await page.keyboard.press('Enter')
  await page.waitForURL(/#\/apps$/)
  await page.getByRole('heading', { level: 1, name: 'Apps' }).waitFor()
  await settled(page)
  await focusIsOn(page, 'Apps')
  expect(await page.getByRole('link', { name: 'Old shop' }).count()).toBe(0)
  const { status } = await call(`${dashboard.server.base}${path}`, undefined, {
    token: dashboard.token,
  })
  expect(status).toBe(404)
  await page.context().close()
})

test('a way is changed by keyboard: its secret stays unless it leads elsewhere, which needs it again', async () => {
  const { id, path } = await appWith()
  const page = await open(`/apps/${id}/endpoints`)
  const way = async () => (await listed(`${path}/endpoints`))[0]?.['email']
  const dialog = await openDialog(page, button(page, 'Edit'))
  await tabTo(page, 'Port')
  await page.keyboard.type('99999')
  await page.keyboard.press('Enter')
  await dialog.locator('.mistake').waitFor()
  await focusIsOn(page, 'Port')
  expect(await mistakeAtFocus(page)).toContain('65535')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('587')
  await dialog.getByLabel('Host').focus()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('other.acme.test')
  await page.keyboard.press('Enter')
  await dialog.getByText('needs its secret again').waitFor()
  expect(await way()).toMatchObject({ ...mail, has_secret: true })

  await dialog.getByLabel('Host').focus()
  await page.keyboard.press('Control+A')
  await page.keyboard.type(mail.host)
  await tabTo(page, 'Name of the sender')
  await page.keyboard.type('Acme codes')
  await page.keyboard.press('Enter')
  await dialog.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Edit')
  expect(await way()).toMatchObject({ ...mail, from_name: 'Acme codes', has_secret: true })
  await page.context().close()
})

test('a channel is added, changed and removed by keyboard, and no other way with it', async () => {
  const { id, path } = await appWith()
  const page = await open(`/apps/${id}/endpoints`)
  const dialog = await openDialog(page, button(page, 'Add a way'))
  await dialog.getByLabel('Kind').selectOption('webhook')
  await tabTo(page, 'URL')
  await page.keyboard.type('gateway.acme.test')
  await page.keyboard.press('Enter')
  await dialog.locator('.mistake').first().waitFor()
  await focusIsOn(page, 'URL')
  expect(await mistakeAtFocus(page)).toContain('must be')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('https://gateway.acme.test/send')
  await tabTo(page, 'Secret')
  await page.keyboard.type(`whsec_${btoa('s'.repeat(32))}`)
  await page.keyboard.press('Enter')
  await dialog.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Add a way')
  const added = page.getByRole('listitem').filter({ hasText: 'gateway.acme.test' })
  await added.waitFor()
  const ways = async () => (await listed(`${path}/endpoints`)).map((each) => each['channel'])
  expect(await ways()).toEqual(['email', 'webhook'])

  await openDialog(page, button(added, 'Edit'))
  await tabTo(page, 'URL')
  await page.keyboard.type('https://gateway.acme.test/other')
  await page.keyboard.press('Enter')
  await dialog.getByText('needs its secret again').waitFor()
  await tabTo(page, 'Secret')
  await page.keyboard.type(`whsec_${btoa('t'.repeat(32))}`)
  await page.keyboard.press('Enter')
  await page.getByText('https://gateway.acme.test/other').waitFor()
  expect((await listed(`${path}/endpoints`))[1]?.['webhook']).toMatchObject({
    url: 'https://gateway.acme.test/other',
  })

  const asked = await openDialog(page, button(added, 'Remove'))
  await page.keyboard.press('Escape')
  await asked.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Remove')
  await openDialog(page, button(added, 'Remove'))
  await tabTo(page, 'Remove')
  await page.keyboard.press('Enter')
  await added.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Acme')
  expect(await ways()).toEqual(['email'])
  await page.context().close()
})

test('what the DNS lacks is shown with the record to put there, until it is there', async () => {
  const { id, path } = await appWith()
  Object.assign(zone, { 'mx acme.test': ['10 mail.acme.test'], 'a mail.acme.test': ['9.9.9.9'] })
  const page = await open(`/apps/${id}/endpoints`)
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  const opener = button(page, 'Check the DNS of the sender')
  const dialog = await openDialog(page, opener)
  await dialog.getByText('mail to acme.test goes to mail.acme.test').waitFor()
  await dialog.getByText('acme.test has no SPF record').waitFor()
  await dialog.getByText('acme.test has no DMARC record').waitFor()
  const findings = await listed(`${path}/dns`)
  expect(await dialog.locator('.notice').count()).toBe(findings.length)
  await dialog.getByRole('button', { name: 'Copy' }).first().focus()
  await page.keyboard.press('Enter')
  await page.getByText('Copied').waitFor()
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe('v=spf1 a:mail.acme.test ~all')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await focusIsOn(page, 'Check the DNS of the sender')

  zone['txt acme.test'] = ['v=spf1 a:mail.acme.test ~all']
  await openDialog(page, opener)
  await dialog.getByText('the SPF record covers mail.acme.test').waitFor()
  await page.context().close()
})

// The last one, because it leaves many apps.
test('where there are more apps than a list shows, one is found by a part of its name and kept', async () => {
  const { id } = await appWith('The needle, Inc.')
  for (let count = 0; count < 100; count++) {
    await dashboard.admin('POST', '/v1/apps', { name: `Straw ${count}` })
  }
  const page = await open('/verifications')
  const choice = page.getByLabel('App', { exact: true })
  await page.getByLabel('Find an app').fill('NEEDLE')
  await page.getByText('1 found').waitFor()
  await choice.selectOption('The needle, Inc.')
  await page.waitForURL(new RegExp(`app=${id}`))

  await page.evaluate(`location.hash = '#/?app=${id}'`)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await eventually(async () => (await choice.inputValue()) === id)
  await choice.locator('option', { hasText: 'The needle, Inc.' }).waitFor({ state: 'attached' })
  await page.getByLabel('Find an app').fill('no such app')
  await page.getByText('0 found').waitFor()
  expect(await choice.inputValue()).toBe(id)
  await page.context().close()
})

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { eventually } from '../support/executable.ts'
import type { Json } from './client.ts'
import { type Dashboard, settled, startDashboard } from './dashboard.ts'
import { type MailSink, mailSink } from './mail-sink.ts'

setDefaultTimeout(120_000)

let dashboard: Dashboard
let mail: MailSink

beforeAll(async () => {
  mail = await mailSink()
  dashboard = await startDashboard({ OTPMINT_EGRESS_ALLOW: '127.0.0.0/8' })
})
afterAll(async () => {
  await dashboard.close()
  await mail.close()
})

const english = { locale: 'en-GB', viewport: { width: 1280, height: 900 } }

/** An app with a way through the sink, and one more mail server for each host. */
async function appWith(...hosts: string[]): Promise<{ id: string; path: string; testKey: string }> {
  const { admin } = dashboard
  const email = { host: '127.0.0.1', port: mail.port, from: 'codes@example.com', user: null }
  const { json } = await admin('POST', '/v1/apps', { name: 'Acme', email })
  const path = `/v1/apps/${json.id}`
  for (const host of hosts) {
    const own = { host, port: 587, from: 'codes@example.com', password: 'secret' }
    await admin('POST', `${path}/endpoints`, { channel: 'email', email: own })
  }
  return { id: String(json.id), path, testKey: String(json.test_key) }
}

async function order(path: string): Promise<string[]> {
  const { json } = await dashboard.admin('GET', `${path}/endpoints`)
  const items = json.items as unknown as { email: { host: string } }[]
  return items.map(({ email }) => email.host)
}

test('ways are put in another order by keyboard and by dragging', async () => {
  const { id, path } = await appWith('b.example.org', 'c.example.org')
  const { page, troubles } = await dashboard.open(`/apps/${id}/endpoints`, english)
  await settled(page)

  await page.getByRole('button', { name: 'Move c.example.org:587 up' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('c.example.org:587 is now number 2').waitFor()
  expect(await order(path)).toEqual(['127.0.0.1', 'c.example.org', 'b.example.org'])

  const way = (host: string) => page.getByRole('listitem').filter({ hasText: host })
  await way('b.example.org').dragTo(way('127.0.0.1'))
  await page.getByText('b.example.org:587 is now number 1').waitFor()
  expect(await order(path)).toEqual(['b.example.org', '127.0.0.1', 'c.example.org'])
  expect(troubles).toEqual([])
  await page.context().close()
})

test('a stored way is tested from its list, and the message arrives', async () => {
  const { id } = await appWith()
  const { page } = await dashboard.open(`/apps/${id}`, english)
  await settled(page)

  await page.getByRole('button', { name: 'Test', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Send a test message to').fill('grace@example.com')
  await page.keyboard.press('Enter')
  await dialog.getByText('The mail server took the message').waitFor()

  expect(await dialog.getByText('Connect', { exact: true }).count()).toBe(1)
  expect(mail.to('grace@example.com')).toHaveLength(1)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await page.context().close()
})

test('what a rule means for who guesses is said while it is typed, before it is stored', async () => {
  const { id, path } = await appWith()
  const { page, troubles } = await dashboard.open(`/apps/${id}/policy`, english)
  const effect = page.getByRole('complementary', { name: 'If somebody guesses' })
  await effect.getByText('1 in 1,010').waitFor()

  await page.getByLabel('Length of a code').fill('8')
  await effect.getByText('1 in 101,000').waitFor()
  expect((await dashboard.admin('GET', path)).json['policy']).toEqual({})

  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Saved').waitFor()
  expect((await dashboard.admin('GET', path)).json['policy']).toEqual({ code_length: 8 })
  expect(troubles).toEqual([])
  await page.context().close()
})

test('what the server refuses is said beside its field, which gets the focus', async () => {
  const { id } = await appWith()
  const { page } = await dashboard.open(`/apps/${id}/policy`, english)
  await settled(page)

  await page.getByLabel('Tries per code').fill('99')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('must be a whole number from 1 to').first().waitFor()

  const field = page.getByLabel('Tries per code')
  expect(await field.getAttribute('aria-invalid')).toBe('true')
  const described = await page.evaluate(
    `document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ')[0]).textContent`,
  )
  expect(described).toContain('must be')
  await page.context().close()
})

test('a new key is shown once and works; afterwards only its end is shown', async () => {
  const { id } = await appWith()
  const { page, troubles } = await dashboard.open(`/apps/${id}/keys`, english)
  await settled(page)

  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByLabel('Test').check()
  await page.getByRole('button', { name: 'Make key' }).click()
  const key = await page.locator('dialog code').textContent()
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await page.getByText(`otpm_test_…${key?.slice(-4)}`).waitFor()

  expect(key).toMatch(/^otpm_test_/)
  expect(await page.content()).not.toContain(key ?? '')
  const started = await fetch(`${dashboard.server.base}/v1/verifications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ to: 'grace@example.com' }),
  })
  expect(started.status).toBe(201)
  expect(troubles).toEqual([])
  await page.context().close()
})

/** HTML that would tell the dashboard, and another server, that it runs or loads. */
function evil(other: string): string {
  return [
    '<img src=x onerror="parent.postMessage(`ran`,`*`)">',
    '<svg onload="parent.postMessage(`ran`,`*`)"></svg>',
    '<script>parent.postMessage("ran","*")</script>',
    '<a href="javascript:parent.postMessage(`ran`,`*`)" id="link">press</a>',
    '<iframe srcdoc="<script>top.postMessage(`ran`,`*`)</script>"></iframe>',
    `<form action="${other}"><button id="send">send</button></form>`,
    `<link rel="stylesheet" href="${other}a.css"><img src="${other}a.png">`,
    `<meta http-equiv="refresh" content="0;url=${other}">`,
  ].join('')
}

test('a template is previewed as it is typed, in a frame where nothing of it runs or loads', async () => {
  const { id } = await appWith()
  const { page, troubles } = await dashboard.open(`/apps/${id}/messages/en`, english)
  const frame = page.frameLocator('iframe')
  await frame.getByText('123456').first().waitFor()

  await page.getByLabel('Variables').fill('first_name')
  await page.getByLabel('first_name', { exact: true }).fill('<b id="bold">Ada</b>')
  const html = '<p>Hello {{first_name}}, {{code}}</p>'
  await page.getByLabel('HTML', { exact: true }).first().fill(html)
  await page.waitForTimeout(1000)
  expect(troubles.filter((each) => !each.includes('422'))).toEqual([])

  const asked: string[] = []
  const other = Bun.serve({
    ...{ port: 0, hostname: '127.0.0.1' },
    fetch: ({ url }) => {
      asked.push(url)
      return new Response('')
    },
  })
  expect(await framed(page, evil(other.url.href))).toEqual([])
  await frame.locator('#link').click()
  await frame.locator('#send').click()
  expect(await framed(page, evil(other.url.href))).toEqual([])
  expect(asked).toEqual([])
  expect(new URL(page.url()).origin).toBe(dashboard.server.dashboardUrl())
  await page.context().close()
  await other.stop(true)
})

/** Posts HTML to the frame as the dashboard does; answers what the frame posts back in a while. */
async function framed(page: Page, html: string): Promise<string[]> {
  const said = await page.evaluate(`new Promise((done) => {
    const said = []
    addEventListener('message', ({ data }) => said.push(data))
    document.querySelector('iframe').contentWindow.postMessage(${JSON.stringify(html)}, '*')
    setTimeout(() => done(said), 700)
  })`)
  return said as string[]
}

test('a webhook’s deliveries are listed with what its receiver answered, and sent again', async () => {
  const posts: string[] = []
  const receiver = Bun.serve({
    ...{ port: 0, hostname: '127.0.0.1' },
    fetch: async (request) => {
      posts.push(request.headers.get('webhook-id') ?? '')
      return new Response(null, { status: 204 })
    },
  })
  const { id, path, testKey } = await appWith()
  const { page, troubles } = await dashboard.open(`/apps/${id}/webhooks`, english)
  await page.getByRole('button', { name: 'Add webhook' }).click()
  await page.getByLabel('URL').fill(`http://127.0.0.1:${receiver.port}/`)
  await page.getByLabel('Also of what test keys do').check()
  await page.getByRole('button', { name: 'Save' }).click()
  const secret = await page.locator('dialog code').textContent()
  expect(secret).toMatch(/^whsec_/)
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click()

  await fetch(`${dashboard.server.base}/v1/verifications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ to: 'grace@example.com' }),
  })
  await eventually(() => posts.length > 0)
  const { json } = await dashboard.admin('GET', `${path}/webhooks`)
  const [webhook] = json.items as Json[]
  await eventually(async () => {
    const listed = await dashboard.admin('GET', `${path}/webhooks/${webhook?.id}/messages`)
    return JSON.stringify(listed.json).includes('"delivered"')
  })
  await page.getByRole('link', { name: '127.0.0.1' }).click()
  const row = page.getByRole('row').filter({ hasText: 'delivery.sent' })
  await row.getByText('arrived').waitFor()
  expect(await row.textContent()).toContain('204')

  const before = posts.length
  await row.getByRole('button', { name: 'Send again' }).click()
  await eventually(() => posts.length > before)
  expect(posts.at(-1)).toBe(posts[0] ?? '')
  expect(await page.content()).not.toContain(secret ?? '')
  expect(troubles).toEqual([])
  await page.context().close()
  await receiver.stop(true)
})

test('a viewer sees everything of an app and no button that changes it', async () => {
  const { id } = await appWith()
  const { page } = await dashboard.open(`/apps/${id}`, english)
  await settled(page)
  expect(await page.getByRole('button', { name: 'Add a way' }).count()).toBe(1)
  await page.route('**/session', async (route) => {
    const response = await route.fetch()
    const body = (await response.json()) as { account: { role: string } }
    await route.fulfill({ json: { ...body, account: { ...body.account, role: 'viewer' } } })
  })
  await page.reload()
  await settled(page)
  await page.getByText('You can look, but not change anything.').waitFor()
  for (const tab of ['endpoints', 'policy', 'keys', 'messages', 'webhooks', 'settings']) {
    await page.evaluate(`location.hash = '#/apps/${id}/${tab}'`)
    await settled(page)
    const names = await page.locator('main button').allTextContents()
    expect([
      tab,
      names.filter((name) => /Add|Save|New|Remove|Delete|Put|Switch/.test(name)),
    ]).toEqual([tab, []])
  }
  await page.context().close()
})

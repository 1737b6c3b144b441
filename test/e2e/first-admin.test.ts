import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { eventually, killAll, type Server, scratch, start } from '../support/executable.ts'
import { type Certificate, makeCertificate } from '../support/smtp.ts'
import { launch, pictureForReadme, visit } from './browser.ts'
import { codeOf } from './client.ts'
import { dashboardLink } from './dashboard.ts'
import { type Postfix, startPostfix } from './postfix.ts'

setDefaultTimeout(120_000)

const login = { user: 'codes@example.com', password: 'the mailbox password' }
const english = { locale: 'en-GB', viewport: { width: 1280, height: 900 } }
const { folder, remove } = scratch()
let certificate: Certificate
let postfix: Postfix
let browser: Browser
let server: Server
let env: Record<string, string>

beforeAll(async () => {
  certificate = makeCertificate()
  postfix = await startPostfix(certificate, login)
  browser = await launch()
  env = {
    OTPMINT_DATA_DIR: join(folder, 'data'),
    NODE_EXTRA_CA_CERTS: certificate.caFile,
  }
  server = await start(['serve'], env)
})
afterAll(async () => {
  await browser.close()
  await killAll()
  await postfix.close()
  certificate.remove()
  remove()
})

/** The mails that Postfix relayed to somebody. */
const arrivedFor = (recipient: string) =>
  postfix.arrived.filter(({ recipients }) => recipients.includes(recipient))

test('a first admin gets from the link to an arrived test mail in four clicks, and to an app in five', async () => {
  const { page, troubles } = await visit(browser, await dashboardLink(env), english)
  let clicks = 0
  const click = async (what: Locator) => {
    clicks++
    await what.click()
  }
  const button = (name: string) => page.getByRole('button', { name, exact: true })
  const link = (name: string) => page.getByRole('main').getByRole('link', { name, exact: true })

  await page.getByLabel('Name', { exact: true }).fill('Ada Lovelace')
  await page.getByLabel('New password').fill('mint tea in the garden')
  await click(button('Save and sign in'))
  await click(link('To the apps'))
  await click(link('New app').first())
  await page.getByLabel('Name', { exact: true }).fill('Acme')
  await page.getByLabel('Host').fill('localhost')
  await page.getByLabel('Port').fill(String(postfix.port))
  await page.getByLabel('User').fill(login.user)
  await page.getByLabel('Password').fill(login.password)
  await page.getByLabel('From', { exact: true }).fill('codes@example.com')
  await page.getByLabel('Send a test mail to').fill('user@example.com')
  await click(button('Send test mail'))
  await page.getByText('The mail server took the message').waitFor()

  await eventually(() => arrivedFor('user@example.com').length > 0)
  expect(arrivedFor('user@example.com')[0]?.raw).toContain('Acme')
  expect(clicks).toBe(4)
  const dialogue = await page.getByRole('list', { name: 'What the server said' }).textContent()
  for (const step of ['Encryption', 'TLSv1.3', 'Login', 'The message was accepted']) {
    expect(dialogue).toContain(step)
  }
  expect(await page.content()).not.toContain(login.password)
  await page.getByRole('button', { name: 'Create app' }).scrollIntoViewIfNeeded()
  await pictureForReadme(page, 'new-app')

  await click(button('Create app'))
  await page.getByText('Acme is ready').waitFor()
  expect(clicks).toBe(5)
  const keys = await page.locator('[data-copy]').allTextContents()
  await sendsWith(keys[0] ?? '', 'second@example.com')
  expect(new URL(page.url()).origin).toBe(server.dashboardUrl())
  expect(troubles.filter((each) => !each.includes('401'))).toEqual([])
  await page.context().close()
})

/** Starts a verification with a key from the page, and finds its mail. */
async function sendsWith(key: string, to: string): Promise<void> {
  const answer = await fetch(`${server.base}/v1/verifications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ to }),
  })
  expect(answer.status).toBe(201)
  await eventually(() => arrivedFor(to).length > 0)
  expect(codeOf(arrivedFor(to)[0]?.raw ?? '')).toMatch(/^\d{6}$/)
}

test('the same is done by keyboard alone', async () => {
  const { page } = await visit(browser, await dashboardLink(env), english)
  await page.getByText('Welcome').waitFor()
  const type = async (field: string, text: string) => {
    await tabTo(page, field)
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type(text)
  }

  await page.keyboard.type('Grace Hopper')
  await type('New password', 'compilers were my idea')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await page.keyboard.press('n')
  await page.getByRole('heading', { name: 'New app' }).waitFor()
  await page.getByText('Try it').waitFor()
  await type('Name', 'Keys only')
  await type('Host', 'localhost')
  await type('Port', String(postfix.port))
  await type('User', login.user)
  await type('Password', login.password)
  await type('From', 'codes@example.com')
  await type('Send a test mail to', 'late@example.com')
  await tabTo(page, 'Send test mail')
  await page.keyboard.press('Enter')
  await page.getByText('The mail server took the message').waitFor()
  await eventually(() => arrivedFor('late@example.com').length > 0)
  await tabTo(page, 'Create app')
  await page.keyboard.press('Enter')
  await page.getByText('Keys only is ready').waitFor()
  await page.context().close()
})

/** Presses Tab until the element with this name has the focus, which must be seen. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    const [found, outline] = (await page.evaluate(`(() => {
      const { activeElement: e } = document
      const own = e.labels?.[0] ?? e
      const text = own.firstChild?.textContent?.trim() || own.textContent.trim()
      return [text, getComputedStyle(e).outlineStyle]
    })()`)) as [string, string]
    if (found === name) {
      expect([name, outline]).toEqual([name, 'solid'])
      return
    }
    await page.keyboard.press('Tab')
  }
  throw new Error(`no Tab leads to ${name}`)
}

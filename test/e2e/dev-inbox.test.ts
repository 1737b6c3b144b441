import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { eventually, killAll, type Server, scratch, start } from '../support/executable.ts'
import { launch, look, visit } from './browser.ts'
import { call } from './client.ts'

setDefaultTimeout(180_000)
const pictures = join(import.meta.dir, '../../test-artifacts/dev-inbox')
const { folder, remove } = scratch()
let browser: Browser
let server: Server
let testKey = ''
const codes: string[] = []

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  browser = await launch()
  server = await start(['serve', '--dev'], { OTPMINT_LOG_LEVEL: 'debug' }, { cwd: folder })
  await eventually(() => server.stderr().includes('Ctrl-C'))
  testKey = /otpm_test_\w+/.exec(server.stderr())?.[0] ?? ''
})
afterAll(async () => {
  await browser.close()
  await killAll()
  remove()
})

async function open(options: BrowserContextOptions = {}) {
  const { page, troubles } = await visit(browser, `${server.base}/dev/inbox`, options)
  await page.locator('h1').waitFor()
  return { page, troubles }
}

async function mint(to: string): Promise<{ id: string; code: string }> {
  const answer = await call(`${server.base}/v1/verifications`, { to }, { token: testKey })
  expect(answer.status).toBe(201)
  let code = ''
  await eventually(async () => {
    const { json } = await call(`${server.base}/dev/inbox.json`)
    code = json.items?.find((each) => each.to === to)?.code ?? ''
    return code !== ''
  })
  codes.push(code)
  return { id: String(answer.json.id), code }
}

const clear = () => call(`${server.base}/dev/inbox/messages`, undefined, { method: 'DELETE' })

const item = (page: Page, to: string) => page.getByRole('link', { name: to })

test('a message appears by itself, is found, is shown in four forms, becomes used, and is cleared', async () => {
  await clear()
  const { page, troubles } = await open()
  await page.getByText('No test message yet').waitFor()

  const ada = await mint('ada@example.com')
  await item(page, 'ada@example.com').waitFor()
  await mint('bob@example.com')
  await item(page, 'bob@example.com').waitFor()
  await page.getByText('1 new message').waitFor()

  await page.getByLabel('Search in recipient').fill(ada.code)
  await item(page, 'bob@example.com').waitFor({ state: 'detached' })
  await item(page, 'ada@example.com').click()
  const message = page.locator('.message')
  await page.frameLocator('iframe').getByText(ada.code).first().waitFor()
  expect(await page.locator('iframe').getAttribute('sandbox')).toBe('allow-scripts')
  await message.getByText('Not used yet').waitFor()
  await page.getByRole('link', { name: 'Text' }).click()
  await message.locator('pre').getByText(ada.code).waitFor()
  await page.getByRole('link', { name: 'Source' }).click()
  await message.locator('pre').getByText('Auto-Submitted: auto-generated').waitFor()
  await page.getByRole('link', { name: 'Headers' }).click()
  await page.getByRole('rowheader', { name: 'Auto-Submitted' }).waitFor()

  const path = `/v1/verifications/${ada.id}/check`
  const checked = await call(`${server.base}${path}`, { code: ada.code }, { token: testKey })
  expect(checked.json).toMatchObject({ valid: true })
  await message.getByText('Used', { exact: true }).waitFor()

  await page.getByRole('button', { name: 'Clear' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Clear' }).click()
  await page.getByText('Nothing found').waitFor()
  await page.getByLabel('Search in recipient').fill('')
  await page.getByText('No test message yet').waitFor()
  const { json } = await call(`${server.base}/dev/inbox.json`)
  expect(json.items).toEqual([])
  // Nothing leads to a screen that only the dashboard has.
  expect(await page.locator('a[href^="#/apps"], a[href^="#/verifications"]').count()).toBe(0)
  expect(troubles).toEqual([])
  await page.close()
})

test('the inbox is readable at every width, light and dark, in both languages', async () => {
  await clear()
  for (const locale of ['en', 'de']) {
    const { page, troubles } = await open({ locale })
    const shown = (name: string) => look(page, pictures, `${name}-${locale}`)
    await page.locator('.empty').waitFor()
    if (locale === 'en') await shown('empty')
    const to = `a-person-with-a-rather-long-address-${locale}@mail.example.com`
    await mint(to)
    await item(page, to).waitFor()
    await shown('list')
    await item(page, to).click()
    await page.locator('.message').waitFor()
    await shown('message')
    expect(troubles).toEqual([])
    await page.close()
    await clear()
  }
})

test('by keyboard alone a message is found, read and its code copied, and all are cleared', async () => {
  await clear()
  const { page, troubles } = await open({ viewport: { width: 320, height: 700 } })
  const { code } = await mint('carol@example.com')
  await item(page, 'carol@example.com').waitFor()
  const focused = () => page.evaluate('document.activeElement.textContent')

  await page.keyboard.press('Tab')
  const found = page.waitForResponse(/search=carol/)
  await page.keyboard.type('carol')
  await found
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Clear')
  await page.keyboard.press('Tab')
  expect(await focused()).toContain('carol@example.com')
  await page.keyboard.press('Enter')
  await page.locator('.message .code').getByText(code).waitFor()
  await page.getByRole('button', { name: 'Copy code' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('Copied').waitFor()

  await page.getByRole('button', { name: 'Clear' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').getByRole('button', { name: 'Clear' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('The test inbox is empty.').waitFor()
  expect(troubles).toEqual([])
  await page.close()
})

test('a message appears also where every answer takes longer than the list is read again', async () => {
  await clear()
  const { page } = await open()
  await page.getByText('No test message yet').waitFor()
  await page.route('**/dev/inbox/messages?*', async (route) => {
    await Bun.sleep(1500)
    await route.continue().catch(() => {})
  })
  await mint('eve@example.com')

  await item(page, 'eve@example.com').waitFor({ timeout: 10_000 })
  await page.close()
})

test('without JavaScript the page leads to the messages as JSON', async () => {
  const { code } = await mint('dora@example.com')
  const page = await browser.newPage({ javaScriptEnabled: false })
  await page.goto(`${server.base}/dev/inbox`)

  await page.getByRole('link', { name: 'Read the messages as JSON.' }).click()

  expect(await page.locator('body').textContent()).toContain(code)
  await page.close()
})

test('a server that restarts under the page is said, and then followed again', async () => {
  const dataDir = join(folder, 'kept')
  const env = { OTPMINT_DATA_DIR: dataDir, OTPMINT_DEVELOPER_MODE: 'true' }
  const first = await start(['serve'], env)
  const { page } = await visit(browser, `${first.base}/dev/inbox`)
  await page.getByText('No test message yet').waitFor()

  await first.stop()
  await page.getByText('The server did not answer.').waitFor()
  const second = await start(['serve'], { ...env, OTPMINT_PORT: new URL(first.base).port })
  await page.getByText('No test message yet').waitFor()

  await second.stop()
  await page.close()
})

test('no code that the inbox has shown is in the log', async () => {
  expect(codes.length).toBeGreaterThan(3)
  for (const code of codes) expect(server.stdout()).not.toContain(code)
  expect(server.stdout()).toContain('/dev/inbox/messages')
})

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, FrameLocator, Page } from 'playwright-core'
import { eventually, killAll, scratch } from '../support/executable.ts'
import { faults, launch, overflow } from './browser.ts'
import { call } from './client.ts'
import { type HostedApp, hostedApp } from './hosted-app.ts'

setDefaultTimeout(180_000)
const { folder, remove } = scratch()
const pictures = join(import.meta.dir, '../../test-artifacts/hosted-widget')
let browser: Browser
let app: HostedApp
/** The app's site by its other name: another site than the server’s. */
let site = ''

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  browser = await launch()
  const other = (origin: string) => origin.replace('127.0.0.1', 'localhost')
  app = await hostedApp({
    folder,
    policy: (origin) => ({ embed_origins: [other(origin)] }),
    pages: (path, server) => {
      if (path !== '/shop') return null
      const policy = `default-src 'none'; img-src data:; script-src ${server}; frame-src ${server}`
      return { type: 'text/html', policy, body: shop(server) }
    },
  })
  site = other(app.site)
})
afterAll(async () => {
  app.stop()
  await browser.close()
  await killAll()
  remove()
})

const shop = (server: string) => `<!doctype html><html lang="en"><title>Shop</title>
<link rel="icon" href="data:,"><script type="module" src="${server}/otpmint.js"></script>
<main><h1>Shop</h1><otpmint-verify></otpmint-verify></main></html>`

/** The site with the element, whose events are collected; its policy allows nothing of this. */
async function visitShop(options: Parameters<Browser['newPage']>[0] = {}) {
  const page = await browser.newPage({ locale: 'en', ...options })
  const troubles: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('422')) troubles.push(message.text())
  })
  page.on('pageerror', (error) => troubles.push(error.message))
  await page.goto(`${site}/shop`)
  await page.evaluate(`(async () => {
    await customElements.whenDefined('otpmint-verify')
    window.told = []
    const element = document.querySelector('otpmint-verify')
    for (const type of ['otpmint-result', 'otpmint-close']) {
      element.addEventListener(type, ({ detail }) => told.push([type, detail]))
    }
  })()`)
  return { page, troubles }
}

const show = (page: Page, url: string, mode = 'dialog') =>
  page.evaluate(
    `(() => {
      const element = document.querySelector('otpmint-verify')
      element.setAttribute('mode', ${JSON.stringify(mode)})
      element.setAttribute('page-url', ${JSON.stringify(url)})
    })()`,
  )

const toldOf = (page: Page) =>
  page.evaluate('told') as Promise<[string, { id: string; result: string }][]>
const codeField = (frame: FrameLocator) => frame.getByLabel('Code', { exact: true })

test.each(['dialog', 'frame'])(
  'the element shows the page on a page of another site, and tells the end: %s',
  async (mode) => {
    const { page, troubles } = await visitShop({ viewport: { width: 320, height: 700 } })
    const { id, pageUrl, code } = await app.begin()
    await show(page, pageUrl, mode)
    const frame = page.frameLocator('otpmint-verify iframe')
    await codeField(frame).waitFor()
    expect(await overflow(page)).toBe(0)
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: join(pictures, `${mode}-320.png`) })
    const cookies = await page.context().cookies()
    expect(cookies).toMatchObject([
      { name: `__Host-otpmint-${id}`, sameSite: 'None', secure: true },
    ])

    // A wrong code first: forms in the frame keep its cookie.
    await codeField(frame).fill(code.replace(/^./, (digit) => (digit === '1' ? '2' : '1')))
    await frame.getByRole('alert').waitFor()
    await codeField(frame).fill(code)
    await eventually(async () => (await toldOf(page)).length > 0)

    const [[type, detail] = ['', { id: '', result: '' }]] = await toldOf(page)
    expect([type, detail.id]).toEqual(['otpmint-result', id])
    expect(await page.locator('otpmint-verify iframe').count()).toBe(0)
    const done = await call(`${app.site}/done?otpmint_result=${detail.result}`)
    expect(done.text).toContain('You are approved')
    expect(troubles).toEqual([])
    await page.close()
  },
)

test('the dialog is left by Escape or its button, and the verification goes on', async () => {
  const { page, troubles } = await visitShop()
  for (const leave of [
    () => page.keyboard.press('Escape'),
    () => page.getByRole('button', { name: 'Close' }).click(),
  ]) {
    const { id, pageUrl } = await app.begin()
    await show(page, pageUrl)
    await codeField(page.frameLocator('otpmint-verify iframe')).waitFor()
    // The key goes to the page itself, as after a press outside of the frame.
    await page.getByRole('button', { name: 'Close' }).focus()
    const before = (await toldOf(page)).length
    await leave()
    await eventually(async () => (await toldOf(page)).length > before)
    expect((await toldOf(page)).at(-1)?.[0]).toBe('otpmint-close')
    expect(await app.state(id)).toMatchObject({ status: 'pending' })
  }
  expect(troubles).toEqual([])
  await page.close()
})

test('the element believes its frame only: messages of others change nothing', async () => {
  const { page } = await visitShop()
  const { id, pageUrl } = await app.begin()
  await show(page, pageUrl)
  await codeField(page.frameLocator('otpmint-verify iframe')).waitFor()
  await page.evaluate(`(async () => {
    const message = { type: 'otpmint-result', id: ${JSON.stringify(id)}, result: 'forged' }
    postMessage(message, '*')
    dispatchEvent(new MessageEvent('message', { data: message, origin: ${JSON.stringify(app.server.base)} }))
    const other = document.createElement('iframe')
    document.body.append(other)
    other.contentWindow.parent.postMessage(message, '*')
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  })()`)

  expect(await toldOf(page)).toEqual([])
  expect(await page.locator('otpmint-verify iframe').count()).toBe(1)
  await page.close()
})

test('an origin that is not listed cannot show the page in a frame', async () => {
  const page = await browser.newPage()
  const errors: string[] = []
  page.on('console', (message) => errors.push(message.text()))
  // The same site by the name that the app has not listed.
  await page.goto(`${app.site}/shop`)
  const { pageUrl } = await app.begin()
  await page.evaluate("customElements.whenDefined('otpmint-verify').then(() => true)")
  await show(page, pageUrl)

  await eventually(() => errors.some((text) => text.includes('frame-ancestors')))
  const frame = page.frameLocator('otpmint-verify iframe')
  expect(await codeField(frame).count()).toBe(0)
  await page.close()
})

test('the script is under 4 kB, any site may load it, and its types are beside it', async () => {
  const { headers } = await fetch(`${app.server.base}/otpmint.js`, { decompress: false })
  expect(Number(headers.get('content-length'))).toBeLessThan(4_096)
  expect([headers.get('content-encoding'), headers.get('access-control-allow-origin')]).toEqual([
    'gzip',
    '*',
  ])
  expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
  const types = await call(`${app.server.base}/otpmint.d.ts`)
  expect([types.status, types.text]).toEqual([
    200,
    expect.stringContaining("'otpmint-verify': OtpmintVerify"),
  ])
})

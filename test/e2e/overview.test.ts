import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { killAll, run, type Server, scratch, start } from '../support/executable.ts'
import { fillFigures } from '../support/figures.ts'
import { faults, launch, overflow, watch } from './browser.ts'
import { adminToken, call } from './client.ts'

setDefaultTimeout(180_000)
const { folder, remove } = scratch()
const data = join(folder, 'data')
const pictures = join(import.meta.dir, '../../test-artifacts/overview')
const env = { OTPMINT_DATA_DIR: data }

let browser: Browser
let server: Server
let context: BrowserContext

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  browser = await launch()
  server = await start(['serve'], env)
  const token = adminToken(data)
  const ids = []
  for (const name of ['Web shop', 'Customer portal']) {
    const { json } = await call(`${server.base}/v1/apps`, { name }, { token })
    ids.push(json.id ?? '')
  }
  await server.stop()
  await fillFigures(join(data, 'otpmint.db'), ids)
  server = await start(['serve'], env)
  context = await browser.newContext({ locale: 'en' })
  await signIn()
})
afterAll(async () => {
  await browser.close()
  await killAll()
  remove()
})

/** Accepts a link, as the screen of the link does. */
async function signIn(): Promise<void> {
  const { stdout } = await run(['dashboard', 'link'], env)
  const token = stdout.trim().split('/').at(-1)
  const page = await context.newPage()
  await page.goto(server.dashboardUrl())
  const status = await page.evaluate(async (token) => {
    const body = JSON.stringify({ token, name: 'Ada', password: 'a quite long pass phrase' })
    const headers = { 'content-type': 'application/json' }
    return (await fetch('/session/accept', { method: 'POST', headers, body })).status
  }, token)
  expect(status).toBe(201)
  await page.close()
}

async function open(path = '/'): Promise<{ page: Page; troubles: string[] }> {
  const page = await context.newPage()
  const troubles = watch(page, new URL(server.dashboardUrl()).origin)
  await page.goto(`${server.dashboardUrl()}/#${path}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  return { page, troubles }
}

test('the overview is readable at every width, light and dark, in both languages', async () => {
  for (const locale of ['en', 'de']) {
    for (const width of [320, 768, 1440]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page, troubles } = await open('/?range=day')
        await page.setViewportSize({ width, height: 900 })
        await page.emulateMedia({ colorScheme })
        await page.evaluate((tag) => localStorage.setItem('otpmint.language', tag), locale)
        await page.reload()
        await page.locator('.plot canvas').nth(2).waitFor()
        expect([locale, width, await overflow(page)]).toEqual([locale, width, 0])
        expect(await faults(page)).toEqual([])
        const name = `${locale}-${width}-${colorScheme}`
        await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
        expect(troubles).toEqual([])
        await page.close()
      }
    }
  }
})

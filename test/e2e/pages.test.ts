import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { killAll, type Server, scratch, start } from '../support/executable.ts'
import { faults, launch, visit } from './browser.ts'
import { call } from './client.ts'

setDefaultTimeout(90_000)
const { folder, remove } = scratch()
let browser: Browser
let server: Server

beforeAll(async () => {
  browser = await launch()
  const dataDir = join(folder, 'data')
  const env = { OTPMINT_DATA_DIR: dataDir, OTPMINT_DEVELOPER_MODE: 'true' }
  server = await start(['serve'], env)
})
afterAll(async () => {
  await browser.close()
  await killAll()
  remove()
})

function open(path: string, options: BrowserContextOptions = {}) {
  return visit(browser, `${server.base}${path}`, options)
}

test('the API docs load nothing from other hosts, and send trial requests to this server', async () => {
  const { page, troubles } = await open('/swagger')
  await page.locator('.opblock').first().waitFor()
  const shown = await page.locator('.opblock').count()
  const { json } = await call(`${server.base}/swagger/json`)
  const paths = Object.values(json['paths'] as Record<string, object>)
  expect(shown).toBe(paths.flatMap((methods) => Object.keys(methods)).length)

  const health = page.locator('.opblock', { hasText: '/healthz' })
  await health.click()
  await health.getByRole('button', { name: 'Try it out' }).click()
  await health.getByRole('button', { name: 'Execute' }).click()
  await health.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor()
  expect(troubles).toEqual([])
  await page.close()
})

test('the API docs are dark where the reader wants that, and have /v1 before the original API', async () => {
  for (const colorScheme of ['dark', 'light'] as const) {
    const { page, troubles } = await visit(browser, `${server.base}/swagger`, { colorScheme })
    await page.locator('.opblock').first().waitFor()
    const color = await page.evaluate('getComputedStyle(document.body).backgroundColor')
    expect(color).toBe(colorScheme === 'dark' ? 'rgb(28, 32, 34)' : 'rgb(250, 250, 250)')
    const tags = await page
      .locator('.opblock-tag')
      .evaluateAll((found) => found.map((tag) => tag.getAttribute('data-tag')))
    expect(tags[0]).toBe('Verifications')
    expect(tags.indexOf('Records')).toBeLessThan(tags.indexOf('Original API'))
    expect(troubles).toEqual([])
    await page.close()
  }
})

test('the start page says what the server is, and each of its links leads somewhere', async () => {
  for (const width of [320, 768, 1440]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, troubles } = await visit(browser, `${server.base}/`, {
        colorScheme,
        viewport: { width, height: 700 },
      })
      expect(await page.locator('h1').textContent()).toBe('OtpMint')
      expect(await faults(page)).toEqual([])
      const wide = await page.evaluate('document.documentElement.scrollWidth')
      expect(wide).toBeLessThanOrEqual(width)
      const links = await page
        .locator('a')
        .evaluateAll((found) => found.map((a) => a.getAttribute('href')))
      expect(links).toContain('/dev/inbox')
      for (const link of links) {
        expect([link, (await fetch(`${server.base}${link}`)).status]).toEqual([link, 200])
      }
      expect(troubles).toEqual([])
      await page.close()
    }
  }
})

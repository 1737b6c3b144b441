import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { killAll, type Server, scratch, start } from '../support/executable.ts'
import { launch, look, visit } from './browser.ts'
import { call } from './client.ts'

setDefaultTimeout(90_000)
const pictures = join(import.meta.dir, '../../test-artifacts/pages')
const { folder, remove } = scratch()
let browser: Browser
let server: Server

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
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
  const { page, troubles } = await visit(browser, `${server.base}/`)
  expect(await page.locator('h1').textContent()).toBe('OtpMint')
  await look(page, pictures, 'start')
  const links = await page
    .locator('a')
    .evaluateAll((found) => found.map((a) => a.getAttribute('href')))
  expect(links).toContain('/dev/inbox')
  for (const link of links) {
    expect([link, (await fetch(`${server.base}${link}`)).status]).toEqual([link, 200])
  }
  expect(troubles).toEqual([])
  await page.close()
})

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { killAll, type Server, scratch, start } from '../support/executable.ts'
import { faults, launch, visit } from './browser.ts'
import { type HostedApp, hostedApp } from './hosted-app.ts'

setDefaultTimeout(120_000)
const { folder, remove } = scratch()
let browser: Browser
let app: HostedApp
let server: Server

beforeAll(async () => {
  browser = await launch()
  app = await hostedApp({ folder })
  server = app.server
})
afterAll(async () => {
  app.stop()
  await browser.close()
  await killAll()
  remove()
})

/** Starts the server again, at the same address and with the same data. */
async function again(): Promise<void> {
  server = await start(['serve'], {
    ...{ OTPMINT_DATA_DIR: join(folder, 'data'), OTPMINT_DEVELOPER_MODE: 'true' },
    OTPMINT_PORT: new URL(app.server.base).port,
  })
}

async function open(url: string) {
  const { page } = await visit(browser, url, { locale: 'en' })
  await page.locator('#code:focus').waitFor()
  return page
}

test('while no server answers the page says so and keeps the code, which is taken afterwards', async () => {
  const { id, pageUrl, code } = await app.begin()
  const page = await open(pageUrl)
  await server.stop()

  await page.keyboard.type(code)
  await page.getByText('Something went wrong here. Please try again.').waitFor()
  expect(await page.locator('#says').getAttribute('role')).toBe('status')
  expect(await page.getByLabel('Code', { exact: true }).inputValue()).toBe(code)
  expect(await faults(page)).toEqual([])
  await again()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'You are approved' }).waitFor()

  expect(app.told.at(-1)).toMatchObject({ id, status: 'approved' })
  await page.close()
})

for (const [how, end] of [
  ['stopped', () => server.stop()],
  ['killed', () => server.kill()],
] as const) {
  test(`a page that is open while the server is ${how} and started again takes the code`, async () => {
    const { id, pageUrl, code } = await app.begin()
    const page = await open(pageUrl)
    await end()
    await again()

    await page.keyboard.type(code)
    await page.getByRole('heading', { name: 'You are approved' }).waitFor()

    expect(app.told.at(-1)).toMatchObject({ id, status: 'approved' })
    await page.close()
  })
}

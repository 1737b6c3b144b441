import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { killAll } from '../support/executable.ts'
import { faults, overflow } from './browser.ts'
import { type Dashboard, settled, startDashboard } from './dashboard.ts'

/*
 * A page of the dashboard that was left open while its session ended. The times in the database are
 * moved back, which is what passing time amounts to.
 */
setDefaultTimeout(120_000)
const pictures = join(import.meta.dir, '../../test-artifacts/forgotten')
const english = { locale: 'en' }
const over = 'Your session has ended. Sign in to go on where you were.'
let dashboard: Dashboard
let app: { id: string }

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  dashboard = await startDashboard()
  app = (await dashboard.admin('POST', '/v1/apps', { name: 'Acme' })).json as { id: string }
})
afterAll(async () => {
  await dashboard.close()
  await killAll()
})

const hourMs = 3_600_000

/** Lets time pass for all sessions: they were last used, or begun, so long ago. */
function pass(column: 'seen_at' | 'expires_at' | 'confirmed_until', ms: number): void {
  const database = new Database(join(String(dashboard.env['OTPMINT_DATA_DIR']), 'otpmint.db'))
  database.run(`update sessions set ${column} = ${column} - ${ms}`)
  database.close()
}

/** The sessions that were ended are as they were, for the other tests. */
const undo = (column: Parameters<typeof pass>[0], ms: number) => pass(column, -ms)

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('Name').fill(dashboard.person.name)
  await page.getByLabel('Password').fill(dashboard.person.password)
  await page.keyboard.press('Enter')
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
  await settled(page)
}

const hash = (page: Page) => decodeURIComponent(new URL(page.url()).hash)

test('after a night the next click leads to the sign-in, which says why, and back to the same screen', async () => {
  const path = `/verifications?app=${app.id}&mode=test`
  const { page } = await dashboard.open(path, english)
  await settled(page)
  pass('seen_at', hourMs)

  await page.getByLabel('Status').selectOption('approved')
  await page.getByText(over).waitFor()
  expect(hash(page)).toBe(`#/sign-in?to=${path}&status=approved`)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [320, 768, 1440]) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 800 })
      expect([width, await overflow(page), await faults(page)]).toEqual([width, 0, []])
      await page.screenshot({ path: join(pictures, `${width}-${colorScheme}.png`) })
    }
  }
  await signIn(page)

  expect(hash(page)).toBe(`#${path}&status=approved`)
  expect(await page.getByLabel('Status').inputValue()).toBe('approved')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  // Who signs out knows it.
  expect(await page.getByText(over).count()).toBe(0)
  undo('seen_at', hourMs)
  await page.context().close()
})

test('a form that is sent after the end of the session is not sent to nowhere: the person is told', async () => {
  const { page } = await dashboard.open('/apps/new', english)
  await settled(page)
  await page.getByLabel('Name', { exact: true }).fill('Written in the evening')
  pass('expires_at', 24 * hourMs)

  await page.getByRole('button', { name: 'Create app' }).click()
  await page.getByText('What was not saved yet is gone.').waitFor()
  const { json } = await dashboard.admin('GET', '/v1/apps')
  expect(json.items).toHaveLength(1)
  await signIn(page)

  expect(hash(page)).toBe('#/apps/new')
  expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('')
  undo('expires_at', 24 * hourMs)
  await page.context().close()
})

test('a page that nobody touches comes to the sign-in by itself', async () => {
  const { page } = await dashboard.open('/inbox', english)
  await settled(page)
  pass('seen_at', hourMs)

  await page.getByText(over).waitFor()
  expect(hash(page)).toBe('#/sign-in?to=/inbox')
  undo('seen_at', hourMs)
  await page.context().close()
})

test('what waited for the password is not done once somebody has signed in again', async () => {
  const { page } = await dashboard.open(`/apps/${app.id}/keys`, english)
  await settled(page)
  pass('confirmed_until', hourMs)
  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByLabel('Inbound').check()
  await page.getByRole('button', { name: 'Make key' }).click()
  const ask = page.getByRole('dialog', { name: 'Please confirm that it is you' })
  await ask.getByLabel('Your password').fill(dashboard.person.password)
  pass('seen_at', hourMs)

  await page.keyboard.press('Enter')
  await page.getByText(over).waitFor()
  await signIn(page)
  expect(hash(page)).toBe(`#/apps/${app.id}/keys`)
  expect(await page.getByRole('dialog').count()).toBe(0)
  const { json } = await dashboard.admin('GET', `/v1/apps/${app.id}`)
  expect(json['keys']).toHaveLength(2)
  undo('seen_at', hourMs)
  await page.context().close()
})

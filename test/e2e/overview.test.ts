import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { OverviewAnswer } from '../../src/dashboard/screens/overview/wire.ts'
import { alarmChange } from '../../src/domain/alarm.ts'
import { streamsMax } from '../../src/http/live/live.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'
import { startCommand } from '../support/commands.ts'
import { eventually, killAll, start } from '../support/executable.ts'
import { fillFigures } from '../support/figures.ts'
import { faults, look, overflow, pictureForReadme } from './browser.ts'
import { adminToken, call } from './client.ts'
import { type Dashboard, settled, startDashboard } from './dashboard.ts'

setDefaultTimeout(180_000)
const pictures = join(import.meta.dir, '../../test-artifacts/overview')

let dashboard: Dashboard
let apps: { id: string; test_key: string; live_key: string }[]

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  dashboard = await startDashboard()
  const email = { host: '127.0.0.1', port: 9, from: 'codes@example.com', user: null }
  apps = []
  for (const name of ['Web shop', 'Customer portal']) {
    const { json } = await dashboard.admin('POST', '/v1/apps', { name, email })
    apps.push({
      id: String(json.id),
      test_key: String(json.test_key),
      live_key: String(json.live_key),
    })
  }
  const ids = apps.map(({ id }) => id)
  await fillFigures(database(), ids)
})
afterAll(async () => {
  await dashboard.close()
  await killAll()
})

const database = () => join(dashboard.env['OTPMINT_DATA_DIR'] ?? '', 'otpmint.db')

const open = async (query = '', locale = 'en') => {
  const { page, troubles } = await dashboard.open(`/${query}`, { locale })
  await settled(page)
  return { page, troubles }
}

const chart = (page: Page, name = 'Verifications over time') => page.getByRole('figure', { name })
const slider = (page: Page) => chart(page).getByRole('slider')

test('the overview is readable at every width, light and dark, in both languages', async () => {
  for (const locale of ['en', 'de']) {
    const { page, troubles } = await open('?range=week', locale)
    await page.locator('.plot').nth(1).waitFor()
    await look(page, pictures, locale)
    expect(troubles).toEqual([])
    if (locale === 'en') {
      await page.emulateMedia({ colorScheme: 'light' })
      await page.setViewportSize({ width: 1280, height: 900 })
      await pictureForReadme(page, 'overview')
    }
    await page.context().close()
  }
})

test('arrow keys move through a chart, and a screen reader is told every value', async () => {
  const { page, troubles } = await open('?range=day')
  await slider(page).focus()
  const said = () => slider(page).getAttribute('aria-valuetext')
  const last = await said()
  expect(last).toMatch(
    /^\w+ \d+, \d{4}, .+: Started \d+, Handed over \d+, Approved \d+, Failed \d+$/,
  )
  await page.keyboard.press('ArrowLeft')
  const before = await said()
  expect(before).not.toBe(last)
  const shown = (await chart(page).locator('.legend').textContent()) ?? ''
  const [time = '', counts = ''] = before?.split(/(?<=M): /) ?? []
  for (const text of [time, ...counts.split(', ').flatMap((each) => each.match(/\d+$/) ?? [])]) {
    expect(shown).toContain(text)
  }
  await page.keyboard.press('Home')
  expect(await slider(page).inputValue()).toBe('0')

  const tree = await page.locator('main').ariaSnapshot()
  for (const part of [
    'figure "Verifications over time"',
    'slider "Verifications over time: Point in time"',
    'navigation "Time"',
    'table "By recipients’ domain"',
    'combobox "App"',
  ]) {
    expect(tree).toContain(part)
  }
  expect(troubles).toEqual([])
  await page.context().close()
})

test('behind each chart is a table of its values, of which a page is in the document', async () => {
  const { page } = await open('?range=year')
  const figure = chart(page)
  await figure.getByText('As a table').focus()
  await page.keyboard.press('Enter')
  const rows = figure.getByRole('row')
  await rows.nth(31).waitFor()
  expect(await rows.count()).toBe(32)
  const first = await rows.nth(1).textContent()
  await figure.getByRole('button', { name: 'Next page' }).click()
  await figure.getByText('Page 2').waitFor()
  expect(await rows.nth(1).textContent()).not.toBe(first)
  expect(await page.getByRole('row').count()).toBeLessThan(100)
  await page.context().close()
})

test('range and app are in the address, and the figures are those of the app', async () => {
  const { page } = await open('?range=month')
  const started = async () => (await page.locator('.tiles b').first().textContent()) ?? ''
  const all = await started()
  await page.getByLabel('App', { exact: true }).selectOption('Customer portal')
  await page.waitForURL(/range=month&app=/)
  await eventually(async () => (await started()) !== all)
  await page.reload()
  await settled(page)
  expect(await page.getByLabel('App', { exact: true }).inputValue()).toBe(apps[1]?.id ?? '')
  expect(await page.getByRole('table', { name: 'By app' }).count()).toBe(0)
  await page.getByRole('link', { name: '13 months' }).click()
  await page.waitForURL(/range=year&app=/)
  await page.context().close()
})

test('where as many follow as may, the page says so and tries again', async () => {
  const token = adminToken(dashboard.env['OTPMINT_DATA_DIR'] ?? '')
  const headers = { authorization: `Bearer ${token}` }
  const stop = new AbortController()
  const streams = []
  for (let index = 0; index < streamsMax; index++) {
    streams.push(await fetch(`${dashboard.server.base}/v1/live`, { headers, signal: stop.signal }))
  }
  expect(streams.filter(({ ok }) => ok)).not.toEqual([])
  const { page } = await open('?range=day')
  await page.getByText('Not connected: trying again').waitFor()

  stop.abort()
  await page.getByText('Live', { exact: true }).waitFor()
  expect(await page.locator('.tiles b').count()).toBe(6)
  await page.context().close()
})

test('alarms say what to do and where, queues show what waits, and both follow at once', async () => {
  const [app] = apps
  const { page, troubles } = await open('?range=day')
  await page.getByText('Live', { exact: true }).waitFor()
  expect(await page.getByRole('region', { name: 'Alarms' }).textContent()).toBe('')
  await page.getByText('Nothing was started or sent in the last hour.').waitFor()
  const headers = { authorization: `Bearer ${app?.live_key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ to: 'ada@example.com' })
  await fetch(`${dashboard.server.base}/v1/verifications`, { method: 'POST', headers, body })
  const { json } = await dashboard.admin('GET', `/v1/apps/${app?.id}/endpoints`)
  const [endpoint] = json.items ?? []
  const place = {
    kind: 'login_refused',
    appId: app?.id ?? '',
    endpointId: endpoint?.id ?? '',
  } as const
  const store = await openSqliteStore({ path: database(), timers: systemTimers })
  await store.alarms.raise(alarmChange('raised', place, Date.now()))

  const alarm = page.getByRole('region', { name: 'Alarms' })
  await alarm.getByText('A login is refused · Web shop').waitFor()
  await alarm.getByText('Set the password of this endpoint again').waitFor()
  const link = alarm.getByRole('link', { name: 'To the endpoints' })
  expect(await link.getAttribute('href')).toBe(`#/apps/${app?.id}/endpoints`)
  const queues = page.getByRole('table', { name: 'Queues and connections' })
  await queues.getByText('email · 127.0.0.1').waitFor()
  for (const [width, colorScheme] of [
    [320, 'dark'],
    [1440, 'light'],
  ] as const) {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme })
    expect([await overflow(page), await faults(page)]).toEqual([0, []])
    const name = `alarm-${width}-${colorScheme}.png`
    await page.screenshot({ path: join(pictures, name), fullPage: true })
  }
  await store.alarms.clear(alarmChange('cleared', place, Date.now()))
  await alarm.getByText('A login is refused').waitFor({ state: 'detached' })
  expect(troubles).toEqual([])
  await store.close()
  await page.context().close()
})

test('a server counts by itself what was started some minutes ago', async () => {
  const appId = apps[1]?.id ?? ''
  const started = async () => {
    const { json } = await dashboard.admin('GET', `/v1/overview?range=hour&app=${appId}`)
    return (json as unknown as OverviewAnswer).total.started
  }
  const before = await started()
  const store = await openSqliteStore({ path: database(), timers: systemTimers })
  await store.verifications.start(startCommand({ appId, now: Date.now() - 300_000 }))
  await store.close()

  await eventually(async () => (await started()) > before, 30_000)
  expect(await started()).toBe(before + 1)
})

test('on paper are the figures and charts, and nothing that is only of use on a screen', async () => {
  const { page } = await open('?range=month')
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  expect(await page.locator('.side').isVisible()).toBe(false)
  expect(await page.locator('.scrub').first().isVisible()).toBe(false)
  expect(await page.locator('.plot svg').first().isVisible()).toBe(true)
  const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor')
  expect(ground).toBe('rgba(0, 0, 0, 0)')
  expect(await page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(27, 36, 48)')
  const pdf = await page.pdf({ path: join(pictures, 'print.pdf'), format: 'A4' })
  expect(pdf.length).toBeGreaterThan(10_000)
  await page.screenshot({ path: join(pictures, 'print.png'), fullPage: true })
  await page.context().close()
})

/** How many seconds lie between the tries to follow while there is no server, by a clock that is moved. */
async function gapsWithoutServer(page: Page, seconds: number): Promise<number[]> {
  const [asked, failed]: [number[], number[]] = [[], []]
  let second = 0
  page.on('request', (request) => {
    if (request.url().endsWith('/v1/live')) asked.push(second)
  })
  page.on('requestfailed', (request) => {
    if (request.url().endsWith('/v1/live')) failed.push(second)
  })
  for (second = 1; second <= seconds; second++) {
    await page.clock.runFor(1000)
    await eventually(() => failed.length === asked.length)
    // The page has been told of the failure when it answers again.
    for (let turn = 0; turn < 3; turn++) await page.evaluate('0')
  }
  return asked.slice(1).map((at, index) => at - (asked[index] ?? 0))
}

// The last one, because its second server has another port for the API.
test('what is started shows at once, and a server that restarts is followed again, ever more slowly', async () => {
  const begin = async (base: string, to: string) => {
    const token = apps[0]?.test_key ?? ''
    expect((await call(`${base}/v1/verifications`, { to }, { token })).status).toBe(201)
  }
  const { page } = await open('?range=hour')
  await page.getByText('Live', { exact: true }).waitFor()
  const lastHour = chart(page, 'The last hour')
  const openTable = () => lastHour.getByText('As a table').click()
  const started = async () => {
    const cells = await lastHour.locator('td[data-label="Started"]').allTextContents()
    return cells.reduce((sum, text) => sum + Number(text), 0)
  }
  const startedEarlier = await lastHour.isVisible()
  if (startedEarlier) await openTable()
  const earlier = await started()
  await begin(dashboard.server.base, 'frank@example.com')
  if (!startedEarlier) await openTable()
  await eventually(async () => (await started()) === earlier + 1)
  const before = await started()
  await begin(dashboard.server.base, 'grace@example.com')
  await eventually(async () => (await started()) === before + 1)

  await page.clock.install()
  await page.clock.pauseAt(Date.now() + 60_000)
  await dashboard.server.stop()
  await page.getByText('Not connected: trying again').waitFor()
  const gaps = await gapsWithoutServer(page, 62)
  expect(gaps).toEqual(gaps.toSorted((a, b) => a - b))
  expect([gaps[0], gaps.at(-1)]).toEqual([2, 30])
  // What was shown stays while there is no server.
  expect(await page.locator('.tiles b').count()).toBe(6)

  const OTPMINT_DASHBOARD_LISTEN = new URL(dashboard.server.dashboardUrl()).host
  const server = await start(['serve'], { ...dashboard.env, OTPMINT_DASHBOARD_LISTEN })
  const figures = page.waitForRequest(/\/v1\/overview\?/)
  // The longest wait until the next try.
  await page.clock.runFor(30_000)
  await page.clock.resume()
  await page.getByText('Live', { exact: true }).waitFor()
  await figures
  await begin(server.base, 'henry@example.com')
  await eventually(async () => (await started()) === before + 2)
  await page.context().close()
  dashboard.server.stop = server.stop
  dashboard.server.kill = server.kill
})

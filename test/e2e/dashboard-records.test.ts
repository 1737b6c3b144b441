import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually } from '../support/executable.ts'
import { multiplyVerification } from '../support/multiply.ts'
import { call } from './client.ts'
import { type Dashboard, goTo, settled, startDashboard } from './dashboard.ts'

setDefaultTimeout(120_000)

let dashboard: Dashboard
let app: { id: string; test_key: string; live_key: string }

beforeAll(async () => {
  dashboard = await startDashboard()
  app = (await dashboard.admin('POST', '/v1/apps', { name: 'Acme Shop' })).json as typeof app
})
afterAll(() => dashboard.close())

async function start(to: string): Promise<{ id: string; code: string }> {
  const token = app.test_key
  const { json } = await call(`${dashboard.server.base}/v1/verifications`, { to }, { token })
  const id = String(json.id)
  let code = ''
  await eventually(async () => {
    const { json } = await dashboard.admin('GET', '/v1/inbox?limit=100')
    code = json.items?.find(({ verification }) => verification === id)?.code ?? ''
    return code !== ''
  })
  return { id, code }
}

const check = (id: string, code: string) =>
  call(`${dashboard.server.base}/v1/verifications/${id}/check`, { code }, { token: app.test_key })

const wrong = (code: string) => (code.startsWith('0') ? '1' : '0') + code.slice(1)

test('one verification is found by its address or its id, and told from start to approval', async () => {
  const { id, code } = await start('ada@example.com')
  await start('bob@example.com')
  await check(id, wrong(code))
  await check(id, code)
  const { page, troubles } = await dashboard.open(`/verifications?app=${app.id}&mode=test`)
  await settled(page)
  expect(await page.locator('tbody tr').count()).toBe(2)

  await page.keyboard.press('/')
  await page.keyboard.type('ada@example.com')
  await page.keyboard.press('Enter')
  await page.getByText('Verifications of ada@example.com').first().waitFor()
  await page.getByRole('link', { name: 'a***@example.com' }).waitFor()
  expect(await page.locator('tbody tr').count()).toBe(1)
  expect(page.url()).not.toContain('ada')

  await page.getByLabel('Address or id').fill(id)
  await page.keyboard.press('Enter')
  await page.getByText('Right code: approved').waitFor()
  expect(await page.locator('.timeline strong').allTextContents()).toEqual([
    ...['Started', 'Message queued', 'Message handed over', 'Wrong code'],
    'Right code: approved',
  ])
  const shown = (await page.locator('body').textContent()) ?? ''
  for (const secret of [code, 'ada@']) expect(shown).not.toContain(secret)
  expect(troubles).toEqual([])
  await page.context().close()
})

test('a verification is canceled after a question, by keyboard alone', async () => {
  const { id, code } = await start('carol@example.com')
  const { page, troubles } = await dashboard.open(`/verifications/${app.id}/test/${id}`)
  await settled(page)

  await page.getByRole('button', { name: 'Cancel verification' }).focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Cancel verification' }).focus()
  await page.keyboard.press('Enter')
  await page.locator('.timeline').getByText('Canceled').waitFor()

  expect((await check(id, code)).json.code).toBe('verification_canceled')
  expect(await page.getByRole('button', { name: 'Cancel verification' }).count()).toBe(0)
  expect(troubles).toEqual([])
  await page.context().close()
})

test('a test message appears by itself, shows its mail in a frame, and then that it was used', async () => {
  await dashboard.admin('DELETE', '/v1/inbox')
  const { page, troubles } = await dashboard.open('/inbox')
  await page.getByText('No test message yet').waitFor()

  const { id, code } = await start('dora@example.com')
  await page.getByRole('link', { name: 'dora@example.com' }).click()
  const frame = page.frameLocator('iframe')
  await frame.getByText(code).first().waitFor()
  await page.locator('.message').getByText('Not used yet').waitFor()
  await check(id, code)
  await page.locator('.message').getByText('Used', { exact: true }).waitFor()
  await page.getByRole('link', { name: 'Source' }).click()
  await page.getByText('Auto-Submitted: auto-generated').waitFor()

  await page.getByLabel('Search in recipient').fill('nothing of that')
  await page.getByRole('link', { name: 'dora@example.com' }).waitFor({ state: 'detached' })
  expect(troubles).toEqual([])
  await page.context().close()
})

test('with 100,000 verifications the list holds at most 100 rows, and pages reach the others', async () => {
  await start('eve@example.com')
  multiplyVerification(String(dashboard.env['OTPMINT_DATA_DIR']), 100_000)
  const { page, troubles } = await dashboard.open(`/verifications?app=${app.id}&mode=test`)
  await settled(page)
  const first = await page.locator('tbody th a').first().getAttribute('href')

  for (const number of [2, 3]) {
    await page.getByRole('button', { name: 'Next page' }).click()
    await page.getByText(`Page ${number}`).waitFor()
    await settled(page)
    expect(await page.locator('tbody tr').count()).toBeWithin(1, 101)
  }
  await page.getByRole('button', { name: 'Previous page' }).click()
  await page.getByRole('button', { name: 'Previous page' }).click()
  await page.getByText('Page 1').waitFor()
  await settled(page)
  expect(await page.locator('tbody th a').first().getAttribute('href')).toBe(first)
  expect(troubles).toEqual([])

  await page.getByLabel('Status').selectOption('approved')
  await settled(page)
  await page.getByText('Approved', { exact: true }).filter({ visible: true }).last().waitFor()
  await page.context().close()
})

test('a backup is made, and the audit log tells who made it and that it is unchanged', async () => {
  const { page, troubles } = await dashboard.open('/server/backups')
  await settled(page)

  await page.getByRole('button', { name: 'Back up now' }).click()
  await page.getByText(/^otpmint-.*\.db$/).waitFor()
  await goTo(page, '/server/audit')
  const row = page.locator('tbody tr', { hasText: 'store.backup' })
  expect(await row.textContent()).toContain(dashboard.person.name)
  await page.getByRole('button', { name: 'Check the log' }).click()
  await page.getByText('The log is unchanged').waitFor()

  await goTo(page, '/server')
  await page.getByRole('button', { name: 'Check everything' }).click()
  await page.getByText('is sound; commits reach the disk').waitFor()
  expect(troubles).toEqual([])
  await page.context().close()
})

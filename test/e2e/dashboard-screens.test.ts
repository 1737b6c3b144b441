import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { eventually } from '../support/executable.ts'
import { look, type Visit } from './browser.ts'
import { call } from './client.ts'
import { type Dashboard, goTo, settled, startDashboard } from './dashboard.ts'
import { type MailSink, mailSink } from './mail-sink.ts'

setDefaultTimeout(120_000)

const artifacts = join(import.meta.dir, '../../test-artifacts/dashboard')

/** What is behind the screens. */
type Data = { app: string; webhook: string; verification: string; message: string }

type Screen = {
  name: string
  path(data: Data): string
  /** Text that is there once the screen shows its data. */
  shows: string
  /** Brings it into the state that is looked at, as by opening a dialog. */
  prepare?(page: Page): Promise<void>
}

/** Every screen with data behind it; owners of screens add theirs. */
const screens: Screen[] = [
  { name: 'overview', path: () => '/', shows: 'The last hour' },
  { name: 'apps', path: () => '/apps', shows: 'Acme Shop' },
  { name: 'new-app', path: () => '/apps/new', shows: 'Mail server' },
  { name: 'app-sending', path: ({ app }) => `/apps/${app}`, shows: 'smtp.example.org' },
  {
    name: 'app-add-way',
    path: ({ app }) => `/apps/${app}/endpoints`,
    shows: 'A way to send',
    prepare: (page) => page.getByRole('button', { name: 'Add a way' }).click(),
  },
  { name: 'app-rules', path: ({ app }) => `/apps/${app}/policy`, shows: '1 in 1,010' },
  { name: 'app-keys', path: ({ app }) => `/apps/${app}/keys`, shows: 'otpm_live_' },
  { name: 'app-messages', path: ({ app }) => `/apps/${app}/messages`, shows: '123456 is your' },
  {
    name: 'app-webhooks',
    path: ({ app }) => `/apps/${app}/webhooks`,
    shows: 'https://example.com',
  },
  {
    name: 'app-webhook',
    path: ({ app, webhook }) => `/apps/${app}/webhooks/${webhook}`,
    shows: 'verification.canceled',
  },
  { name: 'app-suppressed', path: ({ app }) => `/apps/${app}/suppressions`, shows: 'No address' },
  { name: 'app-settings', path: ({ app }) => `/apps/${app}/settings`, shows: 'Delete app' },
  {
    name: 'verifications',
    path: ({ app }) => `/verifications?app=${app}&mode=test`,
    shows: 'g***@example.com',
  },
  {
    name: 'verification',
    path: ({ app, verification }) => `/verifications/${app}/test/${verification}`,
    shows: 'Message handed over',
  },
  { name: 'inbox', path: () => '/inbox', shows: 'ada@example.com' },
  {
    name: 'inbox-source',
    path: ({ message }) => `/inbox?message=${message}&view=source`,
    shows: 'MIME-Version: 1.0',
  },
  {
    name: 'inbox-headers',
    path: ({ message }) => `/inbox?message=${message}&view=headers`,
    shows: 'Auto-Submitted',
  },
  { name: 'server', path: () => '/server', shows: 'guess bound' },
  { name: 'server-settings', path: () => '/server/settings', shows: 'OTPMINT_PORT' },
  {
    name: 'server-audit',
    path: () => '/server/audit',
    shows: 'The log is unchanged',
    prepare: (page) => page.getByRole('button', { name: 'Check the log' }).click(),
  },
  {
    name: 'server-backups',
    path: () => '/server/backups',
    shows: 'otpmint-',
    prepare: (page) => page.getByRole('button', { name: 'Back up now' }).click(),
  },
  { name: 'no-screen', path: () => '/nowhere', shows: 'There is no such page.' },
  { name: 'me', path: () => '/me', shows: 'In this browser' },
  {
    name: 'shortcuts',
    path: () => '/apps',
    shows: 'Keyboard shortcuts',
    prepare: (page) => page.keyboard.press('?'),
  },
]

let dashboard: Dashboard
let mail: MailSink
let data: Data
/** The page that goes from screen to screen: axe is read into it once. */
let shown: Visit

beforeAll(async () => {
  mkdirSync(artifacts, { recursive: true })
  mail = await mailSink()
  dashboard = await startDashboard()
  data = await fill(dashboard)
  shown = await dashboard.open('/', { locale: 'en-GB' })
})
afterAll(async () => {
  await dashboard.close()
  await mail.close()
})

async function fill({ admin }: Dashboard): Promise<Data> {
  const email = { host: '127.0.0.1', port: mail.port, from: 'codes@example.com', user: null }
  const { json: app } = await admin('POST', '/v1/apps', { name: 'Acme Shop', email })
  const path = `/v1/apps/${app.id}`
  await admin('POST', `${path}/endpoints`, {
    channel: 'email',
    email: { host: 'smtp.example.org', port: 587, from: 'codes@example.com', password: 'secret' },
  })
  const webhook = { url: 'https://example.com/hooks/otpmint', test_events: true }
  const { json: added } = await admin('POST', `${path}/webhooks`, webhook)
  await startAndCancel(String(app.test_key))
  const verification = await startTest(String(app.test_key), 'ada@example.com')
  const message = await messageOf(admin, verification)
  return { app: String(app.id), webhook: String(added.id), verification, message }
}

/** Waits for the message of a verification in the test inbox. */
async function messageOf(admin: Dashboard['admin'], verification: string): Promise<string> {
  let id: string | null = null
  await eventually(async () => {
    const { json } = await admin('GET', '/v1/inbox')
    id = json.items?.find((item) => item.verification === verification)?.id ?? null
    return id !== null
  })
  return String(id)
}

async function startTest(token: string, to: string): Promise<string> {
  const { json } = await call(`${dashboard.server.base}/v1/verifications`, { to }, { token })
  return String(json.id)
}

async function startAndCancel(token: string): Promise<void> {
  const url = `${dashboard.server.base}/v1/verifications`
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ to: 'grace@example.com' })
  const started = (await (await fetch(url, { method: 'POST', headers, body })).json()) as {
    id: string
  }
  await fetch(`${url}/${started.id}/cancel`, { method: 'POST', headers, body: '{}' })
}

test.each(screens.map((screen) => [screen.name, screen] as const))(
  'the screen %s fits at every width, breaks no rule of axe and logs no error, light and dark',
  async (name, { path, shows, prepare }) => {
    const { page, troubles } = shown
    await page.setViewportSize({ width: 1440, height: 900 })
    await goTo(page, path(data))
    await prepare?.(page)
    await page.getByText(shows).filter({ visible: true }).first().waitFor()
    await look(page, artifacts, name)
    expect(troubles.splice(0)).toEqual([])
  },
)

test('the language is that of the browser, until the reader chooses another, which is kept', async () => {
  const { page } = await dashboard.open('/apps', { locale: 'de-DE' })
  await settled(page)
  expect(await page.locator('html').getAttribute('lang')).toBe('de')
  expect(await page.getByRole('navigation').first().textContent()).toContain('Bestätigungen')

  await goTo(page, '/me')
  await page.getByLabel('English').check()
  await page.getByRole('link', { name: 'Verifications' }).waitFor()
  expect(await page.locator('html').getAttribute('lang')).toBe('en')
  await page.reload()
  await settled(page)
  expect(await page.locator('html').getAttribute('lang')).toBe('en')
  await page.context().close()
})

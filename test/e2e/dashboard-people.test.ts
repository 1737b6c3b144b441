import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { codeAt, readSecret } from '../../src/domain/account/second-step.ts'
import { run } from '../support/executable.ts'
import { look, watch } from './browser.ts'
import { type Dashboard, dashboardLink, goTo, settled, startDashboard } from './dashboard.ts'

setDefaultTimeout(180_000)

const artifacts = join(import.meta.dir, '../../test-artifacts/dashboard')

let dashboard: Dashboard

beforeAll(async () => {
  mkdirSync(artifacts, { recursive: true })
  dashboard = await startDashboard()
})
afterAll(() => dashboard.close())

/** A browser that nobody is signed in with. A refusal is also logged by the browser, which is meant. */
async function stranger(path: string, locale = 'en-GB') {
  const origin = dashboard.server.dashboardUrl()
  const page = await (await dashboard.browser.newContext({ locale })).newPage()
  const all = watch(page, origin)
  await page.goto(`${origin}/#${path}`)
  const troubles = () =>
    all.filter((text) => !/^Failed to load resource: .* status of 4/.test(text))
  return { page, troubles }
}

/** As if ten minutes had passed since everybody gave the password. */
function forgetConfirmations(): void {
  const database = new Database(join(dashboard.env['OTPMINT_DATA_DIR'] ?? '', 'otpmint.db'))
  database.run('update sessions set confirmed_until = 0')
  database.close()
}

const pathOf = (link: string) => link.slice(link.indexOf('#') + 1)
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const code = (secret: string) => codeAt(readSecret(secret), Math.floor(Date.now() / 30_000))

test('a link of the command line leads to an account, and its address holds no token any more', async () => {
  const link = await dashboardLink(dashboard.env)
  const { page, troubles } = await stranger(pathOf(link))
  await page.getByRole('heading', { name: 'Welcome to OtpMint' }).waitFor()
  await page.getByLabel('Name').fill('Linus')
  await page.getByLabel('New password').fill('password')
  await button(page, 'Save and sign in').click()
  await page.getByText('It needs 15 characters or more').waitFor()
  await look(page, artifacts, 'link')

  await page.getByLabel('New password').fill('a quite long pass phrase')
  await page.keyboard.press('Enter')
  await page.getByRole('navigation', { name: 'Main' }).waitFor()

  expect(page.url()).toBe(`${dashboard.server.dashboardUrl()}/#/`)
  expect(troubles()).toEqual([])
  const again = await stranger(pathOf(link))
  await again.page.getByText('This link does not work').waitFor()
  await look(again.page, artifacts, 'link-gone')
  expect(dashboard.server.stdout()).not.toContain(pathOf(link).slice('/link/'.length))
})

test('a person is invited, sets up a second step, signs out, and signs in with it', async () => {
  const { page: admin } = await dashboard.open('/people', { locale: 'en-GB' })
  await settled(admin)
  await button(admin, 'Invite a person').click()
  await admin.getByLabel('Name').fill('Grace Hopper')
  await admin.getByRole('dialog').getByRole('button', { name: 'Invite a person' }).click()
  const link = (await admin.locator('dialog code').textContent()) ?? ''
  await look(admin, artifacts, 'people-invited')
  await button(admin, 'Done').click()
  await admin.getByRole('row', { name: 'Grace Hopper' }).getByText('invited').waitFor()

  const { page, troubles } = await stranger(pathOf(link))
  await page.getByLabel('New password').fill('zebra!9x')
  await page.getByLabel('Also ask me for a code').check()
  await page.locator('svg.qr').waitFor()
  const secret = ((await page.locator('.secret').textContent()) ?? '').replaceAll(' ', '')
  await look(page, artifacts, 'link-second-step')
  await page.getByLabel('Code of your authenticator app').fill(code(secret))
  await button(page, 'Save and sign in').click()
  await page.getByText('You can look, but not change anything.').waitFor()
  await page.setViewportSize({ width: 1440, height: 900 })
  await button(page, 'Sign out').click()
  await page.getByLabel('Password').waitFor()

  // A code lets in once, and that of the next half minute holds already.
  const next = codeAt(readSecret(secret), Math.floor(Date.now() / 30_000) + 1)
  await page.getByLabel('Name').fill('grace hopper')
  await page.getByLabel('Password').fill('zebra!9x')
  await page.keyboard.press('Enter')
  await page.getByLabel('Code of your authenticator app').fill(next)
  await page.keyboard.press('Enter')
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
  expect(troubles()).toEqual([])
  await goTo(page, '/people')
  expect(await button(page, 'Invite a person').count()).toBe(0)
})

test('a wrong sign-in says so, is slowed down, and works with the keyboard alone', async () => {
  const { page, troubles } = await stranger('/people', 'de-DE')
  await page.getByRole('heading', { name: 'Anmelden' }).waitFor()
  expect(page.url()).toContain('#/sign-in?to=%2Fpeople')
  await page.getByLabel('Name').fill('nobody')
  await page.keyboard.press('Tab')
  await page.keyboard.type('wrong')
  for (let count = 0; count < 4; count++) {
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    await page
      .getByRole('button', { name: 'Anmelden' })
      .and(page.locator(':not([aria-busy])'))
      .waitFor()
  }
  await page.getByText('Zu viele Anfragen').waitFor()
  await look(page, artifacts, 'sign-in')

  await page.getByLabel('Name').fill(dashboard.person.name)
  await page.keyboard.press('Tab')
  await page.keyboard.type(dashboard.person.password)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Personen' }).waitFor()
  expect(troubles()).toEqual([])
})

test('an admin manages a person: sessions, role, link, removal', async () => {
  const { page, troubles } = await dashboard.open('/people', { locale: 'en-GB' })
  await settled(page)
  await look(page, artifacts, 'people')
  const manage = async (name: string, task: string) => {
    await page.getByRole('row', { name }).getByRole('button', { name: 'Manage' }).click()
    await button(page, task).click()
  }

  await manage('Linus', 'Sessions')
  await page.getByRole('dialog').getByText('Chrome on Linux').waitFor()
  await look(page, artifacts, 'people-sessions')
  await page.getByRole('dialog').getByRole('button', { name: 'End' }).click()
  await page.getByText('Nobody is signed in with this account.').waitFor()
  await page.keyboard.press('Escape')
  await manage('Linus', 'Make viewer')
  await page.getByRole('dialog').getByRole('button', { name: 'Make viewer' }).click()
  await page.getByRole('row', { name: 'Linus' }).getByText('Viewer').waitFor()
  await manage('Linus', 'New link')
  await page.getByRole('dialog').getByRole('button', { name: 'New link' }).click()
  await page.getByText('Pass it on safely').waitFor()
  await button(page, 'Done').click()
  await manage('Linus', 'Remove')
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await page.getByRole('row', { name: 'Linus' }).waitFor({ state: 'detached' })
  expect(troubles).toEqual([])
})

test('a person changes the password, which is asked for when it was given long ago', async () => {
  const { page, troubles } = await dashboard.open('/me', { locale: 'en-GB' })
  await settled(page)
  await button(page, 'Set up a second step').click()
  await page.locator('svg.qr').waitFor()
  await look(page, artifacts, 'me')
  await button(page, 'Cancel').click()
  await page.getByLabel('New password').fill(dashboard.person.name.repeat(2))
  await button(page, 'Change the password').click()
  await page.getByText('It must not hold your name.').waitFor()
  await page.getByLabel('New password').fill('another quite long one')
  forgetConfirmations()
  await button(page, 'Change the password').click()
  await page.getByText('Please confirm that it is you').waitFor()
  await look(page, artifacts, 'confirm')
  await page.getByLabel('Your password').fill(dashboard.person.password)
  await page.keyboard.press('Enter')
  await page.getByText('The password was changed.').waitFor()
  expect(troubles.filter((text) => !/status of (422|403)/.test(text))).toEqual([])
})

test('the command line lists people, and lets in who has lost the password', async () => {
  const { env } = dashboard
  const { stdout } = await run(['account', 'list'], env)
  expect(stdout).toContain('Ada Lovelace\tadmin\tno\t')
  expect(stdout).toContain('Grace Hopper\tviewer\tyes\t')
  const made = await run(['dashboard', 'link', '--account', 'grace hopper', '--json'], env)
  const { url } = JSON.parse(made.stdout) as { url: string }

  const { page } = await stranger(pathOf(url))
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
  expect(await page.getByLabel('Name').inputValue()).toBe('Grace Hopper')
  await page.getByLabel('New password').fill('the third long pass phrase')
  await button(page, 'Save and sign in').click()
  await page.getByRole('navigation', { name: 'Main' }).waitFor()

  const unknown = await run(['dashboard', 'link', '--account', 'Nobody'], env)
  expect([unknown.exitCode, unknown.stderr]).toEqual([
    1,
    expect.stringContaining('No such account'),
  ])
  expect((await run(['account', 'remove', 'Grace Hopper'], env)).stdout).toBe('removed\n')
  await page.reload()
  await page.getByLabel('Password').waitFor()
})

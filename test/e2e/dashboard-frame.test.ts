import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type Dashboard, goTo, settled, startDashboard } from './dashboard.ts'

setDefaultTimeout(120_000)

let dashboard: Dashboard
let app = ''

beforeAll(async () => {
  dashboard = await startDashboard()
  app = String((await dashboard.admin('POST', '/v1/apps', { name: 'Acme' })).json.id)
})
afterAll(async () => {
  await dashboard.close()
})

const english = { locale: 'en-GB', viewport: { width: 1280, height: 900 } }

test('a change of screen names it in the title and moves the focus to its heading', async () => {
  const { page, troubles } = await dashboard.open('/apps', english)
  await settled(page)
  expect(await page.title()).toBe('Apps · OtpMint')

  await page.getByRole('link', { name: 'My account' }).click()
  await page.getByRole('heading', { level: 1, name: 'My account' }).waitFor()
  expect(await page.title()).toBe('My account · OtpMint')
  expect(await page.evaluate('document.activeElement.tagName')).toBe('H1')
  const current = page.getByRole('navigation', { name: 'Main' }).locator('[aria-current=page]')
  expect(await current.allTextContents()).toEqual(['My account'])
  expect(troubles).toEqual([])
  await page.context().close()
})

test('what a screen reader gets of the list of apps: landmarks, a heading, a named table', async () => {
  const { page } = await dashboard.open('/apps', english)
  await settled(page)
  await page.getByRole('link', { name: 'Acme' }).waitFor()

  const tree = await page.locator('body').ariaSnapshot()
  for (const line of [
    '- button "Skip to content"',
    '- banner:',
    '- navigation "Main":',
    '- main:',
    '- heading "Apps" [level=1]',
    '- table "Apps":',
    '- columnheader "Name"',
    '- rowheader "Acme":',
  ]) {
    expect(tree).toContain(line)
  }
  await page.keyboard.press('Tab')
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content')
  await page.keyboard.press('Enter')
  expect(await page.evaluate('document.activeElement.id')).toBe('content')
  await page.context().close()
})

test('shortcuts lead to screens, not while somebody types, and can be switched off', async () => {
  const { page } = await dashboard.open('/me', english)
  await settled(page)
  const path = async () => (await page.evaluate('location.hash')) as string

  await page.keyboard.press('g')
  await page.keyboard.press('a')
  await page.getByRole('heading', { level: 1, name: 'Apps' }).waitFor()
  await page.keyboard.press('n')
  await page.getByLabel('Name', { exact: true }).waitFor()
  await page.keyboard.type('gan?')
  expect(await path()).toBe('#/apps/new')
  expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('gan?')

  await goTo(page, '/me')
  await page.getByRole('heading', { level: 1, name: 'My account' }).waitFor()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await page.getByLabel('Keyboard shortcuts with single keys').uncheck()
  await page.getByRole('heading', { level: 1 }).focus()
  await page.keyboard.press('?')
  await page.keyboard.press('n')
  await page.waitForTimeout(300)
  expect(await page.getByRole('dialog').count()).toBe(0)
  expect(await path()).toBe('#/me')
  await page.context().close()
})

test('where the password is needed again a dialog asks for it, and the call is made then', async () => {
  const { page } = await dashboard.open(`/apps/${app}/keys`, english)
  await settled(page)
  // The server says so ten minutes after a sign-in.
  await page.route(
    `**/v1/apps/${app}/keys`,
    (route) => route.fulfill({ status: 403, json: { code: 'confirmation_required', title: '' } }),
    { times: 2 },
  )
  const ask = page.getByRole('dialog', { name: 'Please confirm that it is you' })
  const make = page.getByRole('button', { name: 'Make key' })

  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByLabel('Inbound').check()
  await make.click()
  await ask.waitFor()
  await ask.getByRole('button', { name: 'Cancel' }).click()
  await page.getByText('Not done: your password was not confirmed.').waitFor()

  await make.click()
  await ask.getByLabel('Your password').fill('not the right password')
  await page.keyboard.press('Enter')
  await ask.getByRole('alert').waitFor()
  await ask.getByLabel('Your password').fill(dashboard.person.password)
  await page.keyboard.press('Enter')
  await page.getByText('This key is shown only now.').waitFor()
  await page.context().close()
})

test('a server that does not answer is said, and asked again when the reader wants it', async () => {
  const { page } = await dashboard.open('/me', english)
  await settled(page)
  await page.route('**/v1/apps?*', (route) => route.abort('connectionrefused'))

  await goTo(page, '/apps')
  await page.getByText('The server did not answer.').waitFor()
  await page.unroute('**/v1/apps?*')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('link', { name: 'Acme' }).waitFor()
  await page.context().close()
})

test('a page that is older than the server says that it must be loaded again', async () => {
  const { page } = await dashboard.open('/me', english)
  await settled(page)
  await page.route('**/ui/admin-screens-*.js', (route) => route.fulfill({ status: 404 }))

  await page.evaluate('location.hash = "#/apps"')
  await page.getByText('A part of this page could not be loaded.').waitFor()
  await page.unroute('**/ui/admin-screens-*.js')
  await page.getByRole('button', { name: 'Load the page again' }).click()
  await page.getByRole('link', { name: 'Acme' }).waitFor()
  await page.context().close()
})

test('an address that leads nowhere says so, whatever is in it', async () => {
  const { page, troubles } = await dashboard.open('/me', english)
  for (const path of ['/nowhere', '/apps/a/b/c/d', '//', '/<script>']) {
    await goTo(page, path)
    await page.getByText('There is no such page.').waitFor()
  }
  expect(troubles).toEqual([])
  await goTo(page, '/apps/%E0%A4%A')
  await page.getByRole('main').getByRole('alert').waitFor()
  await page.context().close()
})

test('a session that was ended elsewhere leads to the sign-in', async () => {
  const { page } = await dashboard.open('/apps', english)
  await settled(page)
  await page.context().clearCookies()

  await page.getByRole('link', { name: 'Acme' }).click()
  await page.waitForURL(/#\/sign-in\?to=/)
  expect(await page.getByRole('navigation').count()).toBe(0)
  expect(decodeURIComponent(new URL(page.url()).hash)).toBe(`#/sign-in?to=/apps/${app}`)
  await page.context().close()
})

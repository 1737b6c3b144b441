import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { eventually, killAll, scratch } from '../support/executable.ts'
import { faults, launch, visit } from './browser.ts'
import { wrongCode } from './client.ts'
import { type HostedApp, hostedApp } from './hosted-app.ts'

setDefaultTimeout(180_000)
const { folder, remove } = scratch()
let browser: Browser
let app: HostedApp

beforeAll(async () => {
  browser = await launch()
  app = await hostedApp({ folder })
})
afterAll(async () => {
  app.stop()
  await browser.close()
  await killAll()
  remove()
})

/** Opens a page, and leaves what the site of the app itself does out of its troubles. */
async function open(url: string, options: Parameters<Browser['newPage']>[0] = {}) {
  const { page, troubles } = await visit(browser, url, { locale: 'en', ...options })
  // Where there is a field it takes the focus, soon after the page has loaded.
  if ((await page.locator('#code').count()) > 0) await page.locator('#code:focus').waitFor()
  // A browser also writes down that a wrong code was answered with 422.
  const known = (each: string) => each.startsWith(app.site) || each.includes('status of 422')
  return { page, troubles: () => troubles.filter((each) => !known(each)) }
}

const english = { title: 'Enter your code', confirm: 'Confirm' }

test('a person types the code, which is sent by itself, and comes back to the app, which is told', async () => {
  const { id, pageUrl, code } = await app.begin()
  const { page, troubles } = await open(pageUrl)
  expect(page.url()).toBe(`${app.server.base}/verify/${id}`)
  const [cookie] = await page.context().cookies()
  expect(cookie).toMatchObject({
    ...{ name: `__Host-otpmint-${id}`, httpOnly: true, secure: true, sameSite: 'Lax', path: '/' },
  })

  // The field has the focus: nothing is clicked.
  await page.keyboard.type(code)
  await page.getByRole('heading', { name: 'You are approved' }).waitFor()

  expect(app.told.at(-1)).toMatchObject({ id, status: 'approved' })
  expect(troubles()).toEqual([])
  await page.close()
})

test('without JavaScript the same works, by keyboard alone', async () => {
  const { id, pageUrl, code } = await app.begin()
  const { page, troubles } = await open(pageUrl, { javaScriptEnabled: false })
  await page.keyboard.type(wrongCode(code))
  await page.keyboard.press('Enter')
  await page.getByRole('alert').waitFor()
  expect(await page.getByRole('alert').textContent()).toContain('Tries left: 4')
  await page.locator('#code:focus').waitFor()

  // A code as people write it down.
  await page.keyboard.type(`${code.slice(0, 3)} ${code.slice(3)}`)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'You are approved' }).waitFor()

  expect(app.told.at(-1)).toMatchObject({ id, status: 'approved' })
  expect(troubles()).toEqual([])
  await page.close()
})

test('a pasted code with hyphens is sent, and a wrong one is announced and not sent again', async () => {
  const { id, pageUrl, code } = await app.begin()
  const { page, troubles } = await open(pageUrl)
  const paste = (text: string) => page.keyboard.insertText(text)
  const wrong = wrongCode(code)
  await paste(`${wrong.slice(0, 3)}-${wrong.slice(3)}`)
  await page.getByRole('alert').waitFor()

  const field = page.getByLabel('Code', { exact: true })
  expect(await field.getAttribute('aria-invalid')).toBe('true')
  const described = (await field.getAttribute('aria-describedby')) ?? ''
  const texts = await Promise.all(described.split(' ').map((each) => page.textContent(`#${each}`)))
  expect(texts.join(' ')).toBe(
    'This is not the right code. Tries left: 4 Characters of the code: 6',
  )
  expect(await page.evaluate('document.activeElement.id')).toBe('code')
  expect(await app.state(id)).toMatchObject({ status: 'pending', attempts_left: 4 })
  // Arabic digits, as a keyboard of that language has them.
  await paste([...code].map((digit) => String.fromCodePoint(0x0660 + Number(digit))).join(''))
  await page.getByRole('heading', { name: 'You are approved' }).waitFor()
  expect(troubles()).toEqual([])
  await page.close()
})

test('the time until a resend counts down, then the button is on, and the code comes again', async () => {
  const { id, pageUrl } = await app.begin()
  const { page, troubles } = await open(pageUrl)
  const again = page.getByRole('button', { name: 'Send the code again' })
  expect(await again.isDisabled()).toBe(true)
  const first = await page.locator('#wait').textContent()
  await eventually(async () => (await page.locator('#wait').textContent()) !== first)
  // Nothing is read out while it counts.
  expect(await page.locator('#wait').getAttribute('aria-live')).toBeNull()
  await page.locator('#wait').waitFor({ state: 'detached' })
  expect(await page.locator('#ready').textContent()).toBe('Send the code again')
  await again.press('Enter')
  await page.getByRole('status').filter({ hasText: 'The code was sent again.' }).waitFor()

  const { deliveries = [] } = await app.state(id)
  expect(deliveries).toHaveLength(2)
  expect(troubles()).toEqual([])
  await page.close()
})

test('a link with the code fills the field in the browser that has the page, and asks for a press', async () => {
  const { id, pageUrl, code } = await app.begin()
  const { page, troubles } = await open(pageUrl)
  await page.goto('about:blank')
  await page.goto(`${app.server.base}/verify/${id}#${code}`)

  expect(await page.getByLabel('Code', { exact: true }).inputValue()).toBe(code)
  expect(await page.getByRole('status').first().textContent()).toContain('Confirm it')
  expect(page.url()).not.toContain(code)
  expect(await app.state(id)).toMatchObject({ status: 'pending', attempts_left: 5 })
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'You are approved' }).waitFor()
  expect(troubles()).toEqual([])
  await page.close()
})

test('in any other browser such a link shows the code to type, and approves nothing', async () => {
  const { id, code } = await app.begin()
  const { page, troubles } = await open(`${app.server.base}/verify/${id}#${code}`)

  expect(await page.locator('output').textContent()).toBe(code)
  expect(await page.locator('form').count()).toBe(0)
  expect(await app.state(id)).toMatchObject({ status: 'pending', attempts_left: 5 })
  expect(await faults(page)).toEqual([])
  expect(troubles()).toEqual([])
  await page.close()
  const script = await open(`${app.server.base}/verify/${id}#<img/src/onerror=alert(1)>`)
  expect(await script.page.locator('output').isHidden()).toBe(true)
  expect(script.troubles()).toEqual([])
  await script.page.close()
})

test('the wrong address leads back, and the back button finds a page that has ended', async () => {
  const { id, pageUrl } = await app.begin()
  const { page, troubles } = await open(pageUrl)
  await page.getByRole('button', { name: 'This is not my address' }).click()
  await page.getByRole('heading', { name: 'You are canceled' }).waitFor()
  expect(await app.state(id)).toMatchObject({ status: 'canceled' })

  await page.goto(`${app.server.base}/verify/${id}`)
  await page.getByRole('heading', { name: 'This code is not valid any more.' }).waitFor()
  expect(await page.locator('form').count()).toBe(0)
  expect(await faults(page)).toEqual([])
  expect(troubles()).toEqual([])
  await page.close()
})

test('a screen reader is told what the page is, what to type, and what the buttons do', async () => {
  const { pageUrl } = await app.begin()
  const { page } = await open(pageUrl)
  const tree = await page.locator('body').ariaSnapshot()

  expect(tree).toContain(`- heading "${english.title}" [level=1]`)
  expect(tree).toContain('- textbox "Code"')
  for (const name of [english.confirm, 'Send the code again', 'This is not my address']) {
    expect(tree).toContain(`- button "${name}"`)
  }
  await page.close()
})

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { eventually, killAll, scratch } from '../support/executable.ts'
import { faults, launch, visit } from './browser.ts'
import { call, wrongCode } from './client.ts'
import { type HostedApp, hostedApp } from './hosted-app.ts'

setDefaultTimeout(90_000)
const { folder, remove } = scratch()
const program = join(import.meta.dir, '../../examples/form/server.ts')
let browser: Browser
let app: HostedApp
let example: Bun.Subprocess<'ignore', 'pipe', 'inherit'>
let url = ''

beforeAll(async () => {
  browser = await launch()
  const env = {
    OTPMINT_GUESS_BUDGET_PER_DAY: '6',
    OTPMINT_ATTEMPTS_MAX: '3',
    OTPMINT_LIMIT_RECIPIENT_SPACING_SECONDS: '1',
  }
  app = await hostedApp({ folder, env })
  example = Bun.spawn([process.execPath, program], {
    env: { OTPMINT_URL: app.server.base, OTPMINT_KEY: app.testKey, PORT: '0' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const output = example.stdout.getReader()
  let printed = ''
  while (!printed.includes('\n')) {
    printed += new TextDecoder().decode((await output.read()).value)
  }
  url = printed.trim()
})
afterAll(async () => {
  example.kill()
  app.stop()
  await browser.close()
  await killAll()
  remove()
})

async function sentTo(to: string): Promise<string> {
  let code = ''
  await eventually(async () => {
    const { json } = await call(`${app.server.base}/dev/inbox.json`)
    code = json.items?.find((item) => item.to === to)?.code ?? ''
    return code !== ''
  })
  return code
}

test('the example signs a person in, and says what is wrong on the way', async () => {
  const { page, troubles } = await visit(browser, url)
  await page.getByLabel('E-mail').fill('ada@example.com')
  await page.getByRole('button', { name: 'Send a code' }).click()
  const field = page.getByLabel('Code')
  await field.waitFor()
  const code = await sentTo('ada@example.com')
  const alert = async () => page.getByRole('alert').textContent()
  expect(await faults(page)).toEqual([])

  await field.fill('12')
  await page.getByRole('button', { name: 'Confirm' }).click()
  expect(await alert()).toContain('too short')
  await field.fill(wrongCode(code))
  await field.press('Enter')
  expect(await alert()).toBe('This is not the right code. Tries left: 2')
  await page.getByRole('button', { name: 'Send again' }).click()
  expect(await alert()).toMatch(/^Please wait [1-5] seconds\.$/)
  await field.fill(code)
  await field.press('Enter')
  await page.getByText('You are signed in.').waitFor()
  expect(troubles).toEqual([])
  await page.close()
})

test('the example takes the long code of a recipient whose guess budget is spent', async () => {
  const to = 'grace@example.com'
  const token = { token: app.testKey }
  const start = async () => {
    let id: string | undefined
    // One a second for a recipient.
    await eventually(async () => {
      id = (await call(`${app.server.base}/v1/verifications`, { to }, token)).json.id
      return id !== undefined
    })
    return id
  }
  for (let round = 0; round < 2; round++) {
    const path = `${app.server.base}/v1/verifications/${await start()}/check`
    for (let time = 0; time < 3; time++) await call(path, { code: '000000' }, token)
  }
  const { page } = await visit(browser, url)
  const field = page.getByLabel('Code')
  await eventually(async () => {
    await page.getByLabel('E-mail').fill(to)
    await page.getByRole('button', { name: 'Send a code' }).click()
    return (await field.count()) > 0
  })
  expect(await field.getAttribute('inputmode')).toBe('text')
  const code = await sentTo(to)
  expect(code).toMatch(/^[0-9A-Z]{13}$/)
  await field.fill(code.toLowerCase())
  await field.press('Enter')
  await page.getByText('You are signed in.').waitFor()
  await page.close()
})

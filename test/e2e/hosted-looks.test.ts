import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { languages } from '../../src/domain/language.ts'
import { builtIn } from '../../src/messages/languages.ts'
import { pageWords } from '../../src/messages/page-words.ts'
import { killAll, scratch } from '../support/executable.ts'
import { faults, launch, look, overflow, picture, visit, watch } from './browser.ts'
import { call, wrongCode } from './client.ts'
import { type HostedApp, hostedApp } from './hosted-app.ts'

setDefaultTimeout(240_000)
const { folder, remove } = scratch()
const pictures = join(import.meta.dir, '../../test-artifacts/hosted-looks')
let browser: Browser
let app: HostedApp

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  browser = await launch()
  app = await hostedApp({ folder, policy: () => ({ page_link: true, report_link: true }) })
})
afterAll(async () => {
  app.stop()
  await browser.close()
  await killAll()
  remove()
})

test('the page fits on a narrow screen in every language of the messages', async () => {
  const page = await browser.newPage({ viewport: { width: 320, height: 700 } })
  const troubles = watch(page, app.server.base)
  for (const locale of languages) {
    const { pageUrl } = await app.begin({ locale })
    await page.goto(pageUrl)
    expect([locale, await page.locator('h1').textContent()]).toEqual([
      locale,
      pageWords[locale].title,
    ])
    const { lang, dir } = (await page.evaluate(
      '({ lang: document.documentElement.lang, dir: document.documentElement.dir })',
    )) as { lang: string; dir: string }
    expect([lang, dir]).toEqual([locale, builtIn[locale].direction ?? 'ltr'])
    expect([locale, await overflow(page), troubles]).toEqual([locale, 0, []])
    await picture(page, join(pictures, `form-${locale}.png`))
  }
  await page.close()
})

const states: [name: string, locale: string, reach: (page: Page, code: string) => Promise<void>][] =
  [
    ['form', 'en', async () => {}],
    ['form-de', 'de', async () => {}],
    ['form-ar', 'ar', async () => {}],
    [
      'wrong',
      'en',
      async (page, code) => {
        await page.keyboard.insertText(wrongCode(code))
        await page.getByRole('alert').waitFor()
      },
    ],
  ]

test.each(states)(
  'the page fits from 320 px on, light and dark, without faults: %s',
  async (name, locale, reach) => {
    const { pageUrl, code } = await app.begin({ locale })
    const { page, troubles } = await visit(browser, pageUrl)
    await page.locator('#code:focus').waitFor()
    await reach(page, code)
    await look(page, pictures, name)
    const dir = await page.evaluate('document.documentElement.dir')
    expect(dir).toBe(locale === 'ar' ? 'rtl' : 'ltr')
    // A browser also writes down that a wrong code was answered with 422.
    expect(troubles.filter((each) => !each.includes('status of 422'))).toEqual([])
    await page.close()
  },
)

/** A picture of one colour, as a PNG in base64. */
async function logoOf160(): Promise<string> {
  const { page } = await visit(browser, 'about:blank')
  const url = await page.evaluate(`(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 48 })
    const context = canvas.getContext('2d')
    context.fillStyle = '#b00020'
    context.fillRect(0, 0, 160, 48)
    return canvas.toDataURL('image/png')
  })()`)
  await page.close()
  return String(url).split(',')[1] ?? ''
}

test('the page has the colour and the logo of the app, in light and dark', async () => {
  const brand = { color: '#ffd400', logo: await logoOf160() }
  const path = `${app.server.base}/v1/apps/${app.appId}/brand`
  const set = await call(path, brand, { method: 'PATCH', token: app.admin })
  expect(set.status).toBe(200)
  for (const colorScheme of ['light', 'dark'] as const) {
    const { pageUrl } = await app.begin({ locale: 'en' })
    const { page, troubles } = await visit(browser, pageUrl, { colorScheme })
    const style = await page.evaluate(`(() => {
      const { backgroundColor, color } = getComputedStyle(document.querySelector('#check button'))
      return [backgroundColor, color]
    })()`)
    expect(style).toEqual(['rgb(255, 212, 0)', 'rgb(0, 0, 0)'])
    await page.getByRole('img', { name: 'Acme' }).waitFor()
    const width = await page.evaluate("document.querySelector('img').naturalWidth")
    expect(width).toBe(160)
    expect(await faults(page)).toEqual([])
    expect(troubles).toEqual([])
    await page.screenshot({ path: join(pictures, `brand-${colorScheme}.png`) })
    await page.close()
  }
})

test('the links of a message lead to the page and to its report, which one press makes, without JavaScript', async () => {
  const { id, code } = await app.begin({ locale: 'en' })
  const inbox = await call(`${app.server.base}/dev/inbox.json`)
  const items = (inbox.json.items ?? []) as unknown as { code: string; text: string }[]
  const text = items.find((item) => item.code === code)?.text ?? ''
  const [link = '', report = ''] = text.match(/http:\S+\/verify\/\S+/g) ?? []
  expect(link).toBe(`${app.server.base}/verify/${id}#${code}`)

  const { page, troubles } = await visit(browser, report, {
    ...{ javaScriptEnabled: false, colorScheme: 'dark', locale: 'en' },
    viewport: { width: 320, height: 600 },
  })
  expect(await page.locator('h1').textContent()).toBe('Was this not you?')
  await page.screenshot({ path: join(pictures, 'report-320.png') })
  expect(await app.state(id)).toMatchObject({ status: 'pending' })
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText('Thank you. It was reported.').waitFor()
  expect(await app.state(id)).toMatchObject({ status: 'canceled' })
  expect(troubles).toEqual([])
  await page.close()
  const again = await visit(browser, report, { locale: 'en' })
  expect([await faults(again.page), again.troubles]).toEqual([[], []])
  await again.page.close()
})

test('a second browser that gets the link later does not get the page', async () => {
  const { id, pageUrl } = await app.begin({ locale: 'en' })
  const first = await visit(browser, pageUrl)
  const second = await visit(browser, pageUrl, { locale: 'en' })

  expect(await second.page.locator('form').count()).toBe(0)
  expect(await second.page.textContent('#says')).toContain('This link is not valid any more.')
  expect(await faults(second.page)).toEqual([])
  await second.page.goto(`${app.server.base}/verify/${id}`)
  expect(await second.page.locator('form').count()).toBe(0)
  await first.page.reload()
  expect(await first.page.getByRole('button', { name: 'Confirm' }).count()).toBe(1)
  await first.page.close()
  await second.page.close()
})

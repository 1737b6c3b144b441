import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { languages } from '../../src/domain/language.ts'
import { renderMessage } from '../../src/messages/render.ts'
import { appWith, handoverOf, messageOf } from '../channels/mail-fixtures.ts'

setDefaultTimeout(120_000)
const axe = await Bun.file(Bun.resolveSync('axe-core/axe.min.js', import.meta.dir)).text()
let browser: Browser

beforeAll(async () => {
  const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync']
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args })
})
afterAll(() => browser.close())

const html = (locale: string, parts: Parameters<typeof appWith>[0] = {}, code = '568464') =>
  renderMessage(messageOf(handoverOf(appWith(parts), { locale, code }))).html

async function openPage(colorScheme: 'light' | 'dark') {
  const page = await browser.newPage({ colorScheme, viewport: { width: 320, height: 640 } })
  const requests: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  return { page, requests }
}

/** The rules of axe that the page violates. */
async function faults(page: Page): Promise<string[]> {
  return (await page.evaluate(`(async () => {
    ${axe}
    const { violations } = await window.axe.run()
    return violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).join())
  })()`)) as string[]
}

/** How far content reaches beyond the window, in px. */
const overflow = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth - window.innerWidth') as Promise<number>

test.each(['light', 'dark'] as const)(
  'in a %s browser of 320 px the message of every language fits, and axe has nothing to say',
  async (scheme) => {
    const { page, requests } = await openPage(scheme)
    for (const language of languages) {
      await page.setContent(html(language))
      expect([language, await faults(page)]).toEqual([language, []])
      expect([language, await overflow(page)]).toEqual([language, 0])
    }
    expect(requests).toEqual([])
    await page.close()
  },
)

test('a name of 64 letters and a code of 13 fit into 320 px', async () => {
  const { page } = await openPage('light')
  for (const language of ['en', 'ar', 'ja']) {
    await page.setContent(html(language, { name: 'W'.repeat(64) }, 'WWMWQWMWWMWQ9'))
    expect([language, await overflow(page)]).toEqual([language, 0])
  }
  await page.close()
})

test('selecting the code selects its digits only, in both directions', async () => {
  const { page } = await openPage('light')
  for (const language of ['en', 'ar', 'he', 'zh-Hans']) {
    await page.setContent(html(language))
    await page.dblclick('text=568464')
    expect(String(await page.evaluate('String(getSelection())')).trim()).toBe('568464')
  }
  await page.close()
})

test('the words of a message follow the direction of its language, and the code does not', async () => {
  const { page } = await openPage('light')
  for (const [language, direction] of [
    ['he', 'rtl'],
    ['de', 'ltr'],
  ] as const) {
    await page.setContent(html(language))
    const directionOf = (selector: string) =>
      page.evaluate(`getComputedStyle(document.querySelector('${selector}')).direction`)
    expect(await directionOf('h1')).toBe(direction)
    expect(await directionOf('p')).toBe('ltr')
    expect(await directionOf('.quiet')).toBe(direction)
  }
  await page.close()
})

import { expect } from 'bun:test'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const root = join(import.meta.dir, '../..')
const axe = await Bun.file(Bun.resolveSync('axe-core/axe.min.js', import.meta.dir)).text()
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync']

/** A Chromium for the tests of one file, with further flags. */
export function launch(more: string[] = []): Promise<Browser> {
  const common = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', ...quiet]
  const args = [...common, ...more]
  return chromium.launch({ executablePath: '/usr/bin/chromium', args })
}

export type Visit = {
  page: Page
  /** Errors, violations of the page's policy, and requests to other hosts. */
  troubles: string[]
}

/** Opens a page in a context of its own, with cookies of its own. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const page = await browser.newPage(options)
  const troubles = watch(page, new URL(url).origin)
  await page.goto(url)
  return { page, troubles }
}

/** Collects what goes wrong in a page from now on. */
export function watch(page: Page, origin: string): string[] {
  const troubles: string[] = []
  page.on('console', (message) => {
    const { url } = message.location()
    if (message.type() === 'error') troubles.push(`${message.text()} (${url})`)
  })
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(`${origin}/`) && !/^(data|blob|about):/.test(url)) troubles.push(url)
  })
  return troubles
}

/**
 * The rules of axe that the page violates, each with the first element that does; only those named,
 * where some are.
 */
export async function faults(page: Page, rules: string[] = []): Promise<string[]> {
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(axe)
  // Frames are not looked into: axe would wait for each to answer.
  const options = { iframes: false, ...(rules.length > 0 && { runOnly: rules }) }
  const found = await page.evaluate(`(async () => {
    const { violations } = await window.axe.run(${JSON.stringify(options)})
    return violations.map(({ id, nodes }) => id + ' ' + nodes[0].html.slice(0, 200))
  })()`)
  return found as string[]
}

const widths = [320, 768, 1440]
/** What may differ between light and dark: the document is the same, and so is its layout. */
const rulesOfColours = ['color-contrast', 'link-in-text-block']

/**
 * Looks at a page at three widths, light and dark: nothing is wider than the window, axe finds
 * nothing, and a picture of each is kept in `folder`. Violations are named with where they are.
 */
export async function look(page: Page, folder: string, name: string): Promise<void> {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const at = `${name}-${width}-${colorScheme}`
      const rules = colorScheme === 'light' ? [] : rulesOfColours
      expect([at, await overflow(page), await faults(page, rules)]).toEqual([at, 0, []])
      await picture(page, join(folder, `${at}.png`))
    }
  }
}

/** Keeps a picture of the whole page, packed quickly rather than well: there are hundreds. */
export async function picture(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const { cssContentSize } = await session.send('Page.getLayoutMetrics')
  const { data } = await session.send('Page.captureScreenshot', {
    ...{ format: 'png', optimizeForSpeed: true, captureBeyondViewport: true },
    clip: { ...cssContentSize, scale: 1 },
  })
  await session.detach()
  await Bun.write(path, Buffer.from(data, 'base64'))
}

/** How many pixels a page is wider than its window. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  )
}

/** Takes what is seen as a picture of the README: a person copies it to docs/ when it has changed. */
export async function pictureForReadme(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(root, 'test-artifacts/readme', `${name}.png`) })
}

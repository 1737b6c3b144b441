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
    if (message.type() === 'error') troubles.push(message.text())
  })
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(`${origin}/`) && !/^(data|blob|about):/.test(url)) troubles.push(url)
  })
  return troubles
}

/** The rules of axe that the page violates, each with the first element that does. */
export async function faults(page: Page): Promise<string[]> {
  const found = await page.evaluate(`(async () => {
    ${axe}
    const { violations } = await window.axe.run()
    return violations.map(({ id, nodes }) => id + ' ' + nodes[0].html.slice(0, 200))
  })()`)
  return found as string[]
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

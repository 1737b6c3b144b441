import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { type Environment, run, type Server, scratch, start } from '../support/executable.ts'
import { launch, type Visit, watch } from './browser.ts'
import { type Answer, adminToken, call } from './client.ts'

/** A server with its dashboard, a browser, and a person who is signed in. */
export type Dashboard = {
  server: Server
  browser: Browser
  env: Environment
  person: { name: string; password: string }
  /** The admin token. */
  token: string
  /** Calls the API with the admin token; throws where it refuses. */
  admin(method: string, path: string, body?: unknown): Promise<Answer>
  /** Opens a screen as that person, in a context of its own. */
  open(path: string, options?: BrowserContextOptions): Promise<Visit>
  close(): Promise<void>
}

const person = { name: 'Ada Lovelace', password: 'a long enough password' }

/** `options` are those of `start`: a command to run the server through, for one. */
export async function startDashboard(
  settings: Environment = {},
  options: Parameters<typeof start>[2] = {},
): Promise<Dashboard> {
  const { folder, remove } = scratch()
  const dataDir = join(folder, 'data')
  const env = { OTPMINT_DATA_DIR: dataDir, ...settings }
  const server = await start(['serve'], env, options)
  const browser = await launch()
  const cookie = await signedIn(server, env)
  const token = adminToken(dataDir)
  return {
    ...{ server, browser, env, person, token },
    async admin(method, path, body) {
      const answer = await call(`${server.base}${path}`, body, { method, token })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`)
      return answer
    },
    async open(path, options = {}) {
      const context = await browser.newContext(options)
      await context.addCookies([cookie])
      const page = await context.newPage()
      const troubles = watch(page, server.dashboardUrl())
      await page.goto(`${server.dashboardUrl()}/#${path}`)
      return { page, troubles }
    },
    async close() {
      await browser.close()
      await server.kill()
      remove()
    },
  }
}

/** The link that the command prints. */
export async function dashboardLink(env: Environment): Promise<string> {
  const { stdout, stderr } = await run(['dashboard', 'link'], env)
  const link = /^http\S+$/m.exec(stdout)?.[0]
  if (link === undefined) throw new Error(`no link was printed:\n${stdout}${stderr}`)
  return link
}

/** Accepts a link as the browser would; answers the cookie of the session. */
async function signedIn(server: Server, env: Environment) {
  const link = await dashboardLink(env)
  const origin = server.dashboardUrl()
  const body = { token: link.slice(link.lastIndexOf('/') + 1), ...person }
  const { status, text, headers } = await call(`${origin}/session/accept`, body, {
    headers: { origin },
  })
  if (status !== 201) throw new Error(`the link was refused: ${text}`)
  const [name = '', value = ''] = (headers.get('set-cookie') ?? '').split(';')[0]?.split('=') ?? []
  return { name, value, url: origin }
}

/** Goes to another screen and waits until what it loads is there. */
export async function goTo(page: Page, path: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#${path}`)}`)
  await settled(page)
}

/** Waits until the screen is drawn and nothing of it is still loading. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor()
  // The page's policy forbids what `waitForFunction` does.
  await page.locator('.loading').first().waitFor({ state: 'detached' })
}

import { join } from 'node:path'
import { type Server, start } from '../support/executable.ts'
import { adminToken, call, createApp, type Json } from './client.ts'

/** An app's own site, to which browsers come back, and the server with the hosted pages. */
export type HostedApp = {
  server: Server
  appId: string
  admin: string
  testKey: string
  /** The address of the app's site. */
  site: string
  /** Starts a verification with a page; with its code, read from the inbox. */
  begin(body?: Record<string, unknown>): Promise<{ id: string; pageUrl: string; code: string }>
  state(id: string): Promise<Json>
  /** What the app was told, the newest last. */
  told: Json[]
  stop(): void
}

type Options = {
  folder: string
  policy?(origin: string): Record<string, unknown>
  /** What the site shows besides the page of the return. */
  pages?(path: string, server: string): { type: string; body: string; policy?: string } | null
  env?: Record<string, string>
}

export async function hostedApp({ folder, policy, pages, env = {} }: Options): Promise<HostedApp> {
  const dataDir = join(folder, 'data')
  const server = await start(['serve'], {
    ...{ OTPMINT_DATA_DIR: dataDir, OTPMINT_DEVELOPER_MODE: 'true' },
    ...{ OTPMINT_LIMIT_PAGE_CHECKS_PER_TEN_MINUTES: '10000', OTPMINT_RESEND_AFTER_SECONDS: '5' },
    ...env,
  })
  const told: Json[] = []
  const site = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      const result = searchParams.get('otpmint_result')
      if (pathname === '/done' && result !== null) {
        const { json } = await call(`${server.base}/v1/results`, { result }, { token: testKey })
        told.push(json)
        const words = `<!doctype html><title>App</title><link rel=icon href=data:,><h1>You are ${json.status}</h1>`
        return new Response(words, { headers: { 'content-type': 'text/html' } })
      }
      const page = pages?.(pathname, server.base)
      if (!page) return new Response('', { status: 404 })
      const { type, body, policy: csp } = page
      const headers = { 'content-type': type, ...(csp && { 'content-security-policy': csp }) }
      return new Response(body, { headers })
    },
  })
  const origin = `http://127.0.0.1:${site.port}`
  const admin = adminToken(dataDir)
  const created = await createApp(server, admin, {
    port: 25,
    policy: { return_urls: [`${origin}/done`], ...policy?.(origin) },
  })
  const { testKey } = created

  return {
    ...{ server, admin, testKey, told, site: origin, appId: created.id },
    async begin(body = {}) {
      const to = `${crypto.randomUUID()}@example.com`
      const asked = { to, return_url: `${origin}/done`, ...body }
      const headers = { prefer: 'wait=5' }
      const { json, text } = await call(`${server.base}/v1/verifications`, asked, {
        token: testKey,
        headers,
      })
      if (json.id === undefined) throw new Error(text)
      const inbox = await call(`${server.base}/dev/inbox.json`)
      const items = (inbox.json.items ?? []) as { code: string; reference?: string }[]
      const sent = items.find(({ reference }) => reference === json['reference'])
      return { id: json.id, pageUrl: String(json['page_url']), code: sent?.code ?? '' }
    },
    state: async (id) => {
      return (await call(`${server.base}/v1/verifications/${id}`, undefined, { token: testKey }))
        .json
    },
    stop: () => void site.stop(true),
  }
}

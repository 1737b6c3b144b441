import { expect, setDefaultTimeout, test } from 'bun:test'
import { board, origin } from './dashboard/fixture.ts'
import { adminToken, site } from './fixture.ts'

setDefaultTimeout(120_000)

/** Headers of every answer of both listeners, whatever it is. */
const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
}
/** Headers that depend on the answer, with all that they may be. */
const kinds: Record<string, RegExp> = {
  'x-request-id': /^[\w-]{16}$/,
  'cross-origin-resource-policy': /^(same-origin|cross-origin)$/,
  'cache-control': /^(no-store|no-cache|public, max-age=(300|3600|31536000, immutable))$/,
  'content-security-policy': /^(sandbox [a-z -]+; )?default-src 'none';/,
}
const frames = /frame-ancestors ('none'|'self')/

/** What pages of other origins may read: it is the same for everybody. */
const forEverybody = ['GET /otpmint.js', 'GET /otpmint.d.ts']

type Served = { method: string; path: string }

async function sweep(
  routes: Served[],
  ask: (method: string, path: string) => Promise<{ headers: Headers }>,
) {
  expect(routes.length).toBeGreaterThan(20)
  for (const { method, path } of routes) {
    if (path.endsWith('/live')) continue
    const { headers } = await ask(method, path.replace(/:[a-z_]+/g, 'x'))
    const about = `${method} ${path}`
    for (const [name, value] of Object.entries(always)) {
      expect([about, name, headers.get(name)]).toEqual([about, name, value])
    }
    for (const [name, pattern] of Object.entries(kinds)) {
      const value = headers.get(name) ?? '(none)'
      expect([about, name, value, pattern.test(value)]).toEqual([about, name, value, true])
    }
    const policy = headers.get('content-security-policy') ?? ''
    expect([about, frames.test(policy)]).toEqual([about, true])
    expect([about, /unsafe-(inline|eval)|\*/.test(scripts(policy))]).toEqual([about, false])
    const readers = forEverybody.includes(about) ? '*' : null
    expect([about, headers.get('access-control-allow-origin')]).toEqual([about, readers])
    expect([about, headers.get('server')]).toEqual([about, null])
  }
}

/** What a policy says of scripts, or else of everything. */
function scripts(policy: string): string {
  const rules = policy.split(';').map((rule) => rule.trim())
  const found = (name: string) => rules.find((rule) => rule.startsWith(`${name} `))
  return found('script-src') ?? found('default-src') ?? '*'
}

const nothing: Served[] = [
  { method: 'GET', path: '/nothing' },
  { method: 'POST', path: '/v1/nothing' },
  { method: 'DELETE', path: '/' },
]

test('every route of the main listener answers with the same protective headers', async () => {
  const at = await site({ http: { developerMode: true } })
  const routes = [...at.server.routes, ...nothing]

  await sweep(routes, (method, path) => at.call(method, path, { token: null }))
  await sweep(routes, (method, path) => at.call(method, path, { token: adminToken }))
})

test('every route of the dashboard answers with them too, with a session and without', async () => {
  const at = await board()
  const routes = [...at.dashboard.routes, ...nothing]
  const [stranger, ada] = [at.browser(), await at.signedIn()]

  await sweep(routes, (method, path) => stranger.call(method, path))
  await sweep(routes, async (method, path) => {
    const isEnd = method === 'DELETE' && path === '/session'
    return isEnd ? stranger.call(method, path) : ada.call(method, path)
  })
})

test('a stream has exactly these headers on both listeners, and a refused one has no event', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const cookie = [...ada.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const ask = { accept: 'text/event-stream' }
  const host = '127.0.0.1:5001'
  const main = (headers: Record<string, string>) =>
    at.server.handle(new Request('http://localhost/v1/live', { headers: { ...ask, ...headers } }))
  const dash = (headers: Record<string, string>) =>
    at.dashboard.handle(new Request(`${origin}/v1/live`, { headers: { ...ask, host, ...headers } }))

  const opened = [await main({ authorization: `Bearer ${adminToken}` }), await dash({ cookie })]
  const refused = [
    await main({}),
    await dash({}),
    await dash({ authorization: `Bearer ${adminToken}` }),
  ]

  for (const { status, headers, body } of opened) {
    expect([status, Object.fromEntries(headers)]).toEqual([
      200,
      {
        ...always,
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'x-request-id': expect.stringMatching(/^[\w-]{16}$/),
      },
    ])
    await body?.cancel()
  }
  for (const answer of refused) {
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      ...[401, 'application/problem+json'],
    ])
    for (const [name, value] of Object.entries(always)) expect(answer.headers.get(name)).toBe(value)
  }
})

test('a bug, a foreign page and a foreign host are answered with them too', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const { accounts } = at.ports
  const list = accounts.list
  accounts.list = () => Promise.reject(new Error('a bug'))
  const bug = await ada.call('GET', '/v1/accounts')
  accounts.list = list
  const page = await ada.call('POST', '/session', { headers: { 'sec-fetch-site': 'cross-site' } })
  const host = await ada.call('GET', '/', { headers: { host: 'evil.example.com' } })

  expect([bug, page, host].map(({ status }) => status)).toEqual([500, 403, 421])
  for (const { headers } of [bug, page, host]) {
    for (const [name, value] of Object.entries(always)) expect(headers.get(name)).toBe(value)
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  }
})

test('the listener answers no preflight of another origin', async () => {
  const at = await board()
  const request = new Request(`${origin}/v1/apps`, {
    method: 'OPTIONS',
    headers: { host: '127.0.0.1:5001', origin: 'https://evil.example.com' },
  })
  const { status, headers } = await at.dashboard.handle(request)

  expect(status).toBeGreaterThanOrEqual(400)
  expect(headers.get('access-control-allow-origin')).toBe(null)
})

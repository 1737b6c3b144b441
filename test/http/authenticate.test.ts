import { expect, test } from 'bun:test'
import { createGoodRecords } from '../../src/http/core/credential-limit.ts'
import { addBot, otherToken } from '../support/telegram.ts'
import { addApp, strangeKey } from '../support/world.ts'
import { adminToken, type CallOptions, operations, type Site, site } from './fixture.ts'

const pages = [
  '/otpmint.d.ts',
  '/otpmint.js',
  '/verify/:id',
  '/verify/:id',
  '/verify/:id/:secret',
  '/verify/:id/report/:secret',
  '/verify/:id/report/:secret',
  '/verify/page.css',
  '/verify/page.js',
]
const open = [
  '/',
  '/.well-known/jwks.json',
  '/healthz',
  '/otp',
  '/readyz',
  '/reg_secretkey',
  '/start.css',
  '/verify-otp',
  ...pages,
]

test('every route of /v1 answers 401 first, whatever was sent', async () => {
  const at = await site()
  const routes = at.server.routes.filter(({ path }) => path.startsWith('/v1/'))
  const described = operations.filter(([name]) => name.includes('/v1/'))
  expect(described.length).toBeGreaterThan(20)

  for (const [name] of described) {
    const [method = '', path = ''] = name.split(' ')
    const place = path.replace(/\{[a-z_]+\}/g, 'x')
    const raw = method === 'POST' || method === 'PATCH' ? '{"not json' : undefined
    const answer = await at.call(method, `${place}?wrong=1`, {
      token: null,
      ...(raw && { raw, headers: { 'content-type': 'text/plain' } }),
    })
    expect([name, answer.status]).toEqual([name, 401])
    // The credential of a gateway is its signature, whose refusal has no body.
    const isSigned = path.startsWith('/v1/inbound/{')
    expect([name, answer.json?.code]).toEqual([name, isSigned ? undefined : 'unauthorized'])
    const scheme = isSigned ? 'Signature' : 'Bearer'
    expect([name, answer.headers.get('www-authenticate')]).toEqual([name, scheme])
  }
  expect(routes.length).toBeGreaterThanOrEqual(described.length)
})

test('only these routes and pages outside of /v1 answer without a key', async () => {
  const at = await site()
  const paths = at.server.routes.map(({ path }) => path).filter((path) => !path.startsWith('/v1/'))
  const shadows = ['/verify/page.css', '/verify/page.js']
  const shown = paths.filter((path) => !path.startsWith('/swagger'))
  expect(shown.sort()).toEqual([...open, ...shadows].sort())
})

test('no route accepts a credential of another kind, app or mode', async () => {
  const at = await site()
  const admin = (method: string, path: string, options: CallOptions = {}) =>
    at.call(method, path, { token: adminToken, ...options })
  const { app, id, endpoint, key, recipient, webhook } = await furnished(at)
  const other = await addApp(at, { name: 'Other' })
  await addBot(at, other.app, { token: otherToken })
  const revoked = await admin('POST', `/v1/apps/${other.app.id}/keys`, { body: { mode: 'live' } })
  await admin('DELETE', `/v1/apps/${other.app.id}/keys/${revoked.json.id}`)
  const inbound = await admin('POST', `/v1/apps/${app}/keys`, { body: { mode: 'inbound' } })
  const deleted = await addApp(at, { name: 'Deleted' })
  await admin('DELETE', `/v1/apps/${deleted.app.id}`)
  const before = await Promise.all([snapshot(at, app), snapshot(at, other.app.id)])

  const credentials: [
    name: string,
    token: string | null,
    kind: 'app' | 'admin' | 'inbound' | 'none',
  ][] = [
    ['another app', other.liveKey, 'app'],
    ['the other mode', at.testKey, 'app'],
    ['the admin', adminToken, 'admin'],
    ['returned mail', inbound.json.key, 'inbound'],
    ['a revoked key', revoked.json.key, 'none'],
    ["a deleted app's key", deleted.liveKey, 'none'],
    ['an unknown key', strangeKey('live'), 'none'],
    ['an unknown admin token', strangeKey('admin'), 'none'],
    ['no key', null, 'none'],
  ]
  for (const [name, operation] of operations) {
    if (!name.includes('/v1/')) continue
    const [method = '', path = ''] = name.split(' ')
    const [whose = ''] = Object.keys(operation.security[0] ?? {})
    const own = { appKey: 'app', adminToken: 'admin', inboundKey: 'inbound' }[whose]
    const isSigned = path.startsWith('/v1/inbound/{')
    expect([name, own === undefined]).toEqual([name, isSigned])
    const place = path
      .replace(/^(\/v1\/verifications\/)\{id\}/, `$1${id}`)
      .replace(/^(\/v1\/recipients\/telegram\/)\{id\}/, `$1${recipient}`)
      .replace('{id}', app)
      .replace('{recipient_id}', recipient)
      .replace('{endpoint_id}', endpoint)
      .replace('{key_id}', key)
      .replace('{webhook_id}', webhook)
    const [[mediaType = '', media] = []] = Object.entries(operation.requestBody?.content ?? {})
    const isJson = mediaType === 'application/json'
    for (const [credential, token, kind] of credentials) {
      if (kind !== 'app' && kind === own) continue
      at.clock.advance(7_000)
      const answer = await at.call(method, place, {
        token,
        ...(media && isJson && { body: media.example }),
        ...(media && !isJson && { raw: media.example, headers: { 'content-type': mediaType } }),
      })
      const isForeign = kind === 'app' && own === 'app'
      // A key of another app or mode is valid, but finds nothing of this app and mode.
      const isOfThis = [id, recipient, '/v1/results'].some((one) => place.includes(one))
      const expected = !isForeign ? [401] : isOfThis ? [404] : [200, 201, 429]
      expect([name, credential, expected.includes(answer.status)]).toEqual([name, credential, true])
      expect(answer.text).not.toContain(id)
      expect(answer.text).not.toContain(recipient)
    }
  }

  expect(await snapshot(at, app)).toEqual(before[0])
  expect(await snapshot(at, other.app.id)).toEqual(before[1])
  const mine = await at.call('GET', `/v1/verifications/${id}`)
  expect(mine.json).toMatchObject({
    attempts_left: 5,
    next: { resend: { channels: ['email'] } },
  })
  const person = await at.call('GET', `/v1/recipients/telegram/${recipient}`)
  expect(person.json).toMatchObject({ id: recipient, status: 'expired' })
})

/** The world's app with a verification, a bot, its recipient, a webhook and a key. */
async function furnished(at: Site) {
  const body = { to: 'ada@example.com', ttl_seconds: 86_400 }
  const started = await at.call('POST', '/v1/verifications', { body })
  const bot = await addBot(at, at.app, { updates: 'webhook' })
  const recipient = await at.call('POST', '/v1/recipients/telegram')
  const { json } = await at.call('GET', `/v1/apps/${at.app.id}`, { token: adminToken })
  const hook = { body: { url: 'https://app.example.com/' }, token: adminToken }
  const webhook = await at.call('POST', `/v1/apps/${at.app.id}/webhooks`, hook)
  const live = json.keys.find(({ mode }: { mode: string }) => mode === 'live')
  return {
    app: at.app.id,
    id: String(started.json.id),
    endpoint: bot.endpoint.id,
    recipient: String(recipient.json.id),
    key: String(live.id),
    webhook: String(webhook.json.id),
  }
}

async function snapshot(at: Site, app: string) {
  const { json } = await at.call('GET', `/v1/apps/${app}`, { token: adminToken })
  const hooks = await at.call('GET', `/v1/apps/${app}/webhooks`, { token: adminToken })
  return { ...json, webhooks: hooks.json }
}

test("an app's key opens no admin route, and the admin token no app route", async () => {
  const at = await site()

  expect((await at.call('GET', '/v1/apps', { token: at.liveKey })).status).toBe(401)
  expect((await at.call('GET', '/v1/verifications', { token: adminToken })).status).toBe(401)
  expect((await at.call('GET', '/v1/apps', { token: adminToken })).status).toBe(200)
})

test('a key with one character changed is refused before the store is asked', async () => {
  const at = await site()
  at.ports.apps.findByKey = () => Promise.reject(new Error('asked'))
  const changed = at.liveKey.slice(0, -1) + (at.liveKey.endsWith('0') ? '1' : '0')

  const answer = await at.call('GET', '/v1/verifications', { token: changed })

  expect(answer.status).toBe(401)
})

const asAdmin = (at: Site, token: string, from = '192.0.2.1') =>
  at.call('GET', '/v1/apps', { token, from })

async function statuses(count: number, ask: (index: number) => Promise<{ status: number }>) {
  const all: number[] = []
  for (let i = 0; i < count; i++) all.push((await ask(i)).status)
  return all
}

test('ten wrong keys a minute are allowed from one address, and a valid key always', async () => {
  const at = await site()
  const wrong = () => at.call('GET', '/v1/verifications', { token: strangeKey('live') })

  expect(await statuses(12, wrong)).toEqual([...Array(10).fill(401), 429, 429])
  expect((await at.call('GET', '/v1/verifications')).status).toBe(200)
  at.clock.advance(60_000)
  expect((await wrong()).status).toBe(401)
})

test('beyond the limit an admin token is not compared, so that no guess is confirmed', async () => {
  const at = await site()

  const wrong = await statuses(12, () => asAdmin(at, strangeKey('admin')))
  const right = await asAdmin(at, adminToken)
  const elsewhere = await asAdmin(at, adminToken, '198.51.100.7')
  at.clock.advance(60_000)

  expect(wrong).toEqual([...Array(10).fill(401), 429, 429])
  expect(right).toMatchObject({ status: 429, json: { limit: 'ip_failures' } })
  expect(elsewhere.status).toBe(200)
  expect((await asAdmin(at, adminToken)).status).toBe(200)
})

test('of parallel guesses at most ten are compared', async () => {
  const at = await site()
  const guesses = Array.from({ length: 100 }, () => asAdmin(at, strangeKey('admin')))

  const answers = await Promise.all([...guesses, asAdmin(at, adminToken)])

  expect(answers.filter(({ status }) => status === 401)).toHaveLength(10)
  expect(answers.at(-1)?.status).toBe(429)
})

test('an address that used the admin token in the last hour can still use it beyond the limit', async () => {
  const at = await site()
  expect((await asAdmin(at, adminToken)).status).toBe(200)
  const flood = () => statuses(120, () => asAdmin(at, strangeKey('admin')))

  const wrong = await flood()
  const right = await statuses(30, () => asAdmin(at, adminToken))
  at.clock.advance(3_500_000)
  await flood()
  const stillRight = await asAdmin(at, adminToken)
  at.clock.advance(3_700_000)
  await flood()
  const forgotten = await asAdmin(at, adminToken)

  // An address that has shown a valid credential may try ten times as many others.
  expect(wrong.filter((status) => status === 401)).toHaveLength(100)
  expect(new Set(right)).toEqual(new Set([200]))
  expect(stillRight.status).toBe(200)
  expect(forgotten.status).toBe(429)
})

test('the credentials that an address has shown survive a restart', async () => {
  const at = await site()
  await asAdmin(at, adminToken)
  const again = await site({ ports: { limits: at.ports.limits, clock: at.clock } })

  await statuses(120, () => asAdmin(again, strangeKey('admin')))

  expect((await asAdmin(again, adminToken)).status).toBe(200)
})

test('a valid use is written once in ten minutes, and a bounded number is kept in memory', async () => {
  const at = await site()
  let written = 0
  const limits = {
    ...at.ports.limits,
    remember: (key: Uint8Array, until: number) => {
      written++
      return at.ports.limits.remember(key, until)
    },
  }
  const records = createGoodRecords({ limits, clock: at.clock }, 2)
  const [one, two, three] = ['one', 'two', 'three'].map((name) =>
    at.keyring.limitIndex('good_address', name),
  ) as [Uint8Array, Uint8Array, Uint8Array]

  await records.remember([one, two])
  await records.remember([one, two])
  expect(written).toBe(2)
  await records.remember([three])
  await records.remember([two, three])
  expect(written).toBe(3)
  await records.remember([one])
  expect(written).toBe(4)
  at.clock.advance(600_000)
  await records.remember([one])
  expect(written).toBe(5)
  expect(await records.remembers(two)).toBe(true)
})

test('a /48 may fail eight times as often as one of its /64', async () => {
  const at = await site()
  const from = (subnet: number) => `2001:db8:1:${subnet.toString(16)}::1`
  const wrong = (address: string) => asAdmin(at, strangeKey('admin'), address)

  const one = await statuses(11, () => wrong(from(0)))
  const others = await statuses(100, (index) => wrong(from(1 + index)))
  const neighbour = await wrong('2001:db8:2::1')

  expect(one).toEqual([...Array(10).fill(401), 429])
  expect(others.filter((status) => status === 401)).toHaveLength(70)
  expect(neighbour.status).toBe(401)
})

test('without a trusted proxy the peer is counted, whatever X-Forwarded-For says', async () => {
  const at = await site()
  const forged = (index: number) => {
    const headers = { 'x-forwarded-for': `10.${index}.2.3, 198.51.100.${index}` }
    return at.call('GET', '/v1/verifications', { token: strangeKey('live'), headers })
  }
  const answered = await statuses(200, forged)
  expect(answered.filter((status) => status === 401)).toHaveLength(10)
})

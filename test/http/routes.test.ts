import { expect, test } from 'bun:test'
import { findApp } from '../../src/domain/app/manage.ts'
import { timestamp } from '../../src/present.ts'
import { codeOf, noon, wrongCode } from '../support/world.ts'
import { adminToken, type Json, type Site, site } from './fixture.ts'

const each = { webhook: 'gus@example.org', email: 'ada@example.com' }
const both = ['webhook', 'email']

/** A server whose app has a gateway besides its mail server, set up by the API. */
async function routed(policy: Json = {}): Promise<Site> {
  const at = await site()
  const path = `/v1/apps/${at.app.id}`
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
  const webhook = { url: 'https://gateway.example.com/otp', secret }
  const added = await at.call('POST', `${path}/endpoints`, {
    ...{ body: { channel: 'webhook', webhook }, token: adminToken },
  })
  const changed = await at.call('PATCH', path, { body: { policy }, token: adminToken })
  expect([added.status, changed.status]).toEqual([201, 200])
  return { ...at, app: await findApp(at, at.app.id) }
}

const start = (at: Site, body: Json) => at.call('POST', '/v1/verifications', { body })

test('a start with a route names every channel with its masked recipient, and what may be done next', async () => {
  const at = await routed()
  const answer = await start(at, { to: each, channel: both, fallback_after_seconds: 30 })

  expect([answer.status, answer.json]).toMatchObject([
    201,
    {
      ...{ channel: 'webhook', to: 'g***@example.org' },
      route: [
        { channel: 'webhook', to: 'g***@example.org' },
        { channel: 'email', to: 'a***@example.com' },
      ],
      next: {
        check: timestamp(noon),
        resend: { at: timestamp(noon + 30_000), channels: both },
      },
    },
  ])
  expect(answer.text).not.toMatch(/gus@|ada@|fallBack|resend_at|sends_left/)
  const search = { body: { to: 'ada@example.com' } }
  const found = await at.call('POST', '/v1/verifications/search', search)
  expect(found.json.items.map(({ id }: Json) => id)).toEqual([answer.json.id])
})

test('after the last resend, and after the end, nothing is named', async () => {
  const at = await routed()
  const { json } = await start(at, { to: each, channel: both })
  const path = `/v1/verifications/${json.id}`
  for (const channel of ['email', 'webhook', 'email']) {
    at.clock.advance(30_000)
    const answer = await at.call('POST', `${path}/resend`, { body: { channel } })
    expect([answer.status, answer.json.channel]).toEqual([200, channel])
  }

  const last = await at.call('GET', path)
  expect(last.json.next).toEqual({ check: timestamp(noon), resend: null })
  const canceled = await at.call('POST', `${path}/cancel`, { body: {} })
  expect(canceled.json.next).toEqual({ check: null, resend: null })
})

test.each<[string, Json, string]>([
  ['channel', { channel: [] }, 'channel'],
  ['channel', { channel: ['email', 'email'] }, 'channel'],
  ['channel', { channel: 7 }, 'channel'],
  ['channel', { channel: [...both, 'sms', 'whatsapp', 'telegram_gateway', 'inbox'] }, 'channel'],
  ['to', { to: 7 }, 'to'],
  ['to', { to: ['ada@example.com'] }, 'to'],
  ['to', { to: { ...each, pigeon: 'x' } }, 'to'],
  ['to', { to: { email: 'ada@example.com' } }, 'to.webhook'],
  ['to', { to: { ...each, email: 'nobody' } }, 'to.email'],
  ['fallback_after_seconds', { fallback_after_seconds: 4 }, 'fallback_after_seconds'],
  ['fallback_after_seconds', { fallback_after_seconds: '30' }, 'fallback_after_seconds'],
])('a wrong %s of a start is refused by name, and not echoed: %j', async (_, body, field) => {
  const at = await routed()

  const answer = await start(at, { to: each, channel: both, ...body })

  expect([answer.status, answer.json.errors?.[0]?.field]).toEqual([422, field])
  expect(answer.text).not.toMatch(/nobody|pigeon/)
  expect(at.sent).toEqual([])
})

test.each<[string, Json, string]>([
  ['an empty list of waits', { check_delays: [] }, 'policy.check_delays'],
  ['eleven waits', { check_delays: Array(11).fill(1) }, 'policy.check_delays'],
  ['a wait of 301 s', { check_delays: [0, 301] }, 'policy.check_delays'],
  ['a channel twice', { channels: ['email', 'email'] }, 'policy.channels'],
  ['the inbox', { channels: ['inbox'] }, 'policy.channels'],
  ['a wait of 3601 s', { fallback_after_seconds: 3601 }, 'policy.fallback_after_seconds'],
])('a policy with %s is refused by name', async (_, policy, field) => {
  const at = await routed()
  const path = `/v1/apps/${at.app.id}`

  const answer = await at.call('PATCH', path, { body: { policy }, token: adminToken })

  expect([answer.status, answer.json.errors?.[0]?.field]).toEqual([422, field])
})

test('a policy with a route and waits is shown as it was given, and null unsets it', async () => {
  const policy = { channels: both, fallback_after_seconds: 60, check_delays: [0, 0, 5, 15] }
  const at = await routed(policy)
  const path = `/v1/apps/${at.app.id}`
  const shown = await at.call('GET', path, { token: adminToken })
  expect(shown.json.policy).toEqual(policy)

  const none = { channels: null, fallback_after_seconds: null, check_delays: null }
  const unset = await at.call('PATCH', path, { body: { policy: none }, token: adminToken })
  expect(unset.json.policy).toEqual({})
})

test('an Idempotency-Key covers the route, the recipients and the wait', async () => {
  const at = await routed()
  const body = { to: each, channel: both, fallback_after_seconds: 30 }
  const ask = (change: Json) =>
    at.call('POST', '/v1/verifications', {
      ...{ body: { ...body, ...change }, headers: { 'idempotency-key': 'k' } },
    })
  const first = await ask({})

  const again = await ask({})
  expect(again.text).toBe(first.text)
  const others = [
    { channel: both.toReversed() },
    { to: { ...each, email: 'eve@example.com' } },
    { fallback_after_seconds: 31 },
  ]
  for (const other of others) {
    expect((await ask(other)).json.code).toBe('idempotency_key_reused')
  }
  expect(at.sent).toHaveLength(1)
})

test('a check before its time is 429 with Retry-After, and costs no attempt', async () => {
  const at = await routed({ check_delays: [0, 5] })
  const { json } = await start(at, { to: each, channel: both })
  const code = codeOf(at.sent[0])
  const check = (typed: string, key?: string) =>
    at.call('POST', `/v1/verifications/${json.id}/check`, {
      ...{ body: { code: typed }, ...(key && { headers: { 'idempotency-key': key } }) },
    })

  const wrong = await check(wrongCode(code), 'a')
  expect(wrong.json.next.check).toBe(timestamp(noon + 5_000))
  const early = await check(code, 'b')
  expect([early.status, early.json.code]).toEqual([429, 'check_too_early'])
  expect(early.headers.get('retry-after')).toBe('5')
  // A repeat gets its answer at any time.
  expect((await check(wrongCode(code), 'a')).text).toBe(wrong.text)
  at.clock.advance(5_000)
  expect((await check(code, 'b')).json).toMatchObject({ valid: true, attempts_left: 3 })
})

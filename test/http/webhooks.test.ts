import { expect, test } from 'bun:test'
import { createReach } from '../../src/channels/http-egress.ts'
import { addApp, codeOf } from '../support/world.ts'
import { adminToken, type CallOptions, type Site, site } from './fixture.ts'

const url = 'https://app.example.com/events'
const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`

function admin(at: Site, method: string, path: string, options: CallOptions = {}) {
  return at.call(method, path, { token: adminToken, ...options })
}

/** A site whose app has a webhook. */
async function hooked(body: object = {}, options: Parameters<typeof site>[0] = {}) {
  const at = await site(options)
  const all = `/v1/apps/${at.app.id}/webhooks`
  const added = await admin(at, 'POST', all, { body: { url, ...body } })
  return { at, all, added, one: `${all}/${added.json.id}` }
}

/** Approves a verification, which the webhook is told. */
async function approve(at: Site, to: string) {
  const { json } = await at.call('POST', '/v1/verifications', { body: { to } })
  const body = { code: codeOf(at.sent.at(-1)) }
  await at.call('POST', `/v1/verifications/${json.id}/check`, { body })
  at.clock.advance(60_000)
  return String(json.id)
}

/** Ends every message that waits, as the job does. */
async function settle({ webhooks, app, clock }: Site, id: string, status: 'delivered' | 'dead') {
  const place = { appId: app.id, webhookId: id }
  const due = { ...place, now: clock.now(), dueWithinMs: 1e9, limit: 100 }
  const results = (await webhooks.dueMessages(due)).map((message) => {
    return { id: message.id, status, at: null, tries: 1, code: 500, detail: null }
  })
  const settled = { ...place, results, failingSince: clock.now(), off: null }
  await webhooks.settle({ now: clock.now(), webhooks: [settled] })
}

test('a webhook is added, listed, changed and removed, and its secret shown once', async () => {
  const { at, all, added, one } = await hooked({ types: ['app.alarm'] })
  expect(added.status).toBe(201)
  expect(added.json).toMatchObject({ url, types: ['app.alarm'], test_events: false, enabled: true })
  expect(added.json.secret).toStartWith('whsec_')

  const listed = await admin(at, 'GET', all)
  expect(listed.json.items).toMatchObject([{ id: added.json.id, waiting: 0, failing_since: null }])
  expect(listed.text).not.toContain('whsec_')
  const changed = await admin(at, 'PATCH', one, { body: { test_events: true, enabled: false } })
  expect(changed.json).toMatchObject({ test_events: true, enabled: false, off_cause: 'admin' })
  expect(changed.text).not.toContain('whsec_')
  const moved = await admin(at, 'PATCH', one, { body: { url: 'https://b.example.com/' } })
  expect(moved.json.secret).toStartWith('whsec_')
  expect(moved.json.secret).not.toBe(added.json.secret)
  const given = await admin(at, 'PATCH', one, { body: { url, secret } })
  expect(given.text).not.toContain('whsec_')

  expect((await admin(at, 'DELETE', one)).status).toBe(204)
  expect((await admin(at, 'DELETE', one)).json.code).toBe('webhook_not_found')
  expect((await admin(at, 'GET', all)).json.items).toEqual([])
})

test('a secret rotates: shown once where it was made, with the time of the former one', async () => {
  const { at, one, added } = await hooked()
  const made = await admin(at, 'POST', `${one}/rotate`, { body: {} })
  expect(made.json.secret).not.toBe(added.json.secret)
  const day = new Date(at.clock.now() + 86_400_000).toISOString()
  expect(made.json.former_secret_until).toBe(day)
  const body = { secret, keep_former_seconds: 0 }
  const given = await admin(at, 'POST', `${one}/rotate`, { body })
  expect(given.json).not.toHaveProperty('secret')
  expect(given.json).not.toHaveProperty('former_secret_until')
})

test('what is wrong is refused by name, all at once, without what was sent', async () => {
  const { at, all, one } = await hooked()
  const fields = ({ json }: { json: { errors: { field: string }[] } }) =>
    json.errors.map(({ field }) => field).sort()
  const canary = 'hunter2-canary'
  const wrong = {
    url: `ftp://${canary}`,
    types: [canary],
    enabled: canary,
    secret: canary,
    [`x`]: 1,
  }

  for (const [method, path] of [
    ['POST', all],
    ['PATCH', one],
  ] as const) {
    const answer = await admin(at, method, path, { body: wrong })
    expect([answer.status, fields(answer)]).toEqual([
      422,
      ['enabled', 'secret', 'types', 'url', 'x'],
    ])
    expect(answer.text + at.logged()).not.toContain(canary)
  }
  const rotate = await admin(at, 'POST', `${one}/rotate`, { body: { secret: canary, more: 1 } })
  expect(fields(rotate)).toEqual(['more', 'secret'])
  expect(rotate.text).not.toContain(canary)
  for (const body of [
    {},
    { message: canary },
    { from: canary },
    { from: '2026-02-31T00:00:00Z' },
  ]) {
    const replay = await admin(at, 'POST', `${one}/replay`, { body })
    expect([replay.status, replay.text.includes(canary)]).toEqual([422, false])
  }
  const both = { message: 'msg_0Uw3Xa8b0000002a', from: '2026-06-15T00:00:00Z' }
  expect(fields(await admin(at, 'POST', `${one}/replay`, { body: both }))).toEqual(['from'])
  const late = { from: '2026-06-16T00:00:00Z' }
  expect(fields(await admin(at, 'POST', `${one}/replay`, { body: late }))).toEqual(['from'])
})

test('a URL that leads into a network is refused by name, when it is added and when it is changed', async () => {
  const { at, all, one } = await hooked({}, { ports: { mayReach: createReach(['10.1.2.3/32']) } })
  const inside = ['http://127.0.0.1/', 'https://169.254.169.254/', 'http://8.8.8.8/']
  for (const url of inside) {
    for (const [method, path] of [['POST', all] as const, ['PATCH', one] as const]) {
      const { status, json } = await admin(at, method, path, { body: { url } })
      expect([status, json.errors[0].field]).toEqual([422, 'url'])
    }
  }
  const allowed = await admin(at, 'PATCH', one, { body: { url: 'http://10.1.2.3/events' } })
  expect(allowed.status).toBe(200)
})

test('an eleventh webhook is refused', async () => {
  const { at, all } = await hooked()
  for (let count = 1; count < 10; count++) await admin(at, 'POST', all, { body: { url } })

  expect((await admin(at, 'POST', all, { body: { url } })).json.code).toBe('too_many_webhooks')
})

test('messages are listed with what became of them, the dead by themselves', async () => {
  const { at, all, one, added } = await hooked()
  const ids = [await approve(at, 'ada@example.com'), await approve(at, 'bob@example.com')]
  await settle(at, added.json.id, 'dead')
  ids.push(await approve(at, 'eve@example.com'))

  const listed = await admin(at, 'GET', `${one}/messages`)
  const [waiting, dead] = listed.json.items
  expect(listed.json.items.map((item: { verification: string }) => item.verification)).toEqual(
    ids.toReversed(),
  )
  expect(waiting).toMatchObject({ type: 'verification.approved', status: 'waiting', tries: 0 })
  expect(dead).toMatchObject({ status: 'dead', tries: 1, code: 500, next_try_at: null })
  expect(listed.text).not.toContain('example.com')
  const first = await admin(at, 'GET', `${one}/messages?status=dead&limit=1`)
  const query = `status=dead&limit=1&cursor=${first.json.next_cursor}`
  const second = await admin(at, 'GET', `${one}/messages?${query}`)
  expect([first.json.items[0].verification, second.json.items[0].verification]).toEqual([
    ids[1] ?? '',
    ids[0] ?? '',
  ])
  expect(second.json.next_cursor).toBeNull()
  expect((await admin(at, 'GET', `${one}/messages?cursor=7`)).status).toBe(422)
  const [shown] = (await admin(at, 'GET', all)).json.items
  expect(shown).toMatchObject({ waiting: 1, failing_since: expect.stringContaining('T') })
})

test('messages are sent again by id and by time, the dead ones unless all are asked for', async () => {
  const { at, one, added } = await hooked()
  const start = new Date(at.clock.now()).toISOString()
  await approve(at, 'ada@example.com')
  await settle(at, added.json.id, 'dead')
  const middle = new Date(at.clock.now()).toISOString()
  await approve(at, 'bob@example.com')
  await settle(at, added.json.id, 'delivered')
  const replay = async (body: object) => {
    const { json } = await admin(at, 'POST', `${one}/replay`, { body })
    const { json: listed } = await admin(at, 'GET', `${one}/messages`)
    const statuses = listed.items.map(({ status }: { status: string }) => status)
    return [json.replayed ?? json.code, ...statuses.reverse()]
  }

  expect(await replay({ message: 'msg_0000000000000001' })).toEqual([
    'message_not_found',
    'dead',
    'delivered',
  ])
  expect(await replay({ from: middle })).toEqual([0, 'dead', 'delivered'])
  expect(await replay({ from: start })).toEqual([1, 'waiting', 'delivered'])
  expect(await replay({ from: start, to: middle, only_dead: false })).toEqual([
    0,
    'waiting',
    'delivered',
  ])
  expect(await replay({ from: middle, only_dead: false })).toEqual([1, 'waiting', 'waiting'])
  await settle(at, added.json.id, 'delivered')
  const { json } = await admin(at, 'GET', `${one}/messages?limit=1`)
  expect(await replay({ message: json.items[0].id })).toEqual([1, 'delivered', 'waiting'])
  const audit = await admin(at, 'GET', '/v1/audit?limit=1')
  expect(audit.json.items).toMatchObject([{ action: 'webhook.replay', object: at.app.id }])
})

test('a test posts one message and answers what came back', async () => {
  const { at, all, one } = await hooked({ enabled: false })
  expect((await admin(at, 'POST', `${one}/test`)).json).toEqual({ delivered: true, code: 204 })
  const detail = 'the receiver did not answer in time'
  const testWebhook = async () => ({ code: null, retryAfterMs: null, detail })
  const silent = await hooked({}, { ports: { testWebhook } })
  const answer = await admin(silent.at, 'POST', `${silent.one}/test`)
  expect(answer.json).toEqual({ delivered: false, detail })
  expect((await admin(at, 'POST', `${all}/${'x'.repeat(22)}/test`)).json.code).toBe(
    'webhook_not_found',
  )
})

test('another app knows nothing of a webhook', async () => {
  const { at, added } = await hooked()
  const other = await addApp(at, { name: 'Other' })
  const theirs = `/v1/apps/${other.app.id}/webhooks`
  expect((await admin(at, 'GET', theirs)).json.items).toEqual([])
  for (const [method, path, body] of [
    ['PATCH', '', { enabled: false }],
    ['DELETE', '', undefined],
    ['POST', '/test', undefined],
    ['POST', '/rotate', {}],
    ['GET', '/messages', undefined],
    ['POST', '/replay', { from: '2026-06-15T00:00:00Z' }],
  ] as const) {
    const place = `${theirs}/${added.json.id}${path}`
    const answer = await admin(at, method, place, body ? { body } : {})
    expect([path, answer.json.code]).toEqual([path, 'webhook_not_found'])
  }
  expect((await admin(at, 'GET', '/v1/apps/none/webhooks')).json.code).toBe('app_not_found')
})

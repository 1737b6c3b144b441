import { expect, test } from 'bun:test'
import { timestamp } from '../../src/present.ts'
import { tryOf } from '../support/commands.ts'
import { addApp, codeOf, noon, wrongCode } from '../support/world.ts'
import { type Site, site } from './fixture.ts'

const loose = {
  recipientStartSpacingSeconds: 1,
  recipientStartsPerQuarterHour: 1000,
  recipientStartsPerDay: 1000,
  recipientStartsPerDayAcrossApps: 1000,
}

async function start(at: Site, to = 'ada@example.com', token = at.liveKey) {
  const answer = await at.call('POST', '/v1/verifications', { body: { to }, token })
  expect(answer.status).toBe(201)
  return { id: String(answer.json.id), code: codeOf(at.sent.at(-1)) }
}

const check = (at: Site, id: string, code: unknown, token = at.liveKey) =>
  at.call('POST', `/v1/verifications/${id}/check`, { body: { code }, token })

test('a start whose message cannot leave in time is refused, and says when to try again', async () => {
  const at = await site()
  at.outboxState.waitMs = 100_000

  const answer = await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' } })

  expect(answer).toMatchObject({ status: 503, json: { code: 'delivery_backlog' } })
  expect(Number(answer.headers.get('retry-after'))).toBe(70)
  expect(at.sent).toHaveLength(0)
})

test('a start is answered with a masked address and without the code', async () => {
  const at = await site()

  const answer = await at.call('POST', '/v1/verifications', {
    body: { to: 'ada@example.com', purpose: 'sign-in', metadata: { order: '7' } },
  })

  expect(answer.status).toBe(201)
  expect(answer.json).toMatchObject({
    status: 'pending',
    to: 'a***@example.com',
    purpose: 'sign-in',
    metadata: { order: '7' },
    channel: 'email',
    route: [{ channel: 'email', to: 'a***@example.com' }],
    attempts_left: 5,
    next: {
      check: timestamp(noon),
      resend: { at: timestamp(noon + 30_000), channels: ['email'] },
    },
    delivery: { status: 'queued' },
  })
  expect(answer.text).not.toContain(codeOf(at.sent[0]))
  expect(answer.text).not.toContain('ada@')
})

test('the right code is valid once, and used from then on', async () => {
  const at = await site()
  const { id, code } = await start(at)

  const first = await check(at, id, ` ${code.slice(0, 3)}-${code.slice(3)} `)
  const second = await check(at, id, code)

  expect(first.json).toMatchObject({ valid: true, status: 'approved' })
  expect(second).toMatchObject({ status: 409, json: { code: 'verification_used' } })
})

test('of a hundred parallel right codes exactly one is valid', async () => {
  const at = await site()
  const { id, code } = await start(at)

  const answers = await Promise.all(Array.from({ length: 100 }, () => check(at, id, code)))

  expect(answers.filter((answer) => answer.json.valid === true)).toHaveLength(1)
  expect(answers.filter((answer) => answer.json.code === 'verification_used')).toHaveLength(99)
})

test('of five hundred parallel wrong codes five are judged, and then not even the right one', async () => {
  const at = await site()
  const { id, code } = await start(at)

  const wrong = wrongCode(code)
  const answers = await Promise.all(Array.from({ length: 500 }, () => check(at, id, wrong)))

  expect(answers.filter((answer) => answer.json.valid === false)).toHaveLength(5)
  const spent = answers.filter((answer) => answer.json.code === 'verification_exhausted')
  expect(spent).toHaveLength(495)
  expect((await check(at, id, code)).json.code).toBe('verification_exhausted')
})

test('a code that is no string of the right length and format is refused and costs no attempt', async () => {
  const at = await site()
  const { id, code } = await start(at)
  const odd = ['', ' ', '0', '1e5', true, null, Number(code), [code], { $ne: 1 }, `${code}0`]

  for (const value of odd) {
    const answer = await check(at, id, value)
    expect(answer.status).toBe(422)
    expect(answer.json.errors[0].field).toBe('code')
  }
  const absent = await at.call('POST', `/v1/verifications/${id}/check`, { body: {} })

  expect(absent.status).toBe(422)
  const read = await at.call('GET', `/v1/verifications/${id}`)
  expect(read.json).toMatchObject({ status: 'pending', attempts_left: 5 })
})

test('a code may be typed in digits of any script', async () => {
  const at = await site()
  const { id, code } = await start(at)
  const arabic = [...code].map((digit) => String.fromCodePoint(0x660 + Number(digit))).join('')

  expect((await check(at, id, arabic)).json.valid).toBe(true)
})

test('a code is valid for its own verification and app only', async () => {
  const at = await site({ settings: loose })
  const other = await addApp(at, { name: 'Other' })
  const ada = await start(at, 'ada@example.com')
  const bob = await start(at, 'bob@example.com')

  const crossed = await check(at, bob.id, ada.code)
  const foreign = await check(at, ada.id, ada.code, other.liveKey)
  const unknown = await check(at, 'x'.repeat(30), ada.code)

  if (ada.code !== bob.code) expect(crossed.json).toMatchObject({ valid: false, attempts_left: 4 })
  expect(foreign.json.code).toBe('verification_not_found')
  const { request_id: _, instance: __, ...one } = foreign.json
  const { request_id: ___, instance: ____, ...two } = unknown.json
  expect(one).toEqual(two)
})

test('two hundred parallel starts for one recipient send one mail', async () => {
  const at = await site()
  const body = { to: 'ada@example.com' }

  const answers = await Promise.all(
    Array.from({ length: 200 }, () => at.call('POST', '/v1/verifications', { body })),
  )

  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(at.sent).toHaveLength(1)
  const limited = answers.find(({ status }) => status === 429)
  expect(limited?.json).toMatchObject({ code: 'rate_limited', limit: 'recipient_spacing' })
  expect(Number(limited?.headers.get('retry-after'))).toBe(30)
})

test('spelling an address differently gives no further mails', async () => {
  const at = await site()
  const spellings = ['ab@gmail.com', 'a.b+1@googlemail.com', 'AB@GMAIL.com', 'ab+x@gmail.com']

  const statuses = []
  for (const to of spellings) {
    statuses.push((await at.call('POST', '/v1/verifications', { body: { to } })).status)
  }

  expect(statuses).toEqual([201, 429, 429, 429])
})

test('a test key sends to the inbox only', async () => {
  const at = await site()
  const body = { to: 'ada@example.com', channel: 'email' }

  const answer = await at.call('POST', '/v1/verifications', { body, token: at.testKey })
  const live = await at.call('POST', '/v1/verifications', {
    body: { to: 'bob@example.com', channel: 'inbox' },
  })

  expect(answer.json).toMatchObject({ channel: 'inbox', mode: 'test' })
  expect(live.json.errors[0].field).toBe('channel')
})

test('Prefer: wait holds the answer until the delivery has an outcome', async () => {
  const at = await site()
  const nextAt = at.clock.now() + 15_000
  const detail = '451 try later'
  at.outboxState.settled = { status: 'deferred', detail, maybeTaken: false, nextAt }
  const headers = { prefer: 'respond-async, wait=99' }

  const answer = await at.call('POST', '/v1/verifications', {
    body: { to: 'ada@example.com' },
    headers,
  })

  expect(answer.json.delivery).toEqual({ status: 'deferred', detail: '451 try later' })
  expect(answer.headers.get('preference-applied')).toBe('wait=30')
})

test('Prefer: wait shows at its end what another server has made of the message meanwhile', async () => {
  const at = await site()
  const body = { to: 'ada@example.com' }
  const headers = { prefer: 'wait=2' }
  at.outboxState.settled = null
  at.ports.outbox.settled = async (verificationId) => {
    const key = { appId: at.app.id, mode: 'live', verificationId } as const
    const [sent] = await at.ports.deliveries.history({ ...key, id: verificationId })
    const counts = { counted: null, suppress: null, again: null, follow: null }
    const outcome = { status: 'sent', detail: null, event: 'delivery.sent' } as const
    const delivery = { ...key, id: sent?.id ?? '' }
    const made = tryOf({ at: at.clock.now() })
    await at.ports.deliveries.settle({
      ...{ delivery, made, ...outcome, ...counts, now: at.clock.now() },
    })
    return null
  }

  const answer = await at.call('POST', '/v1/verifications', { body, headers })

  expect(answer.json.delivery.status).toBe('sent')
})

test('an Idempotency-Key gets the same answer, quoted or bare, and no second message', async () => {
  const at = await site()
  const start = (key: string, body: object = { to: 'ada@example.com', purpose: 'a' }) =>
    at.call('POST', '/v1/verifications', { body, headers: { 'idempotency-key': key } })

  const first = await start('"order-7"')
  const again = await start('order-7', { purpose: 'a', to: 'ada@example.com' })
  const other = await start('order-7', { to: 'bob@example.com', purpose: 'a' })

  expect(again.status).toBe(201)
  expect(again.text).toBe(first.text)
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(other).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } })
  expect(at.sent).toHaveLength(1)
})

test('an answer to an Idempotency-Key is the same whatever happened to the verification', async () => {
  const at = await site()
  const start = (headers: Record<string, string> = {}) =>
    at.call('POST', '/v1/verifications', {
      body: { to: 'ada@example.com' },
      headers: { 'idempotency-key': 'k', prefer: 'wait=5', ...headers },
    })
  const first = await start()
  const { id } = first.json
  await check(at, id, wrongCode(codeOf(at.sent[0])))
  at.clock.advance(45_000)
  await at.call('POST', `/v1/verifications/${id}/resend`)
  await check(at, id, codeOf(at.sent[0]))
  at.clock.advance(3_600_000)

  const again = await start()

  expect([again.status, again.text]).toEqual([201, first.text])
  expect(first.headers.get('preference-applied')).toBeNull()
  expect(again.headers.get('idempotency-replayed')).toBe('true')
})

test('a check that is repeated with its Idempotency-Key gets the same answer and spends nothing', async () => {
  const at = await site()
  const { id, code } = await start(at)
  const check = (code: string, key: string) =>
    at.call('POST', `/v1/verifications/${id}/check`, {
      body: { code },
      headers: { 'idempotency-key': key },
    })

  const wrong = await check(wrongCode(code), 'one')
  const wrongAgain = await check(wrongCode(code), 'one')
  const right = await check(code, 'two')
  at.clock.advance(599_000)
  const rightAgain = await check(` ${code} `, 'two')
  const other = await check(wrongCode(code), 'two')
  const later = await check(code, 'three')
  at.clock.advance(2_000)
  const forgotten = await check(code, 'two')

  expect(wrong.json).toMatchObject({ valid: false, attempts_left: 4 })
  expect(wrongAgain.text).toBe(wrong.text)
  expect(right.json).toMatchObject({ valid: true, status: 'approved', attempts_left: 3 })
  expect([right.headers.get('idempotency-replayed'), rightAgain.text]).toEqual([null, right.text])
  expect(rightAgain.headers.get('idempotency-replayed')).toBe('true')
  expect(other).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } })
  expect(later.json.code).toBe('verification_used')
  expect(forgotten.json.code).toBe('verification_used')
})

test('parallel guesses with one Idempotency-Key spend one attempt', async () => {
  const at = await site()
  const { id, code } = await start(at)
  const headers = { 'idempotency-key': 'k' }
  const guess = (code: string) =>
    at.call('POST', `/v1/verifications/${id}/check`, { body: { code }, headers })

  const guesses = Array.from({ length: 50 }, () => guess(wrongCode(code)))
  const answers = await Promise.all([...guesses, guess(code)])

  expect(new Set(answers.slice(0, 50).map(({ text }) => text)).size).toBe(1)
  expect(answers.at(-1)?.json.code).toBe('idempotency_key_reused')
  const { json } = await at.call('GET', `/v1/verifications/${id}`)
  expect(json).toMatchObject({ status: 'pending', attempts_left: 4 })
})

test('an invalid Idempotency-Key is refused', async () => {
  const at = await site()
  for (const key of ['""', '"a', 'a b', 'x'.repeat(256)]) {
    const headers = { 'idempotency-key': key }
    const answer = await at.call('POST', '/v1/verifications', {
      body: { to: 'ada@example.com' },
      headers,
    })
    expect(answer.json.errors[0].field).toBe('Idempotency-Key')
  }
  expect(at.sent).toHaveLength(0)
})

test('a resend has the same code, and is refused before its time', async () => {
  const at = await site()
  const { id, code } = await start(at)

  const early = await at.call('POST', `/v1/verifications/${id}/resend`)
  at.clock.advance(30_000)
  const other = await at.call('POST', `/v1/verifications/${id}/resend`, {
    body: { channel: 'inbox' },
  })
  const answer = await at.call('POST', `/v1/verifications/${id}/resend`, {
    body: { channel: 'email' },
  })

  expect(early).toMatchObject({ status: 429, json: { code: 'resend_too_early' } })
  expect(early.headers.get('retry-after')).toBe('30')
  expect(other.json.errors[0].field).toBe('channel')
  expect(answer.json).toMatchObject({
    attempts_left: 5,
    next: { resend: { at: timestamp(noon + 60_000) } },
  })
  expect(codeOf(at.sent.at(-1))).toBe(code)
})

test('a canceled verification takes no code', async () => {
  const at = await site()
  const { id, code } = await start(at)

  const answer = await at.call('POST', `/v1/verifications/${id}/cancel`)

  expect(answer.json.status).toBe('canceled')
  expect((await check(at, id, code)).json.code).toBe('verification_canceled')
})

test('the list has pages by cursor and a filter by status', async () => {
  const at = await site({ settings: loose })
  for (const to of ['a@example.com', 'b@example.com', 'c@example.com']) {
    await start(at, to)
    at.clock.advance(1)
  }

  const first = await at.call('GET', '/v1/verifications?limit=2')
  const next = await at.call('GET', `/v1/verifications?limit=2&cursor=${first.json.next_cursor}`)
  const none = await at.call('GET', '/v1/verifications?status=approved')

  const shown = [...first.json.items, ...next.json.items].map(({ to }) => to)
  expect(shown).toEqual(['c***@example.com', 'b***@example.com', 'a***@example.com'])
  expect(next.json.next_cursor).toBeNull()
  expect(none.json.items).toEqual([])
})

test('the search finds the verifications of exactly one address', async () => {
  const at = await site({ settings: loose })
  for (const to of ['a@example.com', 'b@example.com', 'b@example.com', 'b+1@example.com']) {
    await start(at, to)
    at.clock.advance(1000)
  }
  const search = (body: object) => at.call('POST', '/v1/verifications/search', { body })

  const first = await search({ to: 'b@example.com', status: 'pending', limit: 1 })
  const next = await search({ to: 'b@example.com', limit: 1, cursor: first.json.next_cursor })
  const none = await search({ to: 'b@example.com', status: 'approved' })
  const listed = await at.call('GET', '/v1/verifications?to=b%40example.com')
  const odd = await search({ to: 'nobody' })

  expect([...first.json.items, ...next.json.items]).toHaveLength(2)
  expect(first.json.items[0].id).not.toBe(next.json.items[0].id)
  expect(next.json.next_cursor).toBeNull()
  expect(none.json.items).toEqual([])
  expect(listed).toMatchObject({ status: 422, json: { errors: [{ field: 'to' }] } })
  expect(odd.json.errors[0].field).toBe('to')
})

test('a verification shows every message with every try', async () => {
  const at = await site()
  const { id } = await start(at)
  const { delivery } = at.sent[0] ?? {}
  if (!delivery) throw new Error('nothing was handed over')
  const made = {
    ...{ number: 1, endpointId: delivery.endpointId, at: at.clock.now(), tookMs: 12 },
    ...{ status: 'deferred' as const, cause: 'busy' as const, ambiguous: false },
    ...{ code: '451 4.7.1', detail: '451 4.7.1 try later', remoteId: null },
  }
  await at.ports.deliveries.settle({
    ...{ delivery, made, status: 'deferred', detail: made.detail, event: 'delivery.deferred' },
    ...{ counted: null, suppress: null, again: null, follow: null, now: at.clock.now() },
  })

  const { json } = await at.call('GET', `/v1/verifications/${id}`)

  expect(json.deliveries).toEqual([
    {
      ...{ id: delivery.id, channel: 'email', status: 'deferred', detail: made.detail },
      created_at: json.created_at,
      tries: [
        {
          ...{ number: 1, endpoint: delivery.endpointId, at: json.created_at, took_ms: 12 },
          ...{ status: 'deferred', cause: 'busy', code: '451 4.7.1', detail: made.detail },
          ambiguous: false,
        },
      ],
    },
  ])
})

test('a query that is misspelt, doubled or out of range is refused by name', async () => {
  const at = await site()
  for (const [query, field] of [
    ['limitt=2', 'limitt'],
    ['limit=2&limit=3', 'query'],
    ['limit=0', 'limit'],
    ['limit=1e1', 'limit'],
    ['status=dead', 'status'],
    ['cursor=', 'cursor'],
    ['cursor=garbage', 'cursor'],
    [`cursor=${'x'.repeat(29)}-`, 'cursor'],
  ]) {
    const answer = await at.call('GET', `/v1/verifications?${query}`)
    expect(answer.status).toBe(422)
    expect(answer.json.errors[0].field).toBe(field)
  }
})

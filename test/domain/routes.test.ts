import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { mailServersOf } from '../../src/domain/app/app.ts'
import { addEndpoint } from '../../src/domain/app/endpoints.ts'
import { applyReport, followOf } from '../../src/domain/delivery/follow.ts'
import { readHandover } from '../../src/domain/delivery/handover.ts'
import type { Chosen } from '../../src/domain/learning/chosen.ts'
import { admit } from '../../src/domain/verification/admission.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { fallBack } from '../../src/domain/verification/fall-back.ts'
import { type LimitRow, takeRates } from '../../src/domain/verification/limits.ts'
import { resendVerification } from '../../src/domain/verification/resend.ts'
import { type StartRequest, startVerification } from '../../src/domain/verification/start.ts'
import { nextSteps } from '../../src/domain/verification/verification.ts'
import { noon, problemOf, type World, world, wrongCode } from '../support/world.ts'

const actor = { who: 'cli', requestId: null }
const both = ['webhook', 'email'] as const satisfies StartRequest['channel']
const each = { webhook: 'gus@example.org', email: 'ada@example.com' }

/** A world whose app has a webhook endpoint besides its mail server. */
async function routed(options: Parameters<typeof world>[0] = {}): Promise<World> {
  const w = await world(options)
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
  const input = { url: 'https://gateway.example.com/otp', secret }
  await addEndpoint(w, actor, { appId: w.app.id, kind: 'webhook', input })
  const app = await w.apps.get(w.app.id)
  if (!app) throw new Error('the app is gone')
  return { ...w, app }
}

const start = (w: World, request: Partial<StartRequest> = {}) =>
  startVerification(w, {
    ...{ app: w.app, mode: 'live', startedBy: 'v1', to: each, channel: [...both] },
    ...request,
  })

const sentBy = ({ sent }: World) =>
  sent.map(({ handover }) => [handover.channel, handover.recipient.address, handover.code])

describe('a start with a route', () => {
  test('sends to the recipient of the first channel, and names the others masked', async () => {
    const w = await routed()
    const { verification } = await start(w)

    expect(sentBy(w)).toEqual([['webhook', 'gus@example.org', expect.stringMatching(/^\d{6}$/)]])
    expect(w.sent[0]?.handover.route).toEqual(['webhook', 'email'])
    expect(verification.route).toMatchObject([
      { channel: 'webhook', to: 'g***@example.org' },
      { channel: 'email', to: 'a***@example.com' },
    ])
    expect(JSON.stringify(verification)).not.toContain('ada@')
  })

  test('takes one recipient for every channel, or one for each', async () => {
    const w = await routed()
    const one = await start(w, { to: 'eve@example.com' })
    expect(one.verification.route.map(({ to }) => to)).toEqual([
      'e***@example.com',
      'e***@example.com',
    ])
    expect(one.verification.route.map(({ recipient }) => recipient)).toEqual([0, 0])

    const alone = await start(w, { channel: 'email', to: { email: 'bo@example.com' } })
    expect(alone.verification).toMatchObject({ channel: 'email', to: 'b***@example.com' })
  })

  test.each<[string, Partial<StartRequest>, string]>([
    ['no channel', { channel: [] }, 'channel'],
    ['a channel twice', { channel: ['email', 'email'] }, 'channel'],
    ['an unknown channel', { channel: 'pigeon' as never }, 'channel'],
    ['the inbox', { channel: ['email', 'inbox'] }, 'channel'],
    ['a channel without a recipient', { to: { email: 'a@b.example' } }, 'to.webhook'],
    ['a recipient of no channel', { to: { ...each, inbox: 'a@b.example' } }, 'to'],
    ['a recipient that is no address', { to: { ...each, webhook: 'gus' } }, 'to.webhook'],
    ['no address at all', { to: 'gus' }, 'to'],
    ['a list of recipients', { to: Object.values(each) }, 'to'],
    [
      'two spellings of one mailbox',
      { to: { webhook: 'ada+x@example.com', email: 'ada@example.com' } },
      'to.email',
    ],
    ['a wait of 4 s', { fallbackAfterSeconds: 4 }, 'fallback_after_seconds'],
    ['a wait of an hour and a second', { fallbackAfterSeconds: 3601 }, 'fallback_after_seconds'],
  ])('is refused with %s, and nothing is stored', async (_, request, field) => {
    const w = await routed()

    const problem = await problemOf(start(w, request))

    expect([problem.code, problem.errors?.[0]?.field]).toEqual(['invalid_request', field])
    expect(JSON.stringify(problem)).not.toMatch(/gus|ada\+x|pigeon/)
    expect((await w.deliveries.backlog()).waiting).toBe(0)
  })

  test('is refused where the app lacks an endpoint of one of the channels', async () => {
    const w = await world()
    expect((await problemOf(start(w))).code).toBe('channel_not_configured')
  })

  test('follows the policy where it names no channel and no wait', async () => {
    const policy = { channels: [...both], fallbackAfterSeconds: 60 }
    const w = await routed({ policy })
    const own = await start(w, { channel: undefined })
    expect(own.verification).toMatchObject({ channel: 'webhook', fallBackAt: noon + 60_000 })

    const asked = { channel: ['email', 'webhook'], fallbackAfterSeconds: 5 } as const
    const to = { email: 'b@example.com', webhook: 'c@example.com' }
    const other = await start(w, { ...asked, channel: [...asked.channel], to })
    expect(other.verification).toMatchObject({ channel: 'email', fallBackAt: noon + 5_000 })
    const alone = await start(w, { channel: 'email', to: 'd@example.com' })
    expect(alone.verification.fallBackAt).toBeNull()
  })

  test('with a test key stays in the inbox, whatever was asked for', async () => {
    const w = await world()
    const { verification } = await start(w, { mode: 'test', fallbackAfterSeconds: 5 })

    expect(verification.route).toMatchObject([{ channel: 'inbox', to: 'g***@example.org' }])
    expect(verification.fallBackAt).toBeNull()
  })

  test('goes through the next channel where the first recipient is over a rate', async () => {
    const w = await routed()
    await start(w, { channel: 'webhook', to: 'gus@example.org' })
    const { verification } = await start(w)

    expect(verification).toMatchObject({ channel: 'email', to: 'a***@example.com' })
    expect(verification.route).toHaveLength(1)
    expect(w.outboxState.woken).toMatchObject([{ channel: 'email' }])
    expect(w.outboxState.reserved).toBe(0)
    // The sender reads the message of the second recipient.
    const [delivery] = await w.deliveries.history(verification)
    const handover = delivery && (await readHandover(w, delivery))
    expect(handover?.recipient.address).toBe('ada@example.com')
    const resend = { app: w.app, mode: 'live', id: verification.id, channel: 'webhook' } as const
    expect((await problemOf(resendVerification(w, resend))).errors?.[0]?.field).toBe('channel')
  })

  test('is refused until the first recipient is free when all are over a rate', async () => {
    const w = await routed({ settings: { recipientStartSpacingSeconds: 40 } })
    await start(w, { channel: 'webhook', to: each.webhook })
    w.clock.advance(15_000)
    await start(w, { channel: 'email', to: each.email })

    const problem = await problemOf(start(w))

    const limit = 'recipient_spacing'
    expect(problem).toMatchObject({ code: 'rate_limited', limit, retryAfterSeconds: 25 })
    expect(w.outboxState.reserved).toBe(0)
  })

  test('gives a long code where one of the recipients has no guess budget left', async () => {
    const w = await routed({ settings: { guessBudgetPerDay: 5 } })
    const { verification } = await start(w, { channel: 'email', to: each.email })
    const code = w.sent.at(-1)?.handover.code ?? ''
    const check = { appId: w.app.id, mode: 'live', id: verification.id, code: wrongCode(code) }
    await checkVerification(w, { ...check, mode: 'live' })
    w.clock.advance(700_000)

    const routedOne = await start(w)

    expect(routedOne.verification.codeFormat).toBe('crockford')
    expect(w.sent.at(-1)?.handover).toMatchObject({ channel: 'webhook', codeFormat: 'crockford' })
  })

  test('counts a backlog of the next channel from when it is used by itself', async () => {
    const w = await routed()
    const waits: Record<string, number> = { webhook: Number.POSITIVE_INFINITY, email: 2_000 }
    const expectedWaitMs = ({ channel }: { channel: string }) => waits[channel] ?? 0
    const outbox = { ...w.outbox, expectedWaitMs }
    const at = (seconds?: number) =>
      start({ ...w, outbox }, { fallbackAfterSeconds: seconds, ttlSeconds: 600 })

    expect((await problemOf(at())).code).toBe('delivery_backlog')
    expect((await problemOf(at(29))).retryAfterSeconds).toBe(1)
    expect((await at(28)).outcome).toBe('started')
  })
})

describe('a verification with a route', () => {
  test('falls back with the same code to the next recipient, and stops the first message', async () => {
    const w = await routed()
    const { verification } = await start(w, { fallbackAfterSeconds: 30 })
    w.clock.advance(30_000)
    const [due] = await w.verifications.dueFallBacks({ now: w.clock.now(), limit: 9 })

    const moved = due && (await fallBack(w, due))

    expect(moved).toMatchObject({ id: verification.id, channel: 'email', fallBackAt: null })
    const [[, , code] = []] = sentBy(w)
    expect(sentBy(w)).toEqual([
      ['webhook', 'gus@example.org', code],
      ['email', 'ada@example.com', code],
    ] as never)
    expect(w.outboxState.withdrawn).toEqual([verification.id])
    const check = { appId: w.app.id, mode: 'live', id: verification.id, code } as const
    expect((await checkVerification(w, check)).valid).toBe(true)
  })

  test('does not fall back to a channel whose endpoints are gone', async () => {
    const w = await routed()
    const { verification } = await start(w, { fallbackAfterSeconds: 30 })
    const app = {
      ...w.app,
      endpoints: w.app.endpoints.filter(({ channel }) => channel !== 'email'),
    }
    w.clock.advance(30_000)

    const apps = { ...w.apps, get: async () => app }
    expect(await fallBack({ ...w, apps }, verification)).toBeNull()

    expect(sentBy(w)).toHaveLength(1)
    expect(await w.verifications.dueFallBacks({ now: noon + 60_000, limit: 9 })).toEqual([])
  })

  test('is queued for any node where this one has no room for the next channel', async () => {
    const w = await routed()
    const { verification } = await start(w, { fallbackAfterSeconds: 30 })
    w.clock.advance(30_000)
    w.outboxState.hasRoom = false

    await fallBack(w, verification)

    expect(w.outboxState.woken).toMatchObject([{ channel: 'email' }])
    const [, second] = await w.deliveries.history(verification)
    const handover = second && (await readHandover(w, second))
    expect(handover?.recipient.address).toBe('ada@example.com')
  })

  test('a stopped message is not read again by any node', async () => {
    const w = await routed()
    const { verification } = await start(w, { fallbackAfterSeconds: 30 })
    const [first] = await w.deliveries.history(verification)
    w.clock.advance(30_000)
    await fallBack(w, verification)

    expect(first && (await readHandover(w, first))).toBeNull()
  })

  test('is resent by hand through any channel of the route, also an earlier one', async () => {
    const w = await routed()
    const { verification } = await start(w, { fallbackAfterSeconds: 60 })
    const resend = (channel?: 'email' | 'webhook' | 'inbox') => {
      w.clock.advance(30_000)
      const request = { app: w.app, mode: 'live', id: verification.id, channel } as const
      return resendVerification(w, request)
    }

    expect(await resend('email')).toMatchObject({ channel: 'email', fallBackAt: null })
    expect(await resend()).toMatchObject({ channel: 'email' })
    const back = await resend('webhook')
    expect(back).toMatchObject({ channel: 'webhook', fallBackAt: w.clock.now() + 60_000 })
    expect(sentBy(w).map(([channel]) => channel)).toEqual(['webhook', 'email', 'email', 'webhook'])
    expect(new Set(sentBy(w).map(([, , code]) => code)).size).toBe(1)
    expect((await problemOf(resend('inbox'))).errors?.[0]?.field).toBe('channel')
  })

  test('goes on through the next channel when a gateway reports that a message failed', async () => {
    const w = await routed()
    const { verification } = await start(w)
    const [delivery] = await w.deliveries.history(verification)
    if (!delivery) throw new Error('no delivery')
    const endpointId = delivery.endpointId ?? ''
    const made = {
      ...{ number: 1, endpointId, at: noon, tookMs: 1, status: 'sent' as const, cause: null },
      ...{ ambiguous: false, code: null, detail: null, remoteId: null },
    }
    await w.deliveries.settle({
      ...{ delivery, made, status: 'sent', detail: null, event: 'delivery.sent' },
      ...{ counted: null, suppress: null, again: null, follow: null, now: noon },
    })

    w.clock.advance(1_000)
    const said = { cause: null, code: '30005', detail: 'unknown' }
    const report = { deliveryId: delivery.id, status: 'failed', ...said } as const
    const results = []
    for (let i = 0; i < 2; i++) {
      results.push(await applyReport(w, { app: w.app, endpointId, report }))
    }

    expect(results).toEqual(['failed', 'nothing'])
    expect(w.outboxState.woken).toMatchObject([{ channel: 'email' }])
    const history = await w.deliveries.history(verification)
    expect(history.map(({ channel, status }) => [channel, status])).toEqual([
      ['webhook', 'failed'],
      ['email', 'queued'],
    ])
  })
})

test('what follows a message that failed later begins where the start has chosen', async () => {
  const w = await routed()
  const input = { host: 'second.example.com', port: 587, user: null, from: 'codes@example.com' }
  const second = await addEndpoint(w, actor, { appId: w.app.id, kind: 'email', input })
  const app = (await w.apps.get(w.app.id)) ?? w.app
  const { verification } = await start({ ...w, app })
  const option = {
    channel: 'email',
    endpointId: second.id,
    approvedPercent: 90,
    cost: null,
  } as const
  const failed = { app, verification, channel: 'webhook' } as const
  const follow = (chosen: Chosen | null) => followOf(w, { ...failed, chosen }, noon)?.delivery

  const first = mailServersOf(app)[0]?.id
  expect(follow(null)).toMatchObject({ channel: 'email', endpointId: first })
  const chosen = { groups: {}, options: [option] }
  expect(follow(chosen)).toMatchObject({ endpointId: second.id, chosen })
})

describe('what may be done next', () => {
  test('names the times of a check and of a resend, and the channels of the route', async () => {
    const w = await routed()
    const { verification } = await start(w)

    expect(nextSteps(verification, noon)).toEqual({
      ...{ checkAt: noon, resend: { at: noon + 30_000, channels: ['webhook', 'email'] } },
    })
    const used = { ...verification, resendsSpent: verification.resendsMax }
    expect(nextSteps(used, noon).resend).toBeNull()
    expect(nextSteps(verification, verification.expiresAt)).toEqual({ checkAt: null, resend: null })
  })

  test('a check before its time is refused with the seconds to wait, and costs nothing', async () => {
    const w = await world({ policy: { checkDelays: [0, 0, 5] } })
    const { verification } = await start(w, { channel: 'email', to: 'ada@example.com' })
    const code = w.sent.at(-1)?.handover.code ?? ''
    const check = (typed: string) =>
      checkVerification(w, { appId: w.app.id, mode: 'live', id: verification.id, code: typed })
    await check(wrongCode(code))
    const second = await check(wrongCode(code))
    expect(nextSteps(second.verification, noon).checkAt).toBe(noon + 5_000)

    w.clock.advance(1_500)
    expect(await problemOf(check(code))).toMatchObject({
      ...{ code: 'check_too_early', retryAfterSeconds: 4 },
    })
    // What cannot be the code is refused as such.
    expect((await problemOf(check(`${code}0`))).code).toBe('invalid_request')
    w.clock.advance(3_500)
    expect((await check(code)).verification.attemptsSpent).toBe(3)
  })

  test('the last delay holds for every further check', async () => {
    const w = await world({ policy: { checkDelays: [1, 2] } })
    const { verification } = await start(w, { channel: 'email', to: 'ada@example.com' })
    const code = w.sent.at(-1)?.handover.code ?? ''
    const waits: (number | null)[] = [verification.checkAt]
    for (let attempts = 0; attempts < 4; attempts++) {
      w.clock.advance(2_000)
      const place = { appId: w.app.id, mode: 'live', id: verification.id } as const
      const result = await checkVerification(w, { ...place, code: wrongCode(code) })
      waits.push((result.verification.checkAt ?? 0) - w.clock.now())
    }

    expect(waits).toEqual([noon + 1_000, 2_000, 2_000, 2_000, 2_000])
  })
})

describe('whoever is over a rate', () => {
  const count = fc.integer({ min: 1, max: 5 })
  const rate = fc.record({
    max: fc.integer({ min: 1, max: 3 }),
    used: fc.integer({ min: 0, max: 3 }),
  })
  const requests = count.chain((people) =>
    fc.record({
      recipients: fc.array(fc.array(rate, { minLength: 1, maxLength: 2 }), {
        minLength: people,
        maxLength: people,
      }),
      stops: fc.array(fc.integer({ min: 0, max: people - 1 }), { minLength: 0, maxLength: 4 }),
      app: rate,
    }),
  )
  const windowMs = 60_000

  /** The arrivals after so many takes. */
  function rowOf({ max, used }: { max: number; used: number }) {
    const row: LimitRow = {
      key: new Uint8Array(),
      rates: [{ name: 'recipient_day', max, windowMs }],
    }
    let arrivals: number[] = []
    for (let i = 0; i < used; i++) {
      const taken = takeRates(row.rates, arrivals, noon)
      if (taken.taken) arrivals = taken.arrivals
    }
    return { row, arrivals, isFull: used >= max }
  }

  test('loses all channels and no other recipient does, whatever the rates are', () => {
    fc.assert(
      fc.property(requests, ({ recipients, stops, app }) => {
        const people = recipients.map((rates) => rates.map(rowOf))
        const whole = rowOf(app)
        const known = new Map([...people.flat(), whole].map(({ row, arrivals }) => [row, arrivals]))
        // Every recipient has a channel.
        const route = [...people.keys(), ...stops].map((recipient) => ({ recipient }))
        const request = {
          recipients: people.map((rows) => ({ limits: rows.map(({ row }) => row) })),
          limits: [whole.row],
          route,
        }

        const admission = admit(request, (row) => known.get(row) ?? [], noon)

        const open = [...people.keys()].filter((index) => !people[index]?.some((r) => r.isFull))
        if (open.length === 0 || whole.isFull) {
          expect(admission.outcome).toBe('limited')
          return
        }
        if (admission.outcome !== 'admitted') throw new Error(admission.outcome)
        expect(admission.route).toEqual(route.filter(({ recipient }) => open.includes(recipient)))
        expect(admission.recipients.map(({ number }) => number)).toEqual(open)
        const taken = admission.recipients.flatMap((one) => one.taken.map(({ row }) => row))
        expect(taken).toEqual(open.flatMap((index) => people[index]?.map(({ row }) => row) ?? []))
        expect(admission.app.map(({ row }) => row)).toEqual([whole.row])
      }),
      { numRuns: 500 },
    )
  })

  test('the refusal of all names the earliest time at which one may be reached again', () => {
    const at = fc.integer({ min: 1, max: 50_000 })
    fc.assert(
      fc.property(fc.array(at, { minLength: 1, maxLength: 5 }), (waits) => {
        const rows = waits.map((): LimitRow => {
          return { key: new Uint8Array(), rates: [{ name: 'recipient_day', max: 1, windowMs }] }
        })
        const request = {
          recipients: rows.map((row) => ({ limits: [row] })),
          limits: [],
          route: rows.map((_, recipient) => ({ recipient })),
        }
        const arrival = (row: LimitRow) => [noon + (waits[rows.indexOf(row)] ?? 0)]

        const admission = admit(request, arrival, noon)

        expect(admission).toMatchObject({ outcome: 'limited', retryAt: noon + Math.min(...waits) })
      }),
    )
  })
})

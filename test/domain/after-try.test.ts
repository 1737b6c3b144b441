import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  afterTry,
  type Next,
  type Route,
  retryAfterMaxMs,
  retryDelaysMs,
} from '../../src/domain/delivery/after-try.ts'
import {
  type DeliveryOutcome,
  deferralCauses,
  refusalCauses,
  type Try,
  toTry,
} from '../../src/domain/delivery/delivery.ts'

const now = Date.UTC(2026, 5, 15, 12)
const lifeMs = 600_000

type Deferred = Extract<DeliveryOutcome, { status: 'deferred' }>
type Refused = Extract<DeliveryOutcome, { status: 'refused' }>

const deferred = (cause: Deferred['cause'], parts: Partial<Deferred> = {}): Deferred => {
  const usual = { ambiguous: false, retryAfterMs: null, code: null, detail: 'later' }
  return { status: 'deferred', cause, ...usual, ...parts }
}
const refused = (cause: Refused['cause']): Refused => {
  return { status: 'refused', cause, code: null, detail: 'no' }
}
const sent: DeliveryOutcome = { status: 'sent', code: null, detail: null, remoteId: null }
const ambiguous = deferred('network', { ambiguous: true })

const one: Route = [{ channel: 'email', endpoints: ['a'] }]
const two: Route = [{ channel: 'email', endpoints: ['a', 'b'] }]
const channels: Route = [...two, { channel: 'inbox', endpoints: [null] }]

/** What afterTry decides for an outcome at an endpoint, after these earlier outcomes. */
function after(
  outcome: DeliveryOutcome,
  options: {
    route?: Route
    channel?: 'email' | 'inbox'
    at?: string
    before?: [string, DeliveryOutcome][]
    lifeLeftMs?: number
    chance?: number
  } = {},
): Next {
  const { route = one, channel = 'email', at = 'a', before = [] } = options
  const { lifeLeftMs = lifeMs, chance = 0 } = options
  const tries = before.map(([endpointId, outcome], index) => tryOf(index, endpointId, outcome))
  const expiresAt = now + lifeLeftMs
  const situation = { route, channel, tries, endpointId: at, expiresAt, now }
  return afterTry(outcome, { ...situation, chance })
}

function tryOf(index: number, endpointId: string, outcome: DeliveryOutcome): Try {
  return toTry(outcome, { number: index + 1, endpointId, at: now, tookMs: 1 })
}

const wait = (next: Next) => (next.next === 'try' ? next.at - now : null)

describe('after a try', () => {
  test('that was sent the delivery ends', () => {
    expect(after(sent, { route: channels })).toEqual({ next: 'end', status: 'sent', alarm: null })
  })

  test.each(['network', 'busy'] as const)('for %s the next endpoint is tried at once', (cause) => {
    const next = after(deferred(cause), { route: two })

    expect(next).toMatchObject({ next: 'try', endpointId: 'b', at: now, status: 'deferred' })
    expect(next.alarm).toBeNull()
  })

  test.each(['network', 'busy'] as const)(
    'for %s at the last endpoint the first is tried after the waits',
    (cause) => {
      const before: [string, DeliveryOutcome][] = []
      for (const delay of retryDelaysMs) {
        before.push(['a', deferred(cause)])
        const next = after(deferred(cause), { route: two, at: 'b', before })

        expect(next).toMatchObject({ next: 'try', endpointId: 'a' })
        expect(wait(next)).toBe(delay)
        before.push(['b', deferred(cause)])
      }
      const last = after(deferred(cause), {
        route: two,
        at: 'b',
        before: [...before, ['a', deferred(cause)]],
      })
      expect(last).toMatchObject({ next: 'end', status: 'undeliverable' })
    },
  )

  test('for greylisting the same endpoint is tried after a wait', () => {
    const next = after(deferred('greylisted'), { route: two })

    expect(next).toMatchObject({ next: 'try', endpointId: 'a' })
    expect(wait(next)).toBe(retryDelaysMs[0])
  })

  test('that may have been accepted the same endpoint is tried once more, after a minute', () => {
    const next = after(ambiguous, { route: two })
    expect(next).toMatchObject({ next: 'try', endpointId: 'a' })
    expect(wait(next)).toBe(60_000)

    const before: [string, DeliveryOutcome][] = [['a', ambiguous]]
    expect(after(ambiguous, { route: two, before })).toEqual({
      ...{ next: 'end', status: 'undeliverable', alarm: null },
    })
  })

  const alarms = [
    ['login', 'login_refused'],
    ['server', 'server_refused'],
    ['policy', 'policy_refused'],
  ] as const
  test.each(alarms)('for %s the next endpoint is tried and an alarm raised', (cause, alarm) => {
    expect(after(refused(cause), { route: two })).toMatchObject({
      ...{ next: 'try', endpointId: 'b', at: now, alarm },
    })
    expect(after(refused(cause))).toEqual({ next: 'end', status: 'refused', alarm })
  })

  test.each(alarms)('for %s the endpoint that refused is not tried again', (cause) => {
    const before: [string, DeliveryOutcome][] = [['a', refused(cause)]]
    const next = after(deferred('network'), { route: two, at: 'b', before })
    expect(next).toMatchObject({ next: 'try', endpointId: 'b' })
    expect(wait(next)).toBe(retryDelaysMs[0])

    expect(after(refused(cause), { route: two, at: 'b', before })).toMatchObject({ next: 'end' })
  })

  test.each([
    ['message', 'message_refused'],
    ['recipient', null],
    ['unsupported', null],
  ] as const)('for %s the next channel is tried', (cause, alarm) => {
    expect(after(refused(cause), { route: channels })).toEqual({
      ...{ next: 'channel', status: 'refused', channel: 'inbox', endpointId: null, alarm },
    })
    expect(after(refused(cause), { route: two })).toEqual({ next: 'end', status: 'refused', alarm })
  })

  test('the wait is as long as the server asked, but no longer than a quarter of an hour', () => {
    const life = { lifeLeftMs: 86_400_000 }
    const asked = (retryAfterMs: number) => {
      return wait(after(deferred('greylisted', { retryAfterMs }), { ...life, chance: 0.5 }))
    }

    expect(asked(300_000)).toBe(300_000)
    expect(asked(7_200_000)).toBe(retryAfterMaxMs)
  })

  test('the waits are 15 s, 45 s, 2 min and 4 min, and at most 15 min when asked for', () => {
    expect(retryDelaysMs).toEqual([15_000, 45_000, 120_000, 240_000])
    expect(retryAfterMaxMs).toBe(900_000)
  })

  test('the wait is longer by up to a fifth, at random', () => {
    expect(wait(after(deferred('greylisted'), { chance: 0.5 }))).toBe(16_500)
    expect(wait(after(deferred('greylisted'), { chance: 0.999 }))).toBe(17_997)
  })

  test('that surely failed is not counted as one that may have been accepted', () => {
    const next = after(deferred('network'), { before: [['a', ambiguous]] })

    expect(next).toMatchObject({ next: 'try', endpointId: 'a' })
  })

  test('nothing is tried at the code’s expiry or later', () => {
    const greylisted = (lifeLeftMs: number) => after(deferred('greylisted'), { lifeLeftMs }).next
    expect(greylisted(15_000)).toBe('end')
    expect(greylisted(15_001)).toBe('try')

    const otherChannel = (lifeLeftMs: number) =>
      after(refused('recipient'), { route: channels, lifeLeftMs }).next
    expect(otherChannel(0)).toBe('end')
    expect(otherChannel(1)).toBe('channel')
  })

  test('at an endpoint of the second channel the next endpoint of that channel is tried', () => {
    const route: Route = [...two, { channel: 'inbox', endpoints: ['c', 'd'] }]
    const next = after(deferred('network'), { route, channel: 'inbox', at: 'c' })
    expect(next).toMatchObject({ next: 'try', endpointId: 'd' })

    const last = after(refused('message'), { route, channel: 'inbox', at: 'c' })
    expect(last).toMatchObject({ next: 'end', status: 'refused' })
  })

  test('when no try is left the next channel with an endpoint is used', () => {
    const route: Route = [
      { channel: 'email', endpoints: ['a'] },
      { channel: 'webhook', endpoints: [] },
      { channel: 'inbox', endpoints: [null] },
    ]
    const many = retryDelaysMs.map((): [string, DeliveryOutcome] => ['a', deferred('busy')])
    const next = { next: 'channel', status: 'undeliverable', channel: 'inbox', endpointId: null }
    expect(after(deferred('busy'), { route, before: many })).toEqual({
      ...next,
      alarm: null,
    } as never)
    const twice = after(ambiguous, { route, before: [['a', ambiguous]] })
    expect(twice).toMatchObject(next)
    // The wait would be longer than the code lives.
    expect(after(deferred('greylisted'), { route, lifeLeftMs: 9_000 })).toMatchObject(next)
  })

  test('through a channel that the route no longer has the delivery ends', () => {
    const last = after(refused('message'), { route: two, channel: 'inbox' })

    expect(last).toEqual({ next: 'end', status: 'refused', alarm: 'message_refused' })
  })
})

describe('a hand-over that was not begun because of what it takes', () => {
  test('goes to the next endpoint where it cost too much, which may cost less, without an alarm', () => {
    expect(after(refused('cost'), { route: two })).toMatchObject({
      next: 'try',
      endpointId: 'b',
      at: now,
    })
    const last = after(refused('cost'), {
      route: channels,
      at: 'b',
      before: [['a', refused('cost')]],
    })
    expect(last).toMatchObject({ next: 'channel', channel: 'inbox', alarm: null })
  })

  test('goes to the next channel where its number is capped, past every other endpoint', () => {
    const next = after(refused('capped'), { route: channels })
    expect(next).toMatchObject({ next: 'channel', channel: 'inbox', alarm: null })
    expect(after(refused('capped'), { route: two })).toMatchObject({
      next: 'end',
      status: 'refused',
    })
  })
})

const causes: fc.Arbitrary<DeliveryOutcome> = fc.oneof(
  fc.record({
    status: fc.constant('deferred' as const),
    cause: fc.constantFrom(...deferralCauses),
    ambiguous: fc.boolean(),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 10_000_000 })),
    code: fc.constant(null),
    detail: fc.constant('later'),
  }),
  fc.constantFrom(...refusalCauses).map(refused),
)
const routes = fc
  .record({ endpoints: fc.integer({ min: 1, max: 4 }), hasMore: fc.boolean() })
  .map(({ endpoints, hasMore }): Route => {
    const email = { channel: 'email' as const, endpoints: ['a', 'b', 'c', 'd'].slice(0, endpoints) }
    return hasMore ? [email, { channel: 'inbox', endpoints: [null] }] : [email]
  })

/** Runs a delivery through these outcomes; returns its tries and how it ended. */
function follow(route: Route, outcomes: DeliveryOutcome[], lifeLeftMs: number, chance: number) {
  const tries: Try[] = []
  const expiresAt = now + lifeLeftMs
  let time = now
  let endpointId = route[0]?.endpoints[0] ?? null
  let next: Next | null = null
  for (const outcome of outcomes) {
    const situation = { route, channel: 'email', tries, endpointId, expiresAt, now: time } as const
    next = afterTry(outcome, { ...situation, chance })
    tries.push({ ...tryOf(tries.length, '', outcome), endpointId, at: time })
    if (next.next !== 'try') break
    time = next.at
    endpointId = next.endpointId
  }
  return { tries, next, time }
}

describe('whatever the servers answer', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const lives = fc.integer({ min: 1, max: 86_400_000 })
  const runs = fc.tuple(routes, fc.array(causes, { minLength: 40, maxLength: 40 }), lives, chance)
  const holds = (
    check: (run: ReturnType<typeof follow>, route: Route, lifeLeftMs: number) => void,
  ) => {
    const property = fc.property(runs, ([route, outcomes, life, random]) => {
      check(follow(route, outcomes, life, random), route, life)
    })
    fc.assert(property, { numRuns: 300 })
  }

  test('a delivery ends, after few tries', () => {
    holds(({ tries, next }, route) => {
      const endpoints = route[0]?.endpoints.length ?? 0
      expect(next?.next).not.toBe('try')
      expect(tries.length).toBeLessThanOrEqual((retryDelaysMs.length + 1) * endpoints + 1)
    })
  })

  test('no try is made once the code has expired', () => {
    holds(({ tries }, _route, life) => {
      for (const { at } of tries) expect(at).toBeLessThan(now + life)
    })
  })

  test('at most two tries may have been accepted, the second a minute after the first', () => {
    holds(({ tries }) => {
      const maybe = tries.filter(({ ambiguous }) => ambiguous)
      expect(maybe.length).toBeLessThanOrEqual(2)
      const [first] = maybe
      const following = first && tries[tries.indexOf(first) + 1]
      if (!first || !following) return
      expect(following.at - first.at).toBeGreaterThanOrEqual(60_000)
      expect(following.endpointId).toBe(first.endpointId)
    })
  })

  test('no endpoint is tried again after it refused', () => {
    holds(({ tries }) => {
      const refusals = new Set<string | null>()
      for (const { endpointId, status } of tries) {
        expect(refusals.has(endpointId)).toBe(false)
        if (status === 'refused') refusals.add(endpointId)
      }
    })
  })

  test('while the code lives, what fails for good goes on through the next channel', () => {
    holds(({ next, time, tries }, route, life) => {
      const isSent = tries.at(-1)?.status === 'sent'
      const goesOn = route.length > 1 && !isSent && time < now + life
      expect(next?.next).toBe(goesOn ? 'channel' : 'end')
    })
  })

  test('a try goes to an endpoint of the route', () => {
    holds(({ tries }, route) => {
      for (const { endpointId } of tries) expect(route[0]?.endpoints).toContain(endpointId)
    })
  })
})

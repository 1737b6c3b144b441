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

/** What follows an outcome at an endpoint after these ones before it. */
function after(
  outcome: DeliveryOutcome,
  options: {
    route?: Route
    at?: string
    before?: [string, DeliveryOutcome][]
    lifeLeftMs?: number
    chance?: number
  } = {},
): Next {
  const { route = one, at = 'a', before = [], lifeLeftMs = lifeMs, chance = 0 } = options
  const tries = before.map(([endpointId, outcome], index) => tryOf(index, endpointId, outcome))
  const expiresAt = now + lifeLeftMs
  const situation = { route, channel: 'email', tries, endpointId: at, expiresAt, now } as const
  return afterTry(outcome, { ...situation, chance })
}

function tryOf(index: number, endpointId: string, outcome: DeliveryOutcome): Try {
  return toTry(outcome, { number: index + 1, endpointId, at: now, tookMs: 1 })
}

const wait = (next: Next) => (next.next === 'try' ? next.at - now : null)

describe('what follows a try', () => {
  test('that was sent is the end', () => {
    expect(after(sent, { route: channels })).toEqual({ next: 'end', status: 'sent', alarm: null })
  })

  test.each(['network', 'busy'] as const)('for %s is the next endpoint at once', (cause) => {
    const next = after(deferred(cause), { route: two })

    expect(next).toMatchObject({ next: 'try', endpointId: 'b', at: now, status: 'deferred' })
    expect(next.alarm).toBeNull()
  })

  test.each(['network', 'busy'] as const)(
    'for %s at the last endpoint is the first one after the waits',
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

  test('for greylisting is the same endpoint after a wait', () => {
    const next = after(deferred('greylisted'), { route: two })

    expect(next).toMatchObject({ next: 'try', endpointId: 'a' })
    expect(wait(next)).toBe(retryDelaysMs[0])
  })

  test('that may have been taken is the same endpoint once more, after a minute', () => {
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
  test.each(alarms)('for %s is the next endpoint and an alarm', (cause, alarm) => {
    expect(after(refused(cause), { route: two })).toMatchObject({
      ...{ next: 'try', endpointId: 'b', at: now, alarm },
    })
    expect(after(refused(cause))).toEqual({ next: 'end', status: 'refused', alarm })
  })

  test.each(alarms)('for %s never leads back to an endpoint that refused', (cause) => {
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
  ] as const)('for %s is the next channel', (cause, alarm) => {
    expect(after(refused(cause), { route: channels })).toEqual({
      ...{ next: 'channel', status: 'refused', channel: 'inbox', endpointId: null, alarm },
    })
    expect(after(refused(cause), { route: two })).toEqual({ next: 'end', status: 'refused', alarm })
  })

  test('is as late as the other side asked, but no later than a quarter of an hour', () => {
    const life = { lifeLeftMs: 86_400_000 }
    const asked = (retryAfterMs: number) => {
      return wait(after(deferred('greylisted', { retryAfterMs }), { ...life, chance: 0.5 }))
    }

    expect(asked(300_000)).toBe(300_000)
    expect(asked(7_200_000)).toBe(retryAfterMaxMs)
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

/** Follows a delivery through these outcomes; the tries that it made and where it ended. */
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

  test('at most two tries may have been taken, the second a minute after the first', () => {
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

  test('a try goes to an endpoint of the route', () => {
    holds(({ tries }, route) => {
      for (const { endpointId } of tries) expect(route[0]?.endpoints).toContain(endpointId)
    })
  })
})

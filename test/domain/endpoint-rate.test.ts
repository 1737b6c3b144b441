import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type EndpointRate,
  newEndpointRate,
  rateWindowMs,
  returnToken,
  shareOf,
  takeToken,
  tokensLeft,
  tokenWaitMs,
} from '../../src/domain/delivery/endpoint-rate.ts'

const perMinute = fc.integer({ min: 1, max: 20 })
const waits = fc.array(fc.nat(rateWindowMs), { minLength: 1, maxLength: 100 })

/** Hands over for each wait, which passes before, where there is a token; each takes `tookMs`. */
function handOver(rate: EndpointRate, steps: number[], tookMs: (index: number) => number) {
  const running: { begunAt: number; endsAt: number }[] = []
  const all: typeof running = []
  let now = 0
  const endUntil = (until: number) => {
    running.sort((a, b) => a.endsAt - b.endsAt)
    while ((running[0]?.endsAt ?? Number.POSITIVE_INFINITY) <= until) {
      returnToken(rate, running.shift()?.endsAt ?? 0, true)
    }
  }
  for (const [index, wait] of steps.entries()) {
    now += wait
    endUntil(now)
    if (tokensLeft(rate, now) === 0) continue
    takeToken(rate)
    const one = { begunAt: now, endsAt: now + tookMs(index) }
    running.push(one)
    all.push(one)
  }
  return { all, now, endUntil }
}

test('no 60 seconds see more messages than allowed, whenever a server counts a hand-over', () => {
  fc.assert(
    fc.property(perMinute, waits, fc.nat(20_000), fc.nat(), (max, steps, tookMs, seed) => {
      const rate = { ...newEndpointRate(), perMinute: max }
      const { all } = handOver(rate, steps, (index) => (seed * (index + 7)) % (tookMs + 1))
      // Each is counted somewhere between its begin and its end.
      for (const share of [0, 0.5, 1, null]) {
        const counted = all.map(({ begunAt, endsAt }, index) => {
          return begunAt + (endsAt - begunAt) * (share ?? ((seed + index) % 10) / 10)
        })
        for (const from of counted) {
          const within = counted.filter((at) => at >= from && at < from + rateWindowMs)
          expect(within.length).toBeLessThanOrEqual(max)
        }
      }
    }),
  )
})

test('as many as allowed may begin at once, and again 60 seconds after their end', () => {
  const rate = { ...newEndpointRate(), perMinute: 3 }
  for (let count = 0; count < 3; count++) takeToken(rate)
  expect(tokensLeft(rate, 0)).toBe(0)
  for (let count = 0; count < 3; count++) returnToken(rate, 500, true)

  expect(tokensLeft(rate, 500 + rateWindowMs - 1)).toBe(0)
  expect(tokensLeft(rate, 500 + rateWindowMs)).toBe(3)
})

test('a hand-over that was not begun gives its token back at once', () => {
  const rate = { ...newEndpointRate(), perMinute: 1 }
  takeToken(rate)
  returnToken(rate, 0, false)

  expect(tokensLeft(rate, 0)).toBe(1)
})

test('without a limit there is always a token, no wait, and nothing is kept', () => {
  const rate = newEndpointRate()
  handOver(rate, [1, 2, 3], () => 10)

  expect(tokensLeft(rate, 100)).toBe(Number.POSITIVE_INFINITY)
  expect(tokenWaitMs(rate, 1_000_000, 100)).toBe(0)
  expect(rate.backAt).toEqual([])
})

test('no more times are kept than tokens are out', () => {
  const rate = { ...newEndpointRate(), perMinute: 5 }
  handOver(rate, new Array<number>(1_000).fill(9_000), () => 1)

  expect(rate.backAt.length).toBeLessThanOrEqual(5)
})

test('the expected wait is when a message gets its token, where hand-overs end at once', () => {
  const ahead = fc.nat(60)
  fc.assert(
    fc.property(perMinute, perMinute, waits, ahead, (before, max, steps, messages) => {
      const rate = { ...newEndpointRate(), perMinute: before }
      const { now, endUntil } = handOver(rate, steps, () => 0)
      endUntil(now)
      // The limit may have been changed meanwhile.
      rate.perMinute = max
      const expected = tokenWaitMs(rate, messages, now)

      let at = now
      for (let sent = 0; sent <= messages; sent++) {
        while (tokensLeft(rate, at) === 0) at = rate.backAt.find((back) => back > at) ?? at
        takeToken(rate)
        returnToken(rate, at, true)
      }
      expect(expected).toBe(at - now)
    }),
  )
})

test('the expected wait counts a hand-over that runs as one that ends now', () => {
  const rate = { ...newEndpointRate(), perMinute: 2 }
  takeToken(rate)

  expect(tokenWaitMs(rate, 0, 1_000)).toBe(0)
  expect(tokenWaitMs(rate, 1, 1_000)).toBe(rateWindowMs)
  expect(tokenWaitMs(rate, 2, 1_000)).toBe(rateWindowMs)
})

test.each([
  [10, 1, 10],
  [10, 3, 3],
  [7, 7, 1],
  [1, 5, 1],
])('of %d that an endpoint allows, one of %d nodes takes %d', (most, nodes, share) => {
  expect(shareOf(most, nodes)).toBe(share)
})

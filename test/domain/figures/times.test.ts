import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { addTime, addTimes, percentilesOf, type Times } from '../../../src/domain/figures/times.ts'

function timesOf(list: number[]): Times {
  const times: Times = {}
  for (const ms of list) addTime(times, ms)
  return times
}

test('a percentile is off by a quarter at most, from 10 ms to a day', () => {
  const list = fc.array(fc.integer({ min: 10, max: 86_400_000 }), { minLength: 1 })
  fc.assert(
    fc.property(list, (given) => {
      const sorted = given.toSorted((a, b) => a - b)
      const found = percentilesOf(timesOf(given))
      for (const [share, value] of [
        [0.5, found?.p50],
        [0.95, found?.p95],
      ] as const) {
        const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? 0
        expect(value).toBeWithin(exact / 1.26, exact * 1.26)
      }
    }),
  )
})

test('times that are added up have the percentiles of all together', () => {
  const [some, others] = [timesOf([5, 100, 700]), timesOf([700, 90_000])]
  addTimes(some, others)

  expect(percentilesOf(some)).toEqual(percentilesOf(timesOf([5, 100, 700, 700, 90_000])))
})

test('without a time there is no percentile, and a clock that was wrong makes no strange one', () => {
  expect(percentilesOf({})).toBeNull()
  expect(percentilesOf(timesOf([-5_000]))).toEqual({ p50: 5, p95: 10 })
  expect(percentilesOf(timesOf([10 ** 12]))?.p95).toBeLessThan(2 * 86_400_000)
})

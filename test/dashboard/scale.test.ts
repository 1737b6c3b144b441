import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { durationScale, timeMarks, wholeScale } from '../../src/dashboard/screens/overview/scale.ts'
import { times } from '../support/commands.ts'

test('every value is between the first and the last mark, of which there are few', () => {
  const counts = fc.array(fc.nat({ max: 10_000_000 }), { minLength: 1 })
  const durations = fc.array(fc.integer({ min: 1, max: 86_400_000 }), { minLength: 1 })
  const isInside = (scale: ReturnType<typeof wholeScale>, values: number[]) => {
    for (const value of values) expect(scale.share(value)).toBeWithin(-1e-9, 1 + 1e-9)
    expect(scale.share(scale.marks[0] ?? -1)).toBeCloseTo(0)
    expect(scale.share(scale.marks.at(-1) ?? -1)).toBeCloseTo(1)
    expect(scale.marks.length).toBeWithin(2, 11)
  }
  fc.assert(fc.property(counts, (values) => isInside(wholeScale(values), values)))
  fc.assert(fc.property(durations, (values) => isInside(durationScale(values), values)))
})

test('counts have marks at whole numbers, from 0 on', () => {
  expect(wholeScale([0]).marks).toEqual([0, 1])
  expect(wholeScale([3]).marks).toEqual([0, 1, 2, 3])
  expect(wholeScale([190]).marks).toEqual([0, 50, 100, 150, 200])
})

test('durations have marks that people know', () => {
  expect(durationScale([300, 45_000]).marks).toEqual([100, 1000, 10_000, 60_000])
  expect(durationScale([]).marks).toEqual([1000, 10_000])
})

test('marks of time are round, and never too near to one another', () => {
  const from = Date.UTC(2026, 5, 15, 9, 35)
  const every = (stepMs: number, count: number, start = from) =>
    times(count, (index) => new Date(start + index * stepMs).toISOString())
  const hours = every(3_600_000, 168, Date.UTC(2026, 5, 15))
  const days = every(86_400_000, 396, Date.UTC(2025, 4, 16))
  const marksOf = (all: string[], bucketPx: number, aheadMs = 0) =>
    timeMarks(all, { bucketPx, apartPx: 80, aheadMs })
  const shown = (all: string[], px: number, aheadMs = 0) =>
    marksOf(all, px, aheadMs).map((at) => all[at] ?? '')

  expect(shown(every(300_000, 12), 80).length).toBe(12)
  expect(shown(every(300_000, 12), 30).map((at) => at.slice(14, 16))).toEqual([
    '45',
    '00',
    '15',
    '30',
  ])
  expect(shown(hours, 6).every((at) => at.slice(11, 13) === '00')).toBe(true)
  expect(shown(hours, 6)).toHaveLength(7)
  expect(
    shown(days, 3)
      .map((at) => at.slice(0, 10))
      .slice(0, 2),
  ).toEqual(['2025-06-01', '2025-07-01'])
  expect(shown(days, 0.6).map((at) => at.slice(0, 7))).toEqual(['2025-07', '2026-01'])
  const inKolkata = shown(hours, 6, 5.5 * 3_600_000)
  expect(inKolkata.map((at) => at.slice(11, 16))).toEqual(inKolkata.map(() => '18:00'))
  expect(inKolkata).toHaveLength(7)
  for (const px of [0.5, 1, 2, 5, 20, 90]) {
    const marks = marksOf(days, px)
    const gaps = marks.slice(1).map((at, index) => (at - (marks[index] ?? 0)) * px)
    expect(Math.min(...gaps, 1000)).toBeGreaterThanOrEqual(79)
  }
})

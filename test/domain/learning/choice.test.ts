import { expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { seededUniform } from '../../../src/domain/learning/beta.ts'
import { type Candidate, sampleGroups, sampleOrder } from '../../../src/domain/learning/choice.ts'
import { afterTried, type Chosen, explain } from '../../../src/domain/learning/chosen.ts'
import { times } from '../../support/commands.ts'

setDefaultTimeout(60_000)

const arm = (good: number, bad: number) => ({ good, bad, recent: good / (good + bad) })
const candidate = (endpointId: string, change: Partial<Candidate> = {}): Candidate => {
  return { endpointId, arm: undefined, cost: null, ...change }
}
const orderOf = (items: Candidate[], seed: string) =>
  sampleOrder(items, seededUniform(seed)).map(({ endpointId }) => endpointId)

/** How often each is first in 10,000 choices. */
function firsts(items: Candidate[]): Record<string, number> {
  const counts = Object.fromEntries(items.map(({ endpointId }) => [endpointId, 0]))
  for (let drawn = 0; drawn < 10_000; drawn++) {
    const [first = ''] = orderOf(items, `seed ${drawn}`)
    counts[first] = (counts[first] ?? 0) + 1
  }
  return counts
}

test('an order holds every candidate once, and is the same for the same seed and scores', () => {
  const weight = fc.double({ min: 0, max: 200, noNaN: true })
  const items = fc.uniqueArray(
    fc.record({
      endpointId: fc.string(),
      arm: fc.option(
        fc.tuple(weight, weight).map(([a, b]) => arm(a, b)),
        { nil: undefined },
      ),
      cost: fc.option(fc.integer({ min: 0, max: 1e9 })),
    }),
    { maxLength: 10, selector: ({ endpointId }) => endpointId },
  )
  fc.assert(
    fc.property(items, fc.string(), (given, seed) => {
      const order = orderOf(given, seed)
      expect(order.toSorted()).toEqual(given.map(({ endpointId }) => endpointId).toSorted())
      expect(orderOf(given, seed)).toEqual(order)
    }),
  )
})

test('the worst candidate is first in one per cent of choices, and so is the best in most', () => {
  const bad = times(9, (index) => candidate(`bad${index}`, { arm: arm(0, 100), cost: 1e9 }))
  const counts = firsts([candidate('good', { arm: arm(100, 0), cost: 1 }), ...bad])

  // 100 are expected; six standard deviations.
  for (const { endpointId } of bad) expect(counts[endpointId]).toBeGreaterThan(40)
  expect(counts['good']).toBeGreaterThan(9_000)
})

test('before anything is known the order is that of the ranks', () => {
  const counts = firsts([candidate('first'), candidate('second')])

  expect(counts['first']).toBeGreaterThan(9_800)
  expect(counts['second']).toBeGreaterThan(40)
})

test('one that is not known yet is tried beside one that is', () => {
  const counts = firsts([candidate('known', { arm: arm(70, 30) }), candidate('new')])

  expect(counts['new']).toBeGreaterThan(2_000)
})

test('a cost divides the share, and one without a cost counts as the cheapest', () => {
  const known = { arm: arm(90, 10) }
  const half = candidate('half', { ...known, cost: 50 })
  const whole = candidate('whole', { ...known, cost: 100 })
  const none = candidate('none', known)

  expect(firsts([whole, half])['half']).toBeGreaterThan(9_800)
  expect(firsts([whole, none, half])['whole']).toBeLessThan(200)
  const equal = firsts([none, half])['half'] ?? 0
  expect(Math.abs(equal - 5_000)).toBeLessThan(500)
  const free = candidate('free', { arm: arm(10, 90), cost: 0 })
  expect(firsts([whole, free])['free']).toBeGreaterThan(9_800)
})

test('groups are ordered by what their first candidate is worth', () => {
  const bad = times(2, (index) => candidate(`bad${index}`, { arm: arm(1, 99) }))
  const good = [candidate('worse', { arm: arm(50, 50) }), candidate('best', { arm: arm(95, 5) })]
  const orders = times(1_000, (index) => {
    const groups = sampleGroups([bad, good], seededUniform(`seed ${index}`))
    return groups.map((items) => items.map(({ endpointId }) => endpointId).join()).join(' ')
  })

  const usual = orders.filter((order) => order.startsWith('best,worse '))
  expect(usual.length).toBeGreaterThan(940)
  expect(orders.some((order) => order.startsWith('bad'))).toBe(true)
})

const chosen = (...percents: (number | null)[]): Chosen => {
  const options = percents.map((approvedPercent, index) => {
    return { channel: 'email', endpointId: `e${index}`, approvedPercent, cost: null } as const
  })
  return { groups: { email: 'example.com' }, options }
}

test.each([
  [[83, 71], '83 % approved here, 71 % there'],
  [[83, 71, null], '83 % approved here, 71 % and nothing known there'],
  [[null, 71], 'nothing known here, 71 % there'],
  [[83], '83 % approved here'],
  [[null, null], 'by rank: nothing is known yet'],
])('%j is explained as "%s"', (percents, expected) => {
  expect(explain(chosen(...percents), 'email')).toBe(expected)
})

test('that costs were weighed is said, and what they are is not', () => {
  const [first, second] = chosen(71, 83).options
  if (!first || !second) throw new Error('no options')
  const options = [
    { ...first, cost: 54_321 },
    { ...second, cost: 98_765 },
  ]

  expect(explain({ ...chosen(71, 83), options }, 'email')).toBe(
    '71 % approved here, 83 % there, weighed by cost',
  )
})

test('what was tried comes last in the order of another message', () => {
  const { options } = afterTried(chosen(83, 71, 20), new Set(['e0']))

  expect(options.map(({ endpointId }) => endpointId)).toEqual(['e1', 'e2', 'e0'])
})

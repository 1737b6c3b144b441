import { expect, setDefaultTimeout, test } from 'bun:test'
import { type Scenario, simulate } from './fixture.ts'

setDefaultTimeout(60_000)

const sends = 2_000
const seeds = Array.from({ length: 10 }, (_, index) => `seed ${index}`)
const free = { cost: null }
const steady = (share: number, cost: number | null = null) => ({ share: () => share, cost })

/** From the 701st message on nothing that the first one accepts arrives. */
const outage: Scenario = {
  endpoints: [{ share: (sent) => (sent < 700 ? 0.9 : 0), ...free }, steady(0.85)],
}
/** The first one loses, and the second one gains, 30 points; they cross in the middle. */
const drift: Scenario = {
  endpoints: [
    { share: (sent) => 0.9 - (0.3 * sent) / sends, ...free },
    { share: (sent) => 0.6 + (0.3 * sent) / sends, ...free },
  ],
}
const equal: Scenario = { endpoints: [steady(0.85), steady(0.85)] }
const costly: Scenario = { endpoints: [steady(0.9, 80_000), steady(0.85, 50_000)] }

/** How far above an order the choices were, in percent, with each seed. */
function above(scenario: Scenario, order: 'best' | number): number[] {
  return seeds.map((seed) => {
    const { learned, fixed } = simulate(scenario, { seed, sends })
    const compared = order === 'best' ? Math.max(...fixed) : (fixed[order] ?? 0)
    return 100 * (learned / compared - 1)
  })
}

test.each([
  ['an outage', outage],
  ['a drift', drift],
  ['equal endpoints', equal],
  ['a cheaper endpoint', costly],
])(
  'after 2,000 messages with %s approvals per cost are at most 2 %% below the best order',
  (name, scenario) => {
    const figures = above(scenario, 'best')
    if (Bun.env['OTPMINT_FIGURES']) show(`${name}, best order`, figures)

    expect(Math.min(...figures)).toBeGreaterThanOrEqual(-2)
  },
)

test('in an outage they are at least 20 % above the order that has the failing one first', () => {
  const figures = above(outage, 0)
  if (Bun.env['OTPMINT_FIGURES']) show('an outage, the failing one first', figures)

  expect(Math.min(...figures)).toBeGreaterThanOrEqual(20)
})

function show(name: string, figures: number[]): void {
  const mean = figures.reduce((sum, each) => sum + each, 0) / figures.length
  const sorted = figures.toSorted((a, b) => a - b).map((each) => each.toFixed(1))
  const range = `least ${sorted[0]} %, mean ${mean.toFixed(1)} %, most ${sorted.at(-1)} %`
  process.stderr.write(`${name}: ${range}\n`)
}

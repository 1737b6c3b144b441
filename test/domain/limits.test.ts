import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { effectivePolicy } from '../../src/domain/app/policy.ts'
import { lateMs } from '../../src/domain/ports.ts'
import { defaultSettings } from '../../src/domain/settings.ts'
import {
  dayMs,
  fitsBudget,
  guessBoundPerYear,
  guessBudget,
  guessesPerYear,
  type Rate,
  startLimits,
  takeRates,
} from '../../src/domain/verification/limits.ts'
import { plainApp } from '../support/commands.ts'
import { noon } from '../support/world.ts'

const rate = fc.record({
  name: fc.constant('recipient_day' as const),
  max: fc.integer({ min: 1, max: 50 }),
  windowMs: fc.integer({ min: 1000, max: dayMs }),
})
const rates = fc.array(rate, { minLength: 1, maxLength: 3 })

/** Takes until a rate refuses; returns how often it succeeded, and the refusal. */
function burst(all: Rate[], now: number) {
  let stored: number[] = []
  for (let taken = 0; ; taken++) {
    const decision = takeRates(all, stored, now)
    if (!decision.taken) return { taken, stored, retryAt: decision.retryAt }
    stored = decision.arrivals
  }
}

describe('a row of rates', () => {
  test('gives the smallest burst of its rates and no more', () => {
    fc.assert(
      fc.property(rates, (all) => {
        expect(burst(all, noon).taken).toBe(Math.min(...all.map(({ max }) => max)))
      }),
    )
  })

  test('allows a refused take at the time that the refusal named, not before', () => {
    fc.assert(
      fc.property(rate, (one) => {
        const { stored, retryAt } = burst([one], noon)
        expect(takeRates([one], stored, retryAt - 1).taken).toBe(false)
        expect(takeRates([one], stored, retryAt).taken).toBe(true)
        expect(retryAt - noon).toBeGreaterThanOrEqual(one.windowMs / one.max)
      }),
    )
  })

  test('gives one at once and the next after a step, where a wrong clock has written', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: dayMs }), (one, beyondMs) => {
        const step = Math.ceil(one.windowMs / one.max)
        const first = takeRates([one], [noon + step * one.max + lateMs + beyondMs], noon)
        if (!first.taken) throw new Error('nothing was given')

        const second = takeRates([one], first.arrivals, noon)

        expect(second).toEqual({ taken: false, name: one.name, retryAt: noon + step })
      }),
    )
  })

  test('gives nothing more to an operation whose time was read up to ten seconds before', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 0, max: 10_000 }), (one, agoMs) => {
        const { stored } = burst([one], noon)

        expect(takeRates([one], stored, noon - agoMs).taken).toBe(false)
      }),
    )
  })

  test('refuses for no longer than its window and ten seconds, whatever a wrong clock has written', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 0, max: 100 * 365 * dayMs }), (one, aheadMs) => {
        const decision = takeRates([one], [noon + aheadMs], noon)
        const latest = noon + Math.ceil(one.windowMs / one.max) * one.max + lateMs
        if (!decision.taken) expect(decision.retryAt).toBeLessThanOrEqual(latest)
        expect(takeRates([one], [noon + aheadMs], latest).taken).toBe(true)
      }),
    )
  })

  test('writes no time beyond its window, however the clock jumps', () => {
    const jumps = fc.array(fc.integer({ min: -dayMs, max: dayMs }), { maxLength: 30 })
    fc.assert(
      fc.property(rate, jumps, (one, steps) => {
        let [now, stored]: [number, number[]] = [noon, []]
        for (const step of steps) {
          now += step
          const decision = takeRates([one], stored, now)
          if (decision.taken) stored = decision.arrivals
          const window = Math.ceil(one.windowMs / one.max) * one.max
          if (decision.taken) expect(stored[0]).toBeLessThanOrEqual(now + window)
        }
      }),
    )
  })
})

describe('the limits of a start', () => {
  const limitsOf = (registeredBy: 'admin' | 'open', mode: 'live' | 'test') => {
    const limitIndex = (kind: string, text: string) => Buffer.from(`${kind}: ${text}`)
    const subject = { app: plainApp({ id: 'app', registeredBy }), mode }
    const [settings, policy] = [defaultSettings, { startsPerDay: 9, recipientStartsPerDay: 8 }]
    const numbers = { settings, policy: effectivePolicy(policy, settings) }
    const { ofApp, ofRecipient } = startLimits({ limitIndex }, subject, numbers)
    return [ofApp, ...ofRecipient('ada')].map(({ key, rates }) => {
      return [String(key), ...rates.map(({ name, max, windowMs }) => [name, max, windowMs])]
    })
  }
  const own = (mode: string) => [
    [`app: app\0${mode}`, ['app_minute', 600, 60_000], ['app_day', 9, 86_400_000]],
    [
      `recipient: app\0${mode}\0ada`,
      ['recipient_spacing', 1, 30_000],
      ['recipient_quarter_hour', 5, 900_000],
      ['recipient_day', 8, 86_400_000],
    ],
  ]
  const acrossApps = ['recipient_day', 30, 86_400_000]

  test('are those of the app, of the recipient in the app, and of the recipient in all apps', () => {
    const all = [...own('live'), ['recipient_all_apps: ada', acrossApps]]
    expect<unknown>(limitsOf('admin', 'live')).toEqual(all)
  })

  test('are separate for openly registered apps', () => {
    const all = [...own('live'), ['recipient_open_apps: ada', acrossApps]]
    expect<unknown>(limitsOf('open', 'live')).toEqual(all)
  })

  test('do not include those of all apps with a test key', () => {
    expect<unknown>(limitsOf('admin', 'test')).toEqual(own('test'))
  })
})

describe('the guess bound', () => {
  const windows = guessBudget(defaultSettings)

  test('counts every window that begins in a year in full', () => {
    expect(guessesPerYear(windows)).toBe(988)
    expect(guessesPerYear([{ max: 1, windowMs: 366 * dayMs }])).toBe(1)
    expect(guessesPerYear([{ max: 1, windowMs: dayMs }])).toBe(366)
  })

  test('has windows of 24 hours and of 30 days', () => {
    expect(windows).toEqual([
      { max: 25, windowMs: 86_400_000 },
      { max: 76, windowMs: 2_592_000_000 },
    ])
  })

  test('is at most 0.1 % a year for one recipient of one app with six digits', () => {
    expect(guessBoundPerYear(windows, 6)).toBeCloseTo(0.000988, 6)
    expect(guessBoundPerYear(windows, 6)).toBeLessThan(0.001)
    expect(guessBoundPerYear(windows, 8)).toBeLessThan(0.00001)
  })

  test('is no smaller than any year of guesses that the budget lets through', () => {
    const strategy = fc.array(fc.integer({ min: 1, max: 20 * dayMs }), { maxLength: 400 })
    fc.assert(
      fc.property(strategy, fc.integer({ min: 1, max: 10 }), (waits, attempts) => {
        const made: { at: number; count: number }[] = []
        let now = 0
        for (const wait of [0, ...waits]) {
          now += wait
          const spent = windows.map(({ windowMs }) =>
            sum(made.filter(({ at }) => at > now - windowMs)),
          )
          if (fitsBudget(windows, spent, attempts)) made.push({ at: now, count: attempts })
        }
        for (const { at: from } of made) {
          const year = made.filter(({ at }) => at >= from && at < from + 365.25 * dayMs)
          expect(sum(year)).toBeLessThanOrEqual(guessesPerYear(windows))
        }
      }),
      { numRuns: 200 },
    )
  })

  test('is reached by guessing as much and as early as the budget allows', () => {
    let guesses = 0
    const made: { at: number; count: number }[] = []
    for (let hour = 0; hour < 365.25 * 24; hour++) {
      const now = hour * 3_600_000
      const spent = windows.map(({ windowMs }) => sum(made.filter(({ at }) => at > now - windowMs)))
      if (!fitsBudget(windows, spent, 1)) continue
      made.push({ at: now, count: 1 })
      guesses++
    }
    expect(guesses).toBeGreaterThan(960)
    expect(guesses).toBeLessThanOrEqual(988)
  })
})

function sum(made: { count: number }[]): number {
  return made.reduce((total, { count }) => total + count, 0)
}

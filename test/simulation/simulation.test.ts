import { expect, test } from 'bun:test'
import { reportOf } from './report.ts'
import { simulate } from './simulation.ts'

const steps = 300
const seeds = 60

test('no seed breaks a promise, whatever fails, crashes, jumps and comes at once', async () => {
  const totals: Record<string, number> = {}
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = await simulate({ seed, steps })
    if (outcome.violation) throw new Error(reportOf(outcome, steps))
    for (const [name, count] of Object.entries(outcome.counts)) {
      totals[name] = (totals[name] ?? 0) + count
    }
  }

  // Without these numbers a simulation in which nothing happens would pass.
  const often = ['start 201', 'start 201 again', 'check 200', 'check 200 again', 'mail taken']
  const routes = ['start with a route', 'start that lost a channel', 'fall-back']
  const others = ['check too early', 'resend through a named channel']
  const sometimes = [
    ...routes,
    ...others,
    'crash',
    'restart',
    'rotation',
    'jump',
    'disk full',
    'start with a long code',
  ]
  for (const name of often) expect([name, (totals[name] ?? 0) > 100]).toEqual([name, true])
  for (const name of sometimes) expect([name, (totals[name] ?? 0) > 5]).toEqual([name, true])
}, 600_000)

test('the same seed gives the same answers and mails, another one gives others', async () => {
  const [first, again, other] = [
    await simulate({ seed: 7, steps }),
    await simulate({ seed: 7, steps }),
    await simulate({ seed: 8, steps }),
  ]

  expect(again?.digest).toBe(first?.digest ?? '')
  expect(other?.digest).not.toBe(first?.digest ?? '')
}, 60_000)

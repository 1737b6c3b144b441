import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Try } from '../../src/domain/delivery/delivery.ts'
import {
  isInForce,
  isRecipientRefused,
  refusesTooMany,
  suppressedUntil,
} from '../../src/domain/delivery/suppression.ts'
import { lateMs } from '../../src/domain/ports.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'

const start = Date.UTC(2026, 5, 15, 12)

test('the first suppression lasts a day, and one that follows within thirty days of its end thirty', () => {
  const first = { since: start, until: start + dayMs }

  expect(suppressedUntil(null, start)).toBe(first.until)
  expect(suppressedUntil(first, first.until - 1)).toBeNull()
  expect(suppressedUntil(first, first.until)).toBe(first.until + 30 * dayMs)
  const lastDay = first.until + 30 * dayMs - 1
  expect(suppressedUntil(first, lastDay)).toBe(lastDay + 30 * dayMs)
  expect(suppressedUntil(first, lastDay + 1)).toBe(lastDay + 1 + dayMs)
  // Of an operation that read the clock a little earlier; and of a clock that was ahead.
  expect(suppressedUntil(first, start - lateMs)).toBeNull()
  expect(suppressedUntil(first, start - lateMs - 1)).toBe(start - lateMs - 1 + dayMs)
})

test('whatever the clock does, no suppression holds for longer than thirty days', () => {
  const time = fc.integer({ min: -400, max: 400 }).map((days) => start + days * dayMs)
  fc.assert(
    fc.property(fc.array(time, { maxLength: 20 }), time, (refusals, now) => {
      let row: { since: number; until: number } | null = null
      for (const at of refusals) {
        const until = suppressedUntil(row, at)
        if (until !== null) row = { since: at, until }
      }
      if (row && isInForce(row, now)) expect(row.until).toBeLessThanOrEqual(now + 30 * dayMs)
    }),
  )
  expect(isInForce({ since: start, until: start + dayMs }, start - lateMs)).toBe(true)
  expect(isInForce({ since: start, until: start + dayMs }, start - lateMs - 1)).toBe(false)
})

test('an endpoint refuses too many above twenty recipients and a tenth of its tries', () => {
  expect(refusesTooMany({ tries: 20, refusals: 20 })).toBe(false)
  expect(refusesTooMany({ tries: 21, refusals: 21 })).toBe(true)
  expect(refusesTooMany({ tries: 1000, refusals: 100 })).toBe(false)
  expect(refusesTooMany({ tries: 1000, refusals: 101 })).toBe(true)
})

test('only a reply of a server that refuses the recipient for good suppresses it', () => {
  const made: Try = {
    ...{ number: 1, endpointId: 'e', at: start, tookMs: 1, status: 'refused', cause: 'recipient' },
    ...{ ambiguous: false, code: '550 5.1.1', detail: 'no such user', remoteId: null },
  }
  expect(isRecipientRefused(made)).toBe(true)
  expect(isRecipientRefused({ ...made, code: null })).toBe(false)
  expect(isRecipientRefused({ ...made, status: 'deferred' })).toBe(false)
  for (const cause of ['login', 'policy', 'message', 'server', 'unsupported'] as const) {
    expect(isRecipientRefused({ ...made, cause })).toBe(false)
  }
})

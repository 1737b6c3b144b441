import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  decideTry,
  type Try,
  type TryCommand,
  triesKeptMs,
} from '../../../src/domain/account/tries.ts'

const key = (name: string) => new TextEncoder().encode(name)
const nameOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const minuteMs = 60_000
const now = Date.UTC(2026, 5, 15, 12)

const command = (address: string, at: number): TryCommand => ({
  own: [{ key: key(address), free: 3, pauseMaxMs: 15 * minuteMs }],
  shared: [{ key: key('ada'), free: 5, pauseMaxMs: 5 * minuteMs }],
  now: at,
})

/** Counts in memory, as a store does. */
function counts() {
  const rows = new Map<string, Try>()
  const tryAt = (address: string, at: number) => {
    const decided = decideTry(command(address, at), (bytes) => rows.get(nameOf(bytes)) ?? null)
    if (decided.begun) for (const { key, ...row } of decided.counted) rows.set(nameOf(key), row)
    return decided
  }
  return { rows, tryAt }
}

test('the first tries are free, then each waits twice as long, up to a quarter of an hour', () => {
  const { tryAt } = counts()
  const pauses: number[] = []
  let at = now
  for (let index = 0; index < 16; index++) {
    const refused = tryAt('a', at)
    if (!refused.begun) {
      pauses.push((refused.retryAt - at) / 1000)
      at = refused.retryAt
      expect(tryAt('a', at - 1).begun).toBe(false)
      expect(tryAt('a', at).begun).toBe(true)
    }
  }

  expect(pauses).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900])
})

test('a try that is refused counts at no place, so hammering makes nobody wait longer', () => {
  const { rows, tryAt } = counts()
  for (let index = 0; index < 3; index++) tryAt('a', now)
  const before = structuredClone(rows)

  for (let index = 0; index < 100; index++) expect(tryAt('a', now + index).begun).toBe(false)

  expect(rows).toEqual(before)
})

test('who has not failed may always try, whatever others have done', () => {
  const tries = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.nat(minuteMs)), {
    maxLength: 200,
  })
  fc.assert(
    fc.property(tries, (made) => {
      const { tryAt } = counts()
      let at = now
      for (const [address, later] of made) {
        at += later
        tryAt(`address ${address}`, at)
      }

      expect(tryAt('the first time', at).begun).toBe(true)
    }),
  )
})

test('the failures of all addresses slow down those that have failed', () => {
  const { tryAt } = counts()
  for (let index = 0; index < 40; index++) tryAt(`address ${index}`, now)

  const again = tryAt('address 0', now + 1000)

  expect(again).toEqual({ begun: false, retryAt: now + 5 * minuteMs })
})

test('failures are forgotten a day after the last, and a time to come counts as now', () => {
  const { rows, tryAt } = counts()
  rows.set('a', { count: 50, at: now })
  expect(tryAt('a', now + triesKeptMs - 1).begun).toBe(true)
  expect(rows.get('a')?.count).toBe(51)
  rows.set('a', { count: 50, at: now })
  tryAt('a', now + triesKeptMs)
  expect(rows.get('a')?.count).toBe(1)

  rows.set('a', { count: 3, at: now + 9 * triesKeptMs })
  expect(tryAt('a', now)).toEqual({ begun: false, retryAt: now + 2000 })
})

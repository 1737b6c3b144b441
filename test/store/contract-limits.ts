import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { lateMs } from '../../src/domain/ports.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import { bytes, noon, times } from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

/** Tests the rules of limits outside of starts that every store follows. */
export function limitContract(open: OpenStores): void {
  test('of two hundred parallel takes exactly the burst succeeds', async () => {
    const { limits } = await open()
    const row = { key: bytes(32), rates: [{ name: 'ip_failures', max: 7, windowMs: 60_000 }] }

    const takes = await Promise.all(times(200, () => limits.take(row as never, noon)))

    expect(takes.filter(({ taken }) => taken).length).toBe(7)
  })

  test('a refused take succeeds at the time that the refusal named, not before', async () => {
    const { limits } = await open()
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1000, max: 86_400_000 }),
        async (max, windowMs) => {
          const row = { key: bytes(32), rates: [{ name: 'app_day' as const, max, windowMs }] }
          let result = await limits.take(row, noon)
          for (let i = 0; i < max && result.taken; i++) result = await limits.take(row, noon)
          if (result.taken) throw new Error('the burst was larger than the limit')

          expect((await limits.take(row, result.retryAt - 1)).taken).toBe(false)
          expect((await limits.take(row, result.retryAt)).taken).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('a row takes from all of its rates or from none', async () => {
    const { limits } = await open()
    const key = bytes(32)
    const narrow = { name: 'app_minute', max: 1, windowMs: 60_000 } as const
    const wide = { name: 'app_day', max: 2, windowMs: dayMs } as const
    const rates = [wide, narrow]
    expect(await limits.take({ key, rates }, noon)).toEqual({ taken: true })

    const refused = { taken: false, name: 'app_minute', retryAt: noon + 60_000 } as const
    expect(await limits.take({ key, rates }, noon)).toEqual(refused)

    expect((await limits.take({ key, rates }, noon + 60_000)).taken).toBe(true)
    expect(await limits.take({ key, rates }, noon + 120_000)).toMatchObject({ name: 'app_day' })
  })

  test('after a clock that was ahead nothing is refused for longer than the window', async () => {
    const { limits } = await open()
    const row = { key: bytes(32), rates: [{ name: 'app_day' as const, max: 1, windowMs: hourMs }] }
    await limits.take(row, noon + 365 * dayMs)

    expect((await limits.take(row, noon)).taken).toBe(true)
    expect(await limits.take(row, noon)).toMatchObject({ taken: false, retryAt: noon + hourMs })
    expect((await limits.take(row, noon + hourMs)).taken).toBe(true)
  })

  test('a take whose time was read before that of one which is stored gets nothing more', async () => {
    const { limits } = await open()
    const row = { key: bytes(32), rates: [{ name: 'app_day' as const, max: 1, windowMs: hourMs }] }
    await limits.take(row, noon)

    expect(await limits.take(row, noon - 1)).toMatchObject({ retryAt: noon + hourMs })
    expect(await limits.take(row, noon - lateMs)).toMatchObject({ retryAt: noon + hourMs })
    // A wrong clock has written that.
    expect((await limits.take(row, noon - lateMs - 1)).taken).toBe(true)
  })

  test('a key is remembered until its time, and a later time replaces it', async () => {
    const { limits } = await open()
    const key = bytes(32)
    const remembers = (now: number, withinMs = hourMs) => limits.remembers({ key, now, withinMs })
    expect(await remembers(noon)).toBe(false)

    await limits.remember(key, noon + 1000)
    expect(await remembers(noon + 999)).toBe(true)
    expect(await remembers(noon + 1000)).toBe(false)
    await limits.remember(key, noon + 2000)
    expect(await remembers(noon + 1000)).toBe(true)
    expect(await limits.remembers({ key: bytes(32), now: noon, withinMs: hourMs })).toBe(false)
  })

  test('a time too far in the future is ignored, and can be set again', async () => {
    const { limits } = await open()
    const key = bytes(32)
    await limits.remember(key, noon + 7 * hourMs)

    expect(await limits.remembers({ key, now: noon, withinMs: hourMs })).toBe(false)
    await limits.remember(key, noon + hourMs)
    expect(await limits.remembers({ key, now: noon, withinMs: hourMs })).toBe(true)
  })
}

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import {
  afterAnswer,
  failingMaxMs,
  isSuccess,
  nextWidth,
  pauseMs,
  retryAfterMaxMs,
  retryDelaysMs,
  triesMax,
  waitMaxMs,
  widthFirst,
  widthMax,
} from '../../src/domain/webhook/schedule.ts'
import { noon } from '../support/world.ts'

const answer = (code: number | null, retryAfterMs: number | null = null) => {
  return { code, retryAfterMs, detail: code === null ? 'no answer' : null }
}
const first = { tries: 1, failingSince: null, now: noon, chance: 0 }
const codes = fc.option(fc.integer({ min: 100, max: 599 }))
const failures = codes.filter((code) => !isSuccess(code))

describe('a message', () => {
  test('is tried ten times in 76 hours, as Standard Webhooks advises', () => {
    const [second, minute] = [1000, 60_000]
    expect([...retryDelaysMs]).toEqual([
      ...[5 * second, 5 * minute, 30 * minute, 2 * hourMs, 5 * hourMs, 10 * hourMs],
      ...[14 * hourMs, 20 * hourMs, 24 * hourMs],
    ])
    expect(triesMax).toBe(10)
  })

  test.each([200, 201, 202, 204, 299])('has arrived with the answer %p', (code) => {
    const next = afterAnswer(answer(code), { ...first, tries: 7, failingSince: noon - dayMs })
    expect(next).toEqual({ status: 'delivered', at: null, failingSince: null, off: null })
  })

  test.each([301, 302, 307, 400, 401, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504, null])(
    'is tried again after the answer %p',
    (code) => {
      expect(afterAnswer(answer(code), first)).toEqual({
        ...{ status: 'waiting', at: noon + 5000, failingSince: noon, off: null },
      })
    },
  )

  test('waits as the schedule says, up to a tenth longer, and is dead after the tenth try', () => {
    fc.assert(
      fc.property(
        failures,
        fc.integer({ min: 1, max: 12 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (code, tries, chance) => {
          const next = afterAnswer(answer(code), { ...first, tries, chance })
          const delay = retryDelaysMs[tries - 1]
          if (delay === undefined) {
            expect([next.status, next.at]).toEqual(['dead', null])
            return
          }
          expect(next.status).toBe('waiting')
          expect(next.at).toBeGreaterThanOrEqual(noon + delay)
          expect(next.at).toBeLessThanOrEqual(noon + delay * 1.1)
        },
      ),
    )
  })

  test('waits for what Retry-After asks, if that is longer, and for six hours at most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10 * dayMs }),
        fc.integer({ min: 1, max: 9 }),
        (asked, tries) => {
          const { at } = afterAnswer(answer(503, asked), { ...first, tries })
          const delay = retryDelaysMs[tries - 1] ?? 0
          expect(at).toBe(noon + Math.max(delay, Math.min(asked, retryAfterMaxMs)))
          expect((at ?? 0) - noon).toBeLessThanOrEqual(waitMaxMs)
        },
      ),
    )
  })
})

describe('a webhook', () => {
  test('is switched off at once by 410, in whatever try', () => {
    for (let tries = 1; tries <= triesMax; tries++) {
      const next = afterAnswer(answer(410), { ...first, tries })
      expect(next).toMatchObject({ off: 'gone', status: tries < triesMax ? 'waiting' : 'dead' })
    }
  })

  test('is switched off by a failure when nothing has arrived for five days, and not before', () => {
    fc.assert(
      fc.property(failures, fc.integer({ min: 0, max: 2 * failingMaxMs }), (code, lastsMs) => {
        const { off, failingSince } = afterAnswer(answer(code), {
          ...first,
          failingSince: noon - lastsMs,
        })
        expect(failingSince).toBe(noon - lastsMs)
        if (code === 410) expect(off).toBe('gone')
        else expect(off).toBe(lastsMs >= failingMaxMs ? 'failing' : null)
      }),
    )
    expect(failingMaxMs).toBe(5 * dayMs)
  })

  test('stays on as long as something arrives at least once in five days', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            code: codes.filter((code) => code !== 410),
            afterMs: fc.integer({ min: 0, max: dayMs }),
          }),
        ),
        (tries) => {
          let [now, failingSince, arrivedAt] = [noon, null as number | null, noon]
          for (const { code, afterMs } of tries) {
            now += afterMs
            const next = afterAnswer(answer(code), { ...first, failingSince, now })
            if (isSuccess(code)) arrivedAt = now
            if (next.off) expect(now - arrivedAt).toBeGreaterThanOrEqual(failingMaxMs)
            if (isSuccess(code)) expect(next.failingSince).toBeNull()
            ;({ failingSince } = next)
          }
        },
      ),
    )
  })
})

describe('a receiver', () => {
  test('gets one message more at a time after each success, up to 64, and half after a failure', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ isRight: fc.boolean(), isSlow: fc.boolean() })), (ends) => {
        let width = widthFirst
        for (const end of ends) {
          const next = nextWidth(width, end)
          expect(next).toBeGreaterThanOrEqual(1)
          expect(next).toBeLessThanOrEqual(
            end.isRight && !end.isSlow
              ? Math.min(widthMax, width + 1)
              : Math.max(widthFirst, width / 2),
          )
          width = next
        }
      }),
    )
    let width = 64
    for (const expected of [32, 16, 8, 4, 2, 1, 1]) {
      width = nextWidth(width, { isRight: false, isSlow: false })
      expect(width).toBe(expected)
    }
    expect(nextWidth(32, { isRight: true, isSlow: true })).toBe(4)
  })

  test('is paused from the fifth failure in a row, as long as it has failed, for a minute at most', () => {
    expect(pauseMs({ failures: 4, lastsMs: dayMs })).toBe(0)
    expect(pauseMs({ failures: 5, lastsMs: 0 })).toBe(1000)
    expect(pauseMs({ failures: 5, lastsMs: 20_000 })).toBe(20_000)
    expect(pauseMs({ failures: 50, lastsMs: dayMs })).toBe(60_000)
  })
})

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createWidth, type Width } from '../../../src/jobs/sender/width.ts'

/** A clock that the test moves. */
function handClock() {
  let now = 0
  return {
    monotonic: () => now,
    pass: (ms: number) => {
      now += ms
    },
  }
}

/** One round: as many hand-overs as the width allows, each answered after so many ms. */
function round(width: Width, clock: ReturnType<typeof handClock>, ms: number, wanting = true) {
  const begun = Array.from({ length: width.value() }, (_, index) => width.begin(index + 1))
  clock.pass(ms)
  for (const one of begun) width.answered(one, wanting)
}

function started(max = 50) {
  const clock = handClock()
  return { clock, width: createWidth(clock, max) }
}

describe('the width of a lane', () => {
  test('starts small and doubles in every round while mail waits', () => {
    const { width, clock } = started()
    const seen = [width.value()]
    for (let count = 0; count < 6; count++) {
      round(width, clock, 100)
      seen.push(width.value())
    }

    expect(seen).toEqual([3, 6, 12, 24, 48, 50, 50])
  })

  test('stays where nothing waits', () => {
    const { width, clock } = started()
    for (let count = 0; count < 5; count++) round(width, clock, 100, false)

    expect(width.value()).toBe(3)
  })

  test('stops growing when answers are slower, and is halved when they are far slower', () => {
    const { width, clock } = started(400)
    for (let count = 0; count < 3; count++) round(width, clock, 100)
    round(width, clock, 260)
    round(width, clock, 260)
    const before = width.value()
    for (let count = 0; count < 3; count++) round(width, clock, 260)
    expect(width.value()).toBe(before)

    for (let count = 0; count < 2; count++) round(width, clock, 1_000)

    expect(width.value()).toBeLessThanOrEqual(before / 2)
    expect(width.value()).toBeGreaterThan(1)
  })

  test('is not halved by the time that opening connections takes', () => {
    const { width, clock } = started()
    // 400 ms more for each hand-over that opens a connection.
    for (let count = 0; count < 6; count++) {
      const begun = Array.from({ length: width.value() }, (_, index) => width.begin(index + 1))
      clock.pass(100)
      for (const one of begun.filter(({ opens }) => !opens)) width.answered(one, true)
      clock.pass(400)
      for (const one of begun.filter(({ opens }) => opens)) width.answered(one, true)
    }

    expect(width.value()).toBe(50)
  })

  test('is halved once for all hand-overs of a round that were too many', () => {
    const { width, clock } = started()
    for (let count = 0; count < 3; count++) round(width, clock, 100)
    const begun = Array.from({ length: 24 }, (_, index) => width.begin(index + 1))
    clock.pass(10)
    for (const [index, one] of begun.slice(20).entries()) width.tooMany(one, 23 - index)

    expect(width.value()).toBe(12)
    expect(width.reachable()).toBe(20)
  })

  test('finds the number of connections that a server allows, and tries more after a while', () => {
    const { width, clock } = started()
    const allowed = 10
    const most: number[] = []
    for (let count = 0; count < 100; count++) {
      const begun = Array.from({ length: width.value() }, (_, index) => width.begin(index + 1))
      most.push(begun.length)
      for (const [index, one] of begun.slice(allowed).entries()) {
        width.tooMany(one, begun.length - index - 1)
      }
      clock.pass(100)
      for (const one of begun.slice(0, allowed)) width.answered(one, true)
    }

    expect(most.slice(10).filter((running) => running >= 8).length).toBeGreaterThan(80)
    expect(most.slice(10, 100).some((running) => running > allowed)).toBe(false)
    clock.pass(15_000)
    round(width, clock, 100)
    round(width, clock, 100)
    expect(width.value()).toBeGreaterThan(allowed)
  })

  test('is one after a restart, and grows again', () => {
    const { width, clock } = started()
    for (let count = 0; count < 3; count++) round(width, clock, 100)
    width.restart()
    expect(width.value()).toBe(1)
    for (let count = 0; count < 3; count++) round(width, clock, 100)

    expect(width.value()).toBe(8)
  })

  test('follows the settings', () => {
    const { width, clock } = started(10)
    for (let count = 0; count < 5; count++) round(width, clock, 100)
    width.limit(2)
    expect(width.value()).toBe(2)
    width.limit(20)
    for (let count = 0; count < 5; count++) round(width, clock, 100)

    expect(width.value()).toBe(20)
  })

  test('lies between one and its greatest value, whatever happens', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ what: fc.constant('round' as const), ms: fc.nat(5_000) }),
        fc.record({ what: fc.constant('tooMany' as const), ms: fc.nat(60) }),
        fc.record({ what: fc.constant('restart' as const), ms: fc.nat(60_000) }),
        fc.record({ what: fc.constant('limit' as const), ms: fc.integer({ min: 1, max: 50 }) }),
      ),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), steps, (first, list) => {
        const { width, clock } = started(first)
        let max = first
        for (const { what, ms } of list) {
          if (what === 'round') round(width, clock, ms)
          if (what === 'tooMany') width.tooMany(width.begin(width.value()), ms)
          if (what === 'restart') width.restart()
          if (what === 'limit') {
            max = ms
            width.limit(ms)
          }
          clock.pass(ms)
          expect(width.value()).toBeGreaterThanOrEqual(1)
          expect(width.value()).toBeLessThanOrEqual(max)
          expect(width.reachable()).toBeLessThanOrEqual(max)
        }
      }),
    )
  })
})

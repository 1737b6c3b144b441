import { expect, test } from 'bun:test'
import { createWorkingTime, withTurns } from '../../src/channels/turns.ts'
import type { DeliveryOutcome, Handover } from '../../src/domain/delivery/delivery.ts'
import { systemClock, systemTimers } from '../../src/system.ts'
import { appWith, handoverOf } from './mail-fixtures.ts'

const sent: DeliveryOutcome = { status: 'sent', code: '204', detail: null, remoteId: null }

/** A channel whose hand-overs end when the test says so. */
function held() {
  const open: { handover: Handover; end(): void }[] = []
  const channel = withTurns(
    {
      deliver: (handover) =>
        new Promise((resolve) => open.push({ handover, end: () => resolve(sent) })),
      close: () => {},
    },
    { clock: systemClock, timers: systemTimers },
  )
  const queue = (width: number, signal = new AbortController().signal) => {
    const now = systemClock.now()
    const handover = handoverOf(appWith(), { createdAt: now, expiresAt: now + 60_000 })
    return channel.queue?.(handover, { width, signal }) ?? null
  }
  return { open, queue }
}

/** Keeps the event loop from turning. */
function stall(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('as many hand-overs as the width run, and the next begins when one ends', async () => {
  const { open, queue } = held()
  const all = [queue(2), queue(2), queue(2)]
  await Bun.sleep(5)
  expect(open).toHaveLength(2)

  open[0]?.end()
  expect(await all[0]).toMatchObject({ outcome: sent, others: 1 })
  expect(open).toHaveLength(3)
  for (const { end } of open) end()
  expect((await Promise.all(all)).map((each) => each?.outcome)).toEqual([sent, sent, sent])
})

test('one that is stopped before it began is not begun', async () => {
  const { open, queue } = held()
  const controller = new AbortController()
  const [first, second] = [queue(1), queue(1, controller.signal)]
  controller.abort()

  expect(await second).toBeNull()
  open[0]?.end()
  expect(await first).toMatchObject({ outcome: sent })
  expect(open).toHaveLength(1)
})

test('a hand-over takes no longer because this process was busy meanwhile', async () => {
  const { open, queue } = held()
  const running = queue(1)
  await Bun.sleep(60)
  stall(400)
  open[0]?.end()

  const { tookMs = 0 } = (await running) ?? {}
  expect(tookMs).toBeGreaterThanOrEqual(50)
  expect(tookMs).toBeLessThan(250)
})

test('working time goes on while nobody measures, and never goes back', async () => {
  const working = createWorkingTime(systemTimers)
  const begun = working.monotonic()
  stall(50)
  expect(working.monotonic() - begun).toBeGreaterThanOrEqual(49)

  working.begin()
  let last = working.monotonic()
  for (let times = 0; times < 10; times++) {
    await Bun.sleep(5)
    stall(30)
    expect(working.monotonic()).toBeGreaterThanOrEqual(last)
    last = working.monotonic()
  }
  working.end()
  await Bun.sleep(50)
  const before = working.monotonic()
  await Bun.sleep(30)
  expect(working.monotonic() - before).toBeGreaterThanOrEqual(25)
})

import { expect, test } from 'bun:test'
import {
  aheadMax,
  createLane,
  expectedWaitMs,
  type Item,
  observe,
} from '../../../src/jobs/sender/lane.ts'

const place = { appId: 'app', channel: 'email', endpointId: 'one' } as const

/** A lane with so many waiting messages, and its clock. */
function openLane({ waiting = 0, connectionsMax = 10 } = {}) {
  const clock = { now: 0, monotonic: () => clock.now }
  const lane = createLane(place, connectionsMax, clock)
  // Only their number counts here.
  for (let count = 0; count < waiting; count++) lane.push({ putBacks: count } as Item)
  const send = (count: number, { everyMs, tookMs }: { everyMs: number; tookMs: number }) => {
    for (let sent = 0; sent < count; sent++) {
      clock.now += everyMs
      observe(lane, tookMs, clock.now)
    }
  }
  return { lane, send }
}

test('the expected wait follows the pace at which messages leave while others wait', () => {
  const { lane, send } = openLane({ waiting: 100 })
  send(20, { everyMs: 10, tookMs: 1 })
  expect(expectedWaitMs(lane)).toBeLessThan(100)

  // The server answers in 1 ms, but something else lets a message leave every 50 ms only.
  send(100, { everyMs: 50, tookMs: 1 })
  expect(expectedWaitMs(lane)).toBe(100 * 50)
})

test('a pace is forgotten once nothing waits', () => {
  const { lane, send } = openLane({ waiting: 100 })
  send(100, { everyMs: 50, tookMs: 1 })
  lane.drain()
  send(1, { everyMs: 50, tookMs: 1 })

  expect(expectedWaitMs(lane)).toBe(0)
  lane.backlog = 100
  expect(expectedWaitMs(lane)).toBeLessThan(100)
})

test('the channel holds what the server takes in 50 ms, and 200 messages at most', () => {
  const held = (tookMs: number) => {
    const { lane, send } = openLane()
    send(1, { everyMs: 1, tookMs })
    return aheadMax(lane) / lane.width.value()
  }
  expect(held(10)).toBe(5)
  expect(held(100)).toBeLessThan(1)
  expect(held(1)).toBe(50)

  const { lane, send } = openLane({ waiting: 1, connectionsMax: 50 })
  send(1, { everyMs: 1, tookMs: 1 })
  for (let count = 0; count < 20; count++) lane.width.answered(lane.width.begin(1), true)
  expect(aheadMax(lane)).toBe(200)
})

test('the channel holds nothing before a first answer, and while the server does not answer', () => {
  const { lane, send } = openLane({ waiting: 10 })
  expect(aheadMax(lane)).toBe(0)
  send(1, { everyMs: 1, tookMs: 1 })
  expect(aheadMax(lane)).toBeGreaterThan(0)
  for (let count = 0; count < 3; count++) lane.circuit.failed(0)
  expect(aheadMax(lane)).toBe(0)
})

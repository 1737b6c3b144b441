import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { App } from '../../../src/domain/app/app.ts'
import type { Lane } from '../../../src/domain/delivery/handover.ts'
import { waitingMax } from '../../../src/jobs/sender/sender.ts'
import { says, takes, unreachable } from './simulated-servers.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage
beforeEach(async () => {
  stage = await openStage()
})
afterEach(() => stage.close())

function laneOf(app: App): Lane {
  return { appId: app.id, channel: 'email', endpointId: app.endpoints[0]?.id ?? null }
}

function server(app: App) {
  return stage.servers.of(app.endpoints[0]?.id ?? '')
}

/** Counts the places that can be reserved, and gives them back. */
function places(lane: Lane): number {
  let count = 0
  while (count < 30_000 && stage.sender.reserve(lane)) count++
  for (let left = count; left > 0; left--) stage.sender.release(lane)
  return count
}

describe('the expected wait of a new message', () => {
  test('is 0 where nothing is known, nothing waits, or everything was sent', async () => {
    const lane = laneOf(stage.app)
    expect(stage.sender.expectedWaitMs(lane)).toBe(0)
    await stage.start(20)
    await stage.time.run(5_000)

    expect(stage.sender.expectedWaitMs(lane)).toBe(0)
  })

  test('follows from the waiting messages and the speed of the server', async () => {
    const app = await stage.newApp({ connectionsMax: 10 })
    server(app).behave = takes(400)
    await stage.start(200, { app })
    await stage.time.run(4_000)
    const { length } = server(app).got
    const waitMs = stage.sender.expectedWaitMs(laneOf(app))

    // Ten at a time, 400 ms each.
    expect(waitMs).toBeGreaterThan((200 - length) * 40 * 0.7)
    expect(waitMs).toBeLessThan((200 - length) * 40 * 1.3)
  })

  test('makes a start fail before anything is stored where it is too long', async () => {
    const app = await stage.newApp({ connectionsMax: 1 })
    server(app).behave = takes(2_000)
    await stage.start(25, { app })
    await stage.time.run(10_500)

    const start = stage.start(1, { app })

    await expect(start).rejects.toMatchObject({ code: 'delivery_backlog' })
    const { waiting } = await stage.time.until(stage.ports.deliveries.backlog())
    expect(waiting + server(app).accepted.size).toBe(25)
  })

  test('is longer for a message that may wait less', async () => {
    const app = await stage.newApp({ connectionsMax: 1 })
    server(app).behave = takes(1_000)
    await stage.start(12, { app })
    await stage.time.run(2_000)

    await expect(stage.start(1, { app, ttlSeconds: 30 })).rejects.toMatchObject({
      code: 'delivery_backlog',
    })
    expect(await stage.start(1, { app, ttlSeconds: 600 })).toHaveLength(1)
  })

  test('for a server that does not answer is the time until it is tried again', async () => {
    server(stage.app).behave = says(unreachable)
    await stage.start(3)
    await stage.time.run(500)
    const waitMs = stage.sender.expectedWaitMs(laneOf(stage.app))
    expect(waitMs).toBeGreaterThan(0)
    expect(waitMs).toBeLessThanOrEqual(1_000)
    server(stage.app).behave = takes(100)

    const started = await stage.start(1)
    await stage.time.run(2_000)

    expect(started).toHaveLength(1)
    expect(server(stage.app).accepted.size).toBe(1)
  })

  test('for a server that is dead for long makes starts fail, of its own app only', async () => {
    const other = await stage.newApp()
    server(stage.app).behave = says(unreachable)
    stage.sender.start()
    let refused = 0
    for (let seconds = 0; seconds < 120; seconds++) {
      await stage.start(10).catch(() => refused++)
      await stage.time.run(1_000)
    }

    expect(refused).toBeGreaterThan(60)
    const { waiting } = await stage.time.until(stage.ports.deliveries.backlog())
    expect(waiting).toBeLessThan(500)
    expect(stage.sender.expectedWaitMs(laneOf(other))).toBe(0)
  })

  test('is infinite beyond the greatest number of messages that may wait in all', async () => {
    const lane = laneOf(stage.app)
    const backlog = async () => ({ waiting: waitingMax, oldestAt: null })
    const { deliveries } = stage.ports
    stage.restart({ ports: { deliveries: { ...deliveries, backlog } } }).start()
    await stage.time.run(1_500)
    const other = laneOf(await stage.newApp())

    expect(stage.sender.expectedWaitMs(lane)).toBe(Number.POSITIVE_INFINITY)
    expect(stage.sender.expectedWaitMs(other)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('a lane holds', () => {
  test('no more messages than can be sent in half a minute, at most 5,000', async () => {
    const app = await stage.newApp({ connectionsMax: 10 })
    expect(places(laneOf(app))).toBe(5_000)
    server(app).behave = takes(1_000)
    await stage.start(100, { app })
    await stage.time.run(8_000)

    const left = 100 - server(app).got.length
    expect(places(laneOf(app)) + left).toBeGreaterThan(250)
    expect(places(laneOf(app)) + left).toBeLessThan(400)
  })

  test('no more than 20,000 messages together with all other lanes', async () => {
    let total = 0
    for (let count = 0; count < 5; count++) {
      const app = await stage.newApp()
      while (stage.sender.reserve(laneOf(app))) total++
    }

    expect(total).toBe(20_000)
  })
})

test('a message without a place waits in the store, and is claimed as soon as there is one', async () => {
  const app = await stage.newApp({ connectionsMax: 10 })
  server(app).behave = takes(20)
  // Takes all places but ten.
  const lane = laneOf(app)
  const reserved = places(lane) - 10
  for (let count = 0; count < reserved; count++) stage.sender.reserve(lane)
  await stage.start(200, { app })
  for (let count = 0; count < reserved; count++) stage.sender.release(lane)
  stage.sender.start()
  const begun = stage.time.timers.monotonic()
  while (server(app).accepted.size < 200) await stage.time.run(10)

  // 200 messages, ten at a time, 20 ms each, and one query for due ones.
  expect(stage.time.timers.monotonic() - begun).toBeLessThan(400 + 1_500)
})

test('stats and metrics have the waiting messages, the oldest age, connections and speed', async () => {
  server(stage.app).behave = takes(1_000)
  const { deliveries } = stage.ports
  stage.sender.start()
  await stage.start(100)
  const oldestAt = stage.time.clock.now()
  await stage.time.run(6_500)
  const { waiting } = await stage.time.until(deliveries.backlog())
  const stats = stage.sender.stats()

  expect(stats).toMatchObject({ connections: 10, oldestAt })
  expect(Math.abs(stats.waiting - waiting)).toBeLessThanOrEqual(20)
  expect(stats.sentPerSecond).toBeGreaterThan(5)
  expect(stats.sentPerSecond).toBeLessThan(15)
})

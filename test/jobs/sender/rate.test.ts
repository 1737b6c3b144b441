import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { App } from '../../../src/domain/app/app.ts'
import { updateEndpoint } from '../../../src/domain/app/endpoints.ts'
import { says, takes, unreachable } from './simulated-servers.ts'
import { mostInAMinute, only, openStage, type Stage } from './stage.ts'

let stage: Stage
beforeEach(async () => {
  stage = await openStage()
})
afterEach(() => stage.close())

function server(app: App, rank = 1) {
  return stage.servers.of(app.endpoints[rank - 1]?.id ?? '')
}

function timesAt(app: App, rank = 1): number[] {
  return server(app, rank).got.map(({ at }) => at)
}

function laneOf(app: App) {
  return { appId: app.id, channel: 'email', endpointId: app.endpoints[0]?.id ?? null } as const
}

test('an endpoint gets no more than its rate in any 60 seconds, and all of it', async () => {
  const app = await stage.newApp({ ratePerMinute: 5 })
  await stage.start(5, { app })
  stage.sender.start()
  // Those beyond the rate are queued while the wait for them is short enough.
  await stage.time.run(35_000)
  await stage.start(5, { app })
  await stage.time.run(400_000)

  expect(server(app).got).toHaveLength(10)
  expect(mostInAMinute(timesAt(app))).toBe(5)
  const [, , , , fifth = 0, sixth = 0] = timesAt(app)
  expect(sixth - fifth).toBeGreaterThanOrEqual(60_000)
  expect(sixth - fifth).toBeLessThan(61_500)
})

test('what waits in the store is sent at the rate too', async () => {
  const app = await stage.newApp({ ratePerMinute: 3 })
  stage.sender.stop(0)
  // Queued without a sender, as by another node.
  const { sender } = stage
  sender.expectedWaitMs = () => 0
  const started = await stage.start(12, { app })
  stage.restart().start()
  await stage.time.run(250_000)

  expect(mostInAMinute(timesAt(app))).toBe(3)
  for (const one of started) expect(only(await stage.history(one)).status).toBe('sent')
})

test('two nodes keep to the rate and the connections of an endpoint together', async () => {
  const app = await stage.newApp({ ratePerMinute: 6, connectionsMax: 4 })
  await stage.sender.stop(0)
  for (const node of ['a', 'b']) {
    await stage.beat(node)
    const sender = stage.restart({ node, live: () => 2 })
    sender.expectedWaitMs = () => 0
    sender.start()
    await stage.start(12, { app })
  }
  for (let seconds = 0; seconds < 300; seconds += 5) {
    await stage.time.run(5_000)
    for (const node of ['a', 'b']) await stage.beat(node)
  }

  expect(server(app).got).toHaveLength(24)
  expect(mostInAMinute(timesAt(app))).toBe(6)
  expect(server(app).most).toBeLessThanOrEqual(4)
})

test('a start beyond the rate fails with the wait until the next token', async () => {
  const app = await stage.newApp({ ratePerMinute: 4 })
  await stage.start(4, { app })
  await stage.time.run(5_000)

  expect(stage.sender.expectedWaitMs(laneOf(app))).toBeGreaterThan(54_000)
  await expect(stage.start(1, { app })).rejects.toMatchObject({
    code: 'delivery_backlog',
    extra: { retryAfterSeconds: 26 },
  })

  await stage.time.run(56_000)
  expect(stage.sender.expectedWaitMs(laneOf(app))).toBe(0)
  expect(await stage.start(1, { app })).toHaveLength(1)
})

test('messages beyond the rate go to the next endpoint at once', async () => {
  const app = await stage.newApp({ endpoints: 2, ratePerMinute: 5 })
  const started = await stage.start(8, { app })
  await stage.time.run(2_000)

  expect([timesAt(app, 1).length, timesAt(app, 2).length]).toEqual([5, 3])
  const histories = await Promise.all(started.slice(-1).map(stage.history))
  expect(histories[0]?.[0]?.history.map(({ status, cause }) => [status, cause])).toEqual([
    ['deferred', 'busy'],
    ['sent', null],
  ])
})

test('a failed hand-over counts for the rate', async () => {
  const app = await stage.newApp({ ratePerMinute: 2 })
  server(app).behave = says(unreachable)
  await stage.start(2, { app })
  stage.sender.start()
  await stage.time.run(200_000)

  expect(mostInAMinute(timesAt(app))).toBe(2)
})

test('a rate that is taken back holds until the next message, and not longer', async () => {
  const app = await stage.newApp({ ratePerMinute: 1 })
  stage.sender.start()
  await stage.start(1, { app })
  await stage.time.run(31_000)
  await stage.start(1, { app })
  const [endpoint] = app.endpoints
  const change = { appId: app.id, id: endpoint?.id ?? '', input: { ratePerMinute: null } }
  await stage.time.until(updateEndpoint(stage.ports, { who: 'cli', requestId: null }, change))
  await stage.time.run(31_000)
  const changed = await stage.time.until(stage.ports.apps.get(app.id))
  await stage.start(5, { app: changed ?? app })
  await stage.time.run(1_000)

  expect(server(app).got.length).toBe(7)
})

test('the mail of one endpoint’s rate waits for no other app', async () => {
  const app = await stage.newApp({ ratePerMinute: 1 })
  server(app).behave = takes(10)
  await stage.start(1, { app })
  const other = await stage.newApp()
  await stage.start(20, { app: other })
  await stage.time.run(5_000)

  expect(server(other).got).toHaveLength(20)
})

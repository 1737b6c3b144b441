import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { allows, full, says, sent, takes, unreachable } from './simulated-servers.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage
beforeEach(async () => {
  stage = await openStage()
})
afterEach(() => stage.close())

/** Milliseconds until every waiting message was accepted. */
async function timeToSend(count: number, endpointId: string): Promise<number> {
  const server = stage.servers.of(endpointId)
  const begun = stage.time.timers.monotonic()
  while (server.accepted.size < count) {
    const before = stage.time.timers.monotonic()
    if (before - begun > 600_000) throw new Error(`only ${server.accepted.size} were sent`)
    await stage.time.run(10)
  }
  return stage.time.timers.monotonic() - begun
}

async function appWith(connectionsMax: number) {
  const app = await stage.newApp({ connectionsMax })
  const endpointId = app.endpoints[0]?.id ?? ''
  return { app, endpointId, server: stage.servers.of(endpointId) }
}

describe('a burst', () => {
  test.each([
    // The wanted times, plus the time to open connections.
    [300, 100, 10, 3_600],
    [300, 100, 30, 1_600],
    [600, 400, 10, 27_000],
    [600, 400, 30, 11_000],
  ])('of %i mails, %i ms a mail, over %i connections takes at most %i ms', async (...row) => {
    const [count, takesMs, connectionsMax, mostMs] = row
    const { app, endpointId, server } = await appWith(connectionsMax)
    server.behave = takes(takesMs)

    await stage.start(count, { app })

    expect(await timeToSend(count, endpointId)).toBeLessThanOrEqual(mostMs)
    expect(server.most).toBe(connectionsMax)
    expect([...server.accepted.values()].every((times) => times === 1)).toBe(true)
  })

  test('that is larger than a lane is sent without a pause, also from the store', async () => {
    const { app, endpointId, server } = await appWith(10)
    server.behave = takes(100)
    const inTime = await stage.start(400, { app })
    // Another process left more messages than this one may hold at a time.
    expect(inTime).toHaveLength(400)
    stage.restart()
    await stage.time.until(stage.ports.deliveries.releaseLeases('a'))
    stage.sender.start()

    expect(await timeToSend(400, endpointId)).toBeLessThan(400 * 10 + 1_500)
  })
})

describe('a server with few connections', () => {
  test.each([1, 3, 10])('is used to its capacity: %i', async (connections) => {
    const { app, endpointId, server } = await appWith(30)
    server.greet = allows(connections)
    server.behave = takes(100)
    const count = connections * 60

    await stage.start(count, { app })

    // At least 60 rounds of 100 ms; finding the number of connections costs a few more.
    expect(await timeToSend(count, endpointId)).toBeLessThan(9_000)
    expect([...server.accepted.values()].every((times) => times === 1)).toBe(true)
  })

  test('that answers 421 to every second connection still gets every mail in time', async () => {
    const { app, endpointId, server } = await appWith(10)
    server.greet = ({ number }) => (number % 2 === 0 ? says(full)() : null)
    server.behave = takes(50)
    stage.sender.start()

    await stage.start(50, { app })

    expect(await timeToSend(50, endpointId)).toBeLessThan(3_000)
  })

  test('that slows down under load does not get ever more', async () => {
    const { app, server, endpointId } = await appWith(50)
    // The server works serially: 20 ms a message, however many connections there are.
    let free = 0
    server.behave = () => {
      const now = stage.time.timers.monotonic()
      free = Math.max(free, now) + 20
      return { takesMs: free - now, outcome: sent }
    }

    await stage.start(400, { app })

    expect(await timeToSend(400, endpointId)).toBeLessThan(400 * 20 * 1.3)
    expect(server.most).toBeLessThan(30)
  })
})

test('an app whose server is dead delays no other app', async () => {
  const dead = await stage.newApp()
  stage.servers.of(dead.endpoints[0]?.id ?? '').behave = says(unreachable, 8_000)
  const { app, endpointId, server } = await appWith(10)
  server.behave = takes(100)
  stage.sender.start()
  await stage.start(200, { app: dead })
  await stage.time.run(2_000)

  await stage.start(50, { app })

  expect(await timeToSend(50, endpointId)).toBeLessThan(1_500)
})

test('hand-overs never exceed the number of connections, and apps take turns', async () => {
  await stage.close()
  stage = await openStage({ connectionsMax: 6 })
  const apps = await Promise.all([1, 2, 3].map(() => appWith(10)))
  for (const { server } of apps) server.behave = takes(100)
  let most = 0
  for (const { app } of apps) await stage.start(40, { app })
  for (let round = 0; round < 200; round++) {
    await stage.time.run(10)
    most = Math.max(most, stage.servers.running())
  }

  const counts = apps.map(({ server }) => server.accepted.size)
  expect(most).toBe(6)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(6)
})

test('an app with a fast server gets its share beside slow ones', async () => {
  await stage.close()
  stage = await openStage({ connectionsMax: 6 })
  const slow = await Promise.all([1, 2].map(() => appWith(10)))
  for (const { server } of slow) server.behave = takes(20_000)
  const quick = await appWith(10)
  quick.server.behave = takes(100)

  await Promise.all([...slow, quick].map(({ app }) => stage.start(20, { app })))

  expect(await timeToSend(20, quick.endpointId)).toBeLessThan(3_000)
})

test('apps whose servers are dead take no connections from others', async () => {
  await stage.close()
  stage = await openStage({ connectionsMax: 20 })
  stage.sender.start()
  for (let count = 0; count < 30; count++) {
    const dead = await stage.newApp()
    stage.servers.of(dead.endpoints[0]?.id ?? '').behave = says(unreachable)
    await stage.start(10, { app: dead })
  }
  await stage.time.run(5_000)
  const { app, endpointId, server } = await appWith(10)
  server.behave = takes(100)

  await stage.start(100, { app })

  expect(await timeToSend(100, endpointId)).toBeLessThan(1_500)
})

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { AlarmKind } from '../../../src/domain/alarm.ts'
import type { App } from '../../../src/domain/app/app.ts'
import { removeEndpoint } from '../../../src/domain/app/endpoints.ts'
import {
  full,
  greylisted,
  later,
  refusedBy,
  says,
  takes,
  unanswered,
  unreachable,
} from './simulated-servers.ts'
import { only, openStage, type Stage } from './stage.ts'

let stage: Stage
let app: App
beforeEach(async () => {
  stage = await openStage()
  app = await stage.newApp({ endpoints: 2 })
})
afterEach(() => stage.close())

function server(rank: number) {
  return stage.servers.of(app.endpoints[rank - 1]?.id ?? '')
}

async function openAlarms() {
  const query = { appId: app.id, open: true, limit: 10, cursor: null }
  const { items } = await stage.time.until(stage.ports.alarms.list(query))
  return items.map(({ kind, endpointId }) => ({ kind, endpointId }))
}

describe('a message goes to the next endpoint at once', () => {
  test.each([
    ['where nothing listens', unreachable],
    ['where the server is busy', later],
    ['where it takes no connection', full],
    ['where it refuses the login', refusedBy('login')],
    ['where it refuses by its policy', refusedBy('policy')],
    ['where its settings are wrong', refusedBy('server')],
  ])('%s', async (_why, outcome) => {
    server(1).behave = says(outcome)
    const [started] = await stage.start(1, { app })
    if (!started) throw new Error('nothing was started')

    const state = await stage.time.until(stage.sender.settled(started.id, 5_000))

    expect(state).toMatchObject({ status: 'sent' })
    expect(server(2).got[0]?.at).toBeLessThan(50)
    const [delivery] = await stage.history(started)
    expect(delivery).toMatchObject({ tries: 2, endpointId: app.endpoints[1]?.id })
    expect(delivery?.history.map(({ number, endpointId }) => [number, endpointId])).toEqual([
      [1, app.endpoints[0]?.id ?? null],
      [2, app.endpoints[1]?.id ?? null],
    ])
  })
})

describe('a message does not go to the next endpoint', () => {
  test('where its recipient or the message itself is refused', async () => {
    for (const cause of ['recipient', 'message'] as const) {
      server(1).behave = says(refusedBy(cause))
      await stage.start(1, { app })
    }
    await stage.time.run(60_000)

    expect(server(2).got).toEqual([])
  })

  test('where it was greylisted, or may have been accepted', async () => {
    for (const outcome of [greylisted, unanswered]) {
      server(1).behave = says(outcome)
      await stage.start(1, { app })
      await stage.time.run(100)
    }
    server(1).behave = takes(10)
    stage.sender.start()
    await stage.time.run(70_000)

    expect(server(2).got).toEqual([])
    expect(server(1).got).toHaveLength(4)
  })
})

test('only the first messages wait for a server that does not answer', async () => {
  server(1).behave = says(unreachable, 8_000)
  await stage.start(3, { app })
  await stage.time.run(8_500)
  expect(server(2).accepted.size).toBe(3)
  const begun = stage.time.timers.monotonic()

  await stage.start(100, { app })
  while (server(2).accepted.size < 102) await stage.time.run(10)

  // All but the one that tests whether the server is back.
  expect(stage.time.timers.monotonic() - begun).toBeLessThan(2_000)
  expect(server(1).got.length).toBeLessThan(6)
})

test('messages that arrive while one tests a server that hangs go to the next endpoint at once', async () => {
  server(1).behave = says(unreachable, 8_000)
  await stage.start(3, { app })
  await stage.time.run(9_500)
  await stage.start(1, { app })
  await stage.time.run(100)
  expect(server(1).got).toHaveLength(4)

  await stage.start(20, { app })
  await stage.time.run(500)

  expect(server(1).got).toHaveLength(4)
  expect(server(2).accepted.size).toBe(23)
})

test('messages wait for a server that hangs for two seconds, then they go to the next endpoint', async () => {
  server(1).behave = says(unreachable, 8_000)
  await stage.start(20, { app })
  await stage.time.run(1_900)
  expect(server(2).accepted.size).toBe(0)

  await stage.time.run(600)

  const handedOver = server(1).got.length
  expect(handedOver).toBeLessThan(5)
  expect(server(2).accepted.size).toBe(20 - handedOver)
})

test('a server that always takes three seconds keeps its messages', async () => {
  server(1).behave = takes(3_000)
  await stage.start(1, { app })
  await stage.time.run(4_000)

  await stage.start(12, { app })
  await stage.time.run(30_000)

  expect(server(1).accepted.size).toBe(13)
})

test('while both servers are dead nothing is lost, and everything is sent when one is back', async () => {
  server(1).behave = says(unreachable)
  server(2).behave = says(unreachable)
  const all = await stage.start(30, { app })
  stage.sender.start()
  await stage.time.run(30_000)
  server(2).behave = takes(100)
  await stage.time.run(200_000)

  const deliveries = await Promise.all(all.map(stage.history))
  expect(deliveries.map((list) => only(list).status)).toEqual(Array(30).fill('sent'))
  expect(server(2).accepted.size).toBe(30)
})

test('a message for an endpoint that was removed is sent through another one', async () => {
  const gone = app.endpoints[0]?.id ?? ''
  const lost = { deliver: () => new Promise<never>(() => {}), close: () => {} }
  stage.restart({ channel: lost })
  const [started] = await stage.start(1, { app })
  if (!started) throw new Error('nothing was started')
  const actor = { who: 'cli', requestId: null }
  await stage.time.until(removeEndpoint(stage.ports, actor, { appId: app.id, id: gone }))
  await stage.time.until(stage.ports.deliveries.releaseLeases('a'))
  // As the email channel answers a hand-over without an endpoint.
  const noEndpoint = { ...refusedBy('server'), code: null }
  stage.servers.of('none').behave = says(noEndpoint)
  stage.restart().start()
  await stage.time.run(3_000)

  expect(only(await stage.history(started)).status).toBe('sent')
})

describe('an alarm', () => {
  const kinds: ['login' | 'server' | 'policy' | 'message', AlarmKind][] = [
    ['login', 'login_refused'],
    ['server', 'server_refused'],
    ['policy', 'policy_refused'],
    ['message', 'message_refused'],
  ]
  test.each(kinds)(
    'is raised once by refusals for %s, and ends with a sent message',
    async (...row) => {
      const [cause, kind] = row
      const first = { endpointId: app.endpoints[0]?.id ?? '' }
      server(1).behave = says(refusedBy(cause))
      await stage.start(3, { app })
      await stage.time.run(1_000)

      expect(await openAlarms()).toEqual([{ kind, ...first }])
      expect(stage.lines.filter(({ event }) => event === 'alarm_raised')).toEqual([
        { event: 'alarm_raised', fields: { alarm: kind, appId: app.id, ...first } },
      ])
      server(1).behave = takes(10)
      await stage.start(3, { app })
      await stage.time.run(1_000)

      expect(await openAlarms()).toEqual([])
      expect(stage.lines.filter(({ event }) => event === 'alarm_cleared')).toHaveLength(1)
    },
  )

  test('is written once, however many messages are refused', async () => {
    const { alarms } = stage.ports
    let raised = 0
    const raise: typeof alarms.raise = (command) => {
      raised++
      return alarms.raise(command)
    }
    stage.restart({ ports: { alarms: { ...alarms, raise } } })
    server(1).behave = says(refusedBy('login'))
    await stage.start(20, { app })
    await stage.time.run(5_000)

    expect(server(1).got.length).toBeGreaterThan(10)
    expect(raised).toBe(1)
  })

  test('is not raised for a cause that an admin cannot end', async () => {
    for (const outcome of [refusedBy('recipient'), unreachable, later, greylisted]) {
      server(1).behave = says(outcome)
      await stage.start(1, { app })
      await stage.time.run(100)
    }

    expect(await openAlarms()).toEqual([])
  })

  test('that was raised before a restart is cleared too', async () => {
    server(1).behave = says(refusedBy('login'))
    await stage.start(1, { app })
    await stage.time.run(1_000)
    stage.restart()
    server(1).behave = takes(10)
    await stage.start(1, { app })
    await stage.time.run(1_000)

    expect(await openAlarms()).toEqual([])
  })
})

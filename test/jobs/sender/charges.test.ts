import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { App } from '../../../src/domain/app/app.ts'
import { updateEndpoint } from '../../../src/domain/app/endpoints.ts'
import { changeApp } from '../../../src/domain/app/manage.ts'
import { dayMs } from '../../../src/domain/verification/limits.ts'
import { later, refusedBy, says, takes, unanswered } from './simulated-servers.ts'
import { openStage, type Stage } from './stage.ts'

const actor = { who: 'cli', requestId: null }

let stage: Stage
let app: App
beforeEach(async () => {
  stage = await openStage()
  app = await stage.newApp({ endpoints: 2 })
})
afterEach(() => stage.close())

const server = (rank: number) => stage.servers.of(app.endpoints[rank - 1]?.id ?? '')

/** Gives the endpoints these costs, and the app this much a day. */
async function price(costPerDay: number, ...costs: number[]): Promise<void> {
  const { time, ports } = stage
  for (const [index, cost] of costs.entries()) {
    const id = app.endpoints[index]?.id ?? ''
    await time.until(updateEndpoint(ports, actor, { appId: app.id, id, input: { cost } }))
  }
  const change = { id: app.id, action: 'app.update' } as const
  const update = () => ({ change: { policy: { costPerDay } }, detail: '' })
  app = await time.until(changeApp(ports, actor, change, update))
}

/** What is spent today: as much as still fits is found by trying. */
async function spent(most: number): Promise<number> {
  const now = stage.ports.clock.now()
  const day = Math.floor(now / dayMs)
  const place = { appId: app.id, mode: 'live' as const, verificationId: 'none', limits: [] }
  const charge = { ...place, day, now }
  const cost = 1
  let left = 0
  const once = () =>
    stage.time.until(stage.ports.spending.charge({ ...charge, country: null, cost, costMax: most }))
  while ((await once()).outcome === 'charged') left++
  return most - left
}

async function through(count = 1) {
  const started = await stage.start(count, { app })
  const states = []
  for (const { id } of started) {
    states.push(await stage.time.until(stage.sender.settled(id, 5_000)))
  }
  return { started, states: states.map((state) => state?.status) }
}

test('every try that may have been taken costs, and one that surely was not does not', async () => {
  await price(100, 10, 7)
  server(1).behave = says(refusedBy('login'))
  await through()
  expect(server(2).got).toHaveLength(1)
  expect(await spent(100)).toBe(7)
})

test('a message of unknown outcome stays charged, and its second try is charged too', async () => {
  await price(100, 10, 7)
  stage.sender.start()
  server(1).behave = says(unanswered)
  await through()
  await stage.time.run(90_000)
  expect(server(1).got).toHaveLength(2)
  expect(await spent(100)).toBe(20)
})

test('a message that a busy server did not take costs nothing until it does', async () => {
  await price(100, 10, 7)
  server(1).behave = says(later)
  server(2).behave = says(later)
  stage.sender.start()
  await through()
  server(1).behave = takes(5)
  await stage.time.run(30_000)
  expect(await spent(100)).toBe(10)
})

test('an endpoint that costs too much is passed over for one that fits or costs nothing', async () => {
  await price(15, 10, 0)

  const { states } = await through(3)

  expect(states).toEqual(['sent', 'sent', 'sent'])
  expect([server(1).got.length, server(2).got.length]).toEqual([1, 2])
})

test('where nothing fits, the message is refused without asking a server, with one alarm', async () => {
  await price(15, 10, 10)

  const { states, started } = await through(4)

  expect(states.filter((status) => status === 'refused')).toHaveLength(3)
  expect(server(1).got.length + server(2).got.length).toBe(1)
  const tries = []
  for (const one of started) tries.push(...(await stage.history(one)).flatMap((d) => d.history))
  const refusals = tries.filter(({ status }) => status === 'refused')
  expect(new Set(refusals.map(({ cause }) => cause))).toEqual(new Set(['cost']))
  await stage.time.run(1_000)
  const query = { appId: app.id, open: true, limit: 10, cursor: null }
  const { items } = await stage.time.until(stage.ports.alarms.list(query))
  expect(items).toMatchObject([{ kind: 'cost_capped', endpointId: null }])
  expect(stage.lines.filter(({ event }) => event === 'alarm_raised')).toHaveLength(1)
})

test('a test key costs nothing, whatever its app pays', async () => {
  await price(0, 10, 10)
  const [started] = await stage.start(1, { app, mode: 'test' })
  const state = await stage.time.until(stage.sender.settled(started?.id ?? '', 5_000))
  expect(state?.status).toBe('sent')
})

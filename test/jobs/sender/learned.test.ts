import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { App } from '../../../src/domain/app/app.ts'
import { addEndpoint } from '../../../src/domain/app/endpoints.ts'
import { updateApp } from '../../../src/domain/app/manage.ts'
import type { Scores } from '../../../src/domain/learning/scores.ts'
import { createLanes } from '../../../src/jobs/sender/lanes.ts'
import { greylisted, refusedBy, says, unanswered, unreachable } from './simulated-servers.ts'
import { openStage, type Stage } from './stage.ts'

const actor = { who: 'cli', requestId: null }

let stage: Stage
let app: App
let scores: Scores
beforeEach(async () => {
  stage = await openStage()
  const made = await stage.newApp({ endpoints: 3 })
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
  const input = { url: 'https://gateway.example.com/otp', secret }
  const { ports, time } = stage
  await time.until(addEndpoint(ports, actor, { appId: made.id, kind: 'webhook', input }))
  const policy = { learnedRoute: true }
  app = await time.until(updateApp(ports, actor, { id: made.id, policy }))
  // The third mail server is the best one, then the second; the gateway is better than the first.
  scores = scored({ email: [10, 50, 90], webhook: [40] })
  ports.learned = { of: (id) => (id === app.id ? scores : null) }
})
afterEach(() => stage.close())

function scored(percents: { email: number[]; webhook: number[] }): Scores {
  const arms = Object.entries(percents).flatMap(([channel, all]) =>
    app.endpoints
      .filter((endpoint) => endpoint.channel === channel)
      .map(({ id }, index) => {
        const good = 200 * (all[index] ?? 0)
        return [id, { good, bad: 20_000 - good, recent: good / 20_000 }] as const
      }),
  )
  const group = { recipients: null, arms: Object.fromEntries(arms) }
  return { day: 0, groups: { 'example.com': group, other: { recipients: [], arms: {} } } }
}

const idOf = (channel: 'email' | 'webhook', rank: number) =>
  app.endpoints.find((each) => each.channel === channel && each.rank === rank)?.id ?? ''
const serverOf = (channel: 'email' | 'webhook', rank: number) =>
  stage.servers.of(idOf(channel, rank))

/** Starts one whose first endpoint is this one: one in a hundred choices is another. */
async function startAt(endpointId: string, options: Parameters<Stage['start']>[1] = {}) {
  for (let left = 5; left > 0; left--) {
    const [started] = await stage.start(1, { app, ...options })
    if (!started) break
    const [delivery] = await stage.history(started)
    if (delivery?.chosen?.options[0]?.endpointId === endpointId) return started
  }
  throw new Error('it was not chosen')
}

test('a message is tried along the learned order, at once where nothing listens', async () => {
  for (const rank of [2, 3]) serverOf('email', rank).behave = says(unreachable)
  const started = await startAt(idOf('email', 3))
  await stage.time.until(stage.sender.settled(started.id, 5_000))

  const [delivery] = await stage.history(started)
  expect(delivery?.history.map(({ endpointId }) => endpointId)).toEqual(
    [3, 2, 1].map((rank) => idOf('email', rank)),
  )
  expect(delivery?.status).toBe('sent')
})

test('a retry keeps the order, also when the scores have changed and another sender takes it', async () => {
  serverOf('email', 3).behave = says(greylisted)
  const started = await startAt(idOf('email', 3))
  await stage.time.until(stage.sender.settled(started.id, 5_000))
  scores = scored({ email: [90, 50, 10], webhook: [40] })
  await stage.time.until(stage.sender.stop())
  serverOf('email', 3).behave = says(refusedBy('login'))
  stage.restart().start()
  await stage.time.run(60_000)

  const [delivery] = await stage.history(started)
  expect(delivery?.history.map(({ endpointId }) => endpointId)).toEqual(
    [3, 3, 2].map((rank) => idOf('email', rank)),
  )
})

test('mail does not wait for a server that hangs, though it has the last rank', async () => {
  serverOf('email', 3).behave = says(unanswered, 40_000)
  await startAt(idOf('email', 3))
  await stage.start(40, { app })
  await stage.time.run(20_000)

  expect(serverOf('email', 2).got.length).toBeGreaterThan(20)
})

test('a queue knows other endpoints also after a message that has its own as the last', async () => {
  const started = await startAt(idOf('email', 3))
  const [delivery] = await stage.history(started)
  const { handover } = serverOf('email', 3).got[0] ?? {}
  if (!delivery?.chosen || !handover) throw new Error('nothing was sent')
  const lanes = createLanes(stage.ports.timers, () => 1)
  const lane = lanes.of({ appId: app.id, channel: 'email', endpointId: idOf('email', 1) })

  lanes.learn(lane, handover, delivery.chosen)
  expect(lane.behind).toEqual([idOf('email', 3), idOf('email', 2)])
  lanes.learn(lane, handover, null)
  expect(lane.behind).toEqual([idOf('email', 2), idOf('email', 3)])
})

test('the channels of a route are learned too, each recipient with its channel', async () => {
  const to = { email: 'ada@example.com', webhook: 'gus@example.com' }
  const route = { channel: ['webhook', 'email'] as const, to }
  const started = await startAt(idOf('email', 3), { ...route, channel: [...route.channel] })
  await stage.time.until(stage.sender.settled(started.id, 5_000))

  const verification = await stage.time.until(stage.ports.verifications.get(started))
  expect(verification?.route.map(({ channel, to: masked }) => [channel, masked])).toEqual([
    ['email', 'a***@example.com'],
    ['webhook', 'g***@example.com'],
  ])
  expect(serverOf('email', 3).got[0]?.handover.recipient.address).toBe(to.email)
  const [delivery] = await stage.history(started)
  expect(delivery?.chosen?.options.map(({ channel }) => channel)).toEqual([
    'email',
    'email',
    'email',
    'webhook',
  ])
})

test('a message that the first channel refuses goes on through the next with its choice', async () => {
  serverOf('email', 3).behave = says(refusedBy('message'))
  const to = { email: 'ada@example.com', webhook: 'gus@example.com' }
  const started = await startAt(idOf('email', 3), { channel: ['webhook', 'email'], to })
  await stage.time.run(5_000)

  const [first, second] = await stage.history(started)
  expect(second).toMatchObject({ channel: 'webhook', status: 'sent', chosen: first?.chosen })
  expect(serverOf('webhook', 1).got[0]?.handover.recipient.address).toBe(to.webhook)
})

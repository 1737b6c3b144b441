import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import type { Webhook } from '../../src/domain/webhook/webhook.ts'
import { createWebhooks, lookEveryMs } from '../../src/jobs/webhooks/webhooks.ts'
import { createLog } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { systemClock, systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { addPlainApp, plainApp, webhook } from '../support/commands.ts'
import { eventually } from '../support/executable.ts'
import { ok } from './webhooks-fixture.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
const ends: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  server = await startPostgres()
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(() => server.stop())

async function openStore(url: string): Promise<PostgresStore> {
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const store = await openPostgresStore({ connect, timers: systemTimers, random: systemRandom })
  ends.push(store.close)
  return store
}

/** Timers that begin the next look of the job when they are told to only. */
function lookingTimers() {
  let next: (() => void) | null = null
  const timers: typeof systemTimers = {
    ...systemTimers,
    after(ms, callback) {
      if (ms !== lookEveryMs) return systemTimers.after(ms, callback)
      next = callback
      return () => {}
    },
  }
  const hasLooked = () => eventually(() => next !== null)
  const look = async () => {
    await hasLooked()
    const begin = next
    next = null
    begin?.()
    await hasLooked()
  }
  return { timers, hasLooked, look }
}

/** The job of a node over a store of its own. */
async function startNode(url: string, node: string) {
  const store = await openStore(url)
  const { timers, hasLooked, look } = lookingTimers()
  const posted: string[] = []
  /** The webhooks that it wanted to work on. */
  const wanted: string[] = []
  const job = createWebhooks({
    ...{ apps: store.apps, clock: systemClock, timers, random: systemRandom, node },
    webhooks: {
      ...store.webhooks,
      lease(command) {
        wanted.push(command.webhookId)
        return store.webhooks.lease(command)
      },
    },
    post: async (_app, _webhook, { id }) => {
      posted.push(id)
      return ok
    },
    log: createLog({ level: 'debug', write: () => {}, clock: systemClock }),
    metrics: createMetrics(),
  })
  // There for as long as the test may take.
  const seenAt = systemClock.now() + 3_600_000
  await store.nodes.beat({ id: node, seenAt, keysetVersion: 1, nextKeyId: null })
  job.start()
  ends.push(job.stop)
  await hasLooked()
  return { store, posted, wanted, look }
}

/** Three nodes, the first of which works on the webhook and has nothing to do. */
async function nodesOf(hook: Webhook) {
  const url = await server.create()
  const { id: appId } = await addPlainApp(await openStore(url), plainApp({ webhooks: [hook] }))
  const [first, second, third] = [
    await startNode(url, 'first'),
    await startNode(url, 'second'),
    await startNode(url, 'third'),
  ]
  const admin = new SQL({ url: url.replace('otpmint@', 'postgres@'), max: 1 })
  ends.push(() => admin.close())
  await eventually(async () => {
    const [row] = await admin`select count(*)::int as count from pg_stat_activity
      where datname = current_database() and query like 'LISTEN%'`
    return row.count === 3
  })
  const write = ({ events }: PostgresStore) =>
    events.add({
      ...{ at: systemClock.now(), appId, type: 'alarm.raised', verificationId: null, data: {} },
    })
  await write(first.store)
  await eventually(async () => (await first.store.webhooks.states(appId))[0]?.waiting === 0)
  // It forgets the receiver, not its turn.
  await first.look()
  expect([first.posted.length, first.wanted.length]).toEqual([1, 1])
  return { url, first, second, third, write }
}

test('a message that another node writes wakes the node whose turn it is, and no third one', async () => {
  const { first, second, third, write } = await nodesOf(webhook())

  await write(second.store)

  await eventually(() => first.posted.length === 2)
  expect([second.posted, third.posted]).toEqual([[], []])
  expect([second.wanted.length, third.wanted.length]).toEqual([1, 0])
})

test('a message of which nobody was told is found by the next look', async () => {
  const { url, first, second, third, write } = await nodesOf(webhook())
  await write(await openStore(url))

  for (const { look } of [third, second, first]) await look()

  await eventually(() => first.posted.length === 2)
  expect([second.posted, third.posted]).toEqual([[], []])
})

test('a webhook that is off wakes nobody', async () => {
  const hook = webhook({ offSince: 1, offCause: 'admin' })
  const url = await server.create()
  const app = await addPlainApp(await openStore(url), plainApp({ webhooks: [hook, webhook()] }))
  const node = await startNode(url, 'first')

  await node.store.events.add({
    ...{ at: systemClock.now(), appId: app.id, type: 'alarm.raised' },
    ...{ verificationId: null, data: {} },
  })

  await eventually(() => node.posted.length === 1)
  expect(node.wanted).not.toContain(hook.id)
})

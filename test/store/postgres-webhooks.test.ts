import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { alarmChange } from '../../src/domain/alarm.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import type { Webhook } from '../../src/domain/webhook/webhook.ts'
import { type AlarmRows, createAlarmRows } from '../../src/store/postgres/alarms.ts'
import { createDatabase, type Database } from '../../src/store/postgres/database.ts'
import { createAddEvents, type NewEvent } from '../../src/store/postgres/events.ts'
import { createLanes, type Session } from '../../src/store/postgres/lanes.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { createTell } from '../../src/store/postgres/tell.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  addPlainApp,
  noon,
  plainApp,
  sweepCommand,
  times,
  webhook,
  withAudit,
} from '../support/commands.ts'
import { eventually } from '../support/executable.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  await Promise.all(closing.map((close) => close()))
  await server.stop()
})

/** A store with an app that has these webhooks, and a connection that writes events by itself. */
async function hooked(...webhooks: Webhook[]) {
  const url = await server.create()
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const store = await openPostgresStore({ connect, timers: systemTimers, random: systemRandom })
  const lanes = createLanes({ connect, count: 2, timers: systemTimers })
  const admin = new SQL({ url: url.replace('otpmint@', 'postgres@'), max: 1 })
  closing.push(store.close, lanes.close, () => admin.close())
  const { id: appId } = await addPlainApp(store, plainApp({ webhooks }))
  const deadlocks = async (): Promise<number> => {
    // Connections report what they have seen when they end at the latest.
    await Promise.all([store.close(), lanes.close()])
    await eventually(async () => {
      const [row] = await admin`select count(*)::int as left from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`
      return row.left === 0
    })
    const [row] = await admin`select pg_stat_get_db_deadlocks(oid)::int as deadlocks
      from pg_database where datname = current_database()`
    return row.deadlocks
  }
  return { store, appId, admin, other: otherNode(createDatabase(lanes)), deadlocks }
}

function otherNode(database: Database) {
  const alarms: AlarmRows = createAlarmRows({
    addEvents: (session, events) => addEvents(session, events),
  })
  const tell = createTell({ alarms })
  const addEvents = createAddEvents({ tell: tell.events })
  return { database, tell, addEvents }
}

const alarmOf = (appId: string, at = noon): NewEvent => {
  return { at, appId, type: 'alarm.raised', verificationId: null, data: {} }
}

/** Runs a transaction that waits, in the middle, for the answered function to be called. */
function held(
  database: Database,
  work: (session: Session, wait: () => Promise<void>) => Promise<void>,
) {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const wait = () => {
    reached.resolve()
    return released.promise
  }
  const done = database.transaction((session) => work(session, wait))
  return { reached: reached.promise, done, release: released.resolve }
}

const waitsForLock = (admin: SQL) =>
  eventually(async () => {
    const [row] = await admin`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    return row.waiting > 0
  })

const dueAt = { node: 'a', now: noon + 9, dueWithinMs: 2 * dayMs, silentSince: 0 }

function readers(store: PostgresStore, appId: string, webhookId: string) {
  const place = { appId, webhookId }
  return {
    place,
    due: (now = dueAt.now) => store.webhooks.due({ ...dueAt, now, after: null, limit: 9 }),
    messages: () => store.webhooks.dueMessages({ ...dueAt, ...place, limit: 9 }),
    list: async (cursor: string | null = null) =>
      store.webhooks.list({ ...place, status: null, limit: 1, cursor }),
    settle: (ids: string[]) => {
      const results = ids.map((id) => {
        return { id, status: 'delivered' as const, at: null, tries: 1, code: 204, detail: null }
      })
      const settled = { ...place, results, failingSince: null, off: null }
      return store.webhooks.settle({ now: noon, webhooks: [settled] })
    },
    waiting: async () => (await store.webhooks.states(appId))[0]?.waiting,
  }
}

test('an event that is committed after later ones were sent is told, and listed at its place', async () => {
  const hook = webhook()
  const { store, appId, other } = await hooked(hook)
  const { due, messages, list, settle, waiting } = readers(store, appId, hook.id)
  const late = held(other.database, async (session, wait) => {
    const addEvents = createAddEvents({
      tell: async (...told) => {
        await wait()
        await other.tell.events(...told)
      },
    })
    await addEvents(session, [alarmOf(appId)])
  })
  await late.reached
  await store.events.add(alarmOf(appId))
  const [first] = await messages()
  await settle([first?.id ?? ''])
  expect(await due()).toEqual([])
  const page = await list()
  expect(page).toMatchObject({ items: [{ id: first?.id }], nextCursor: null })

  late.release()
  await late.done
  expect(await due()).toHaveLength(1)
  const [second, ...more] = await messages()
  expect(more).toEqual([])
  // Its number was taken first.
  expect([second?.id, first?.id].toSorted()).toEqual([second?.id, first?.id])
  expect(await waiting()).toBe(1)
  expect((await list(first?.id)).items).toMatchObject([{ id: second?.id }])
  const all = await store.events.list({ appId, type: null, limit: 9, cursor: null })
  expect(all.items).toHaveLength(2)
})

test('a webhook stays due for a message that was being written while its last one ended', async () => {
  const hook = webhook()
  const { store, appId, admin, other } = await hooked(hook)
  const { due, messages, settle, waiting } = readers(store, appId, hook.id)
  await store.events.add(alarmOf(appId))
  const [first] = await messages()
  const late = held(other.database, async (session, wait) => {
    await other.addEvents(session, [alarmOf(appId, noon + 1)])
    await wait()
  })
  await late.reached
  const settled = settle([first?.id ?? ''])
  await waitsForLock(admin)
  late.release()
  await Promise.all([late.done, settled])

  expect(await due()).toHaveLength(1)
  expect(await messages()).toHaveLength(1)
  expect(await waiting()).toBe(1)
})

test('a webhook is due at the time of a message that was being written while another was replayed', async () => {
  const hook = webhook()
  const { store, appId, admin, other } = await hooked(hook)
  const { place, due, messages, settle, waiting } = readers(store, appId, hook.id)
  await store.events.add(alarmOf(appId))
  const [first] = await messages()
  await settle([first?.id ?? ''])
  const late = held(other.database, async (session, wait) => {
    await other.addEvents(session, [alarmOf(appId)])
    await wait()
  })
  await late.reached
  const which = { id: first?.id ?? '' }
  const replayed = store.webhooks.replay({ ...place, now: noon + 5, which, limit: 9 })
  await waitsForLock(admin)
  late.release()
  await late.done

  expect(await replayed).toMatchObject({ count: 1 })
  expect(await due(noon)).toHaveLength(1)
  expect(await messages()).toHaveLength(2)
  expect(await waiting()).toBe(2)
})

test('a webhook stays due for a message that was being written while its app was changed', async () => {
  const hook = webhook()
  const { store, appId, admin, other } = await hooked(hook)
  const { due, messages } = readers(store, appId, hook.id)
  const late = held(other.database, async (session, wait) => {
    await other.addEvents(session, [alarmOf(appId)])
    await wait()
  })
  await late.reached
  const change = { expectedVersion: 1, updatedAt: noon, webhooks: [{ ...hook, testEvents: true }] }
  const changed = withAudit(store, (append) => store.apps.update(appId, change, append))
  await waitsForLock(admin)
  late.release()
  await Promise.all([late.done, changed])

  expect(await due()).toHaveLength(1)
  expect(await messages()).toHaveLength(1)
})

test('a listener hears of messages when others can read them, and never of a failed transaction', async () => {
  const hook = webhook()
  const { store, appId, other } = await hooked(hook)
  const { place, messages } = readers(store, appId, hook.id)
  const heard: unknown[] = []
  other.tell.listen((changed) => void heard.push(changed))
  const failed = other.database.transaction(async (session) => {
    await other.addEvents(session, [alarmOf(appId)])
    throw new Error('a failure')
  })
  await expect(failed).rejects.toThrow('a failure')
  expect([heard, await messages()]).toEqual([[], []])
  const { items } = await store.events.list({ appId, type: null, limit: 9, cursor: null })
  expect(items).toEqual([])

  const open = held(other.database, async (session, wait) => {
    await other.addEvents(
      session,
      times(3, () => alarmOf(appId)),
    )
    await wait()
  })
  await open.reached
  expect([heard, await messages()]).toEqual([[], []])
  open.release()
  await open.done
  expect(heard).toEqual([place])
  expect(await messages()).toHaveLength(3)
})

test('events, results, replays and alarms of an app’s webhooks never deadlock', async () => {
  const hooks = times(4, (index) => webhook({ createdAt: noon + index }))
  const { store, appId, deadlocks } = await hooked(...hooks)
  const alarm = (endpointId: string) => {
    return alarmChange('raised', { kind: 'webhook_off', appId, endpointId }, noon)
  }
  const change = async (round: number) => {
    const { version: expectedVersion = 0 } = (await store.apps.get(appId)) ?? {}
    const update = { expectedVersion, updatedAt: noon + round, webhooks: hooks }
    await withAudit(store, (append) => store.apps.update(appId, update, append))
  }
  const work = (round: number) =>
    hooks.flatMap((hook, index) => {
      const place = { appId, webhookId: hook.id }
      const off = { cause: 'failing' as const, alarm: alarm(hook.id) }
      const which = { from: noon, to: noon + 1, isDeadOnly: false, after: null }
      const results = { results: [], failingSince: noon + round }
      const other = { appId, webhookId: hooks[3 - index]?.id ?? '' }
      return [
        store.events.add(alarmOf(appId)),
        store.alarms.raise(alarm(`endpoint ${index % 2} ${round}`)),
        store.webhooks.settle({
          now: noon,
          webhooks: [
            { ...place, ...results, off: index === round % 4 ? off : null },
            { ...other, ...results, off: null },
          ],
        }),
        store.webhooks.replay({ ...place, now: noon, which, limit: 9 }),
        store.maintenance.sweep(sweepCommand(noon)),
      ]
    })
  for (const round of times(10, (index) => index)) {
    await Promise.all([...work(round), change(round)])
  }
  expect(await deadlocks()).toBe(0)
})

test('an app is removed behind a transaction that tells its webhooks twice, without a deadlock', async () => {
  const hook = webhook()
  const { store, appId, admin, other, deadlocks } = await hooked(hook)
  const { list } = readers(store, appId, hook.id)
  const late = held(other.database, async (session, wait) => {
    await other.addEvents(session, [alarmOf(appId)])
    await wait()
    await other.addEvents(session, [alarmOf(appId)])
  })
  await late.reached
  const removed = withAudit(store, (append) => store.apps.remove(appId, append))
  await waitsForLock(admin)
  late.release()
  await late.done

  expect(await removed).toBe(true)
  expect([await store.webhooks.states(appId), (await list()).items]).toEqual([[], []])
  expect(await deadlocks()).toBe(0)
})

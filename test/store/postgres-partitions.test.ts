import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { base62Digits } from '../../src/domain/id.ts'
import type { SweepCommand } from '../../src/domain/stores.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import { createDatabase } from '../../src/store/postgres/database.ts'
import { createLanes } from '../../src/store/postgres/lanes.ts'
import { dayOf, makePartitions } from '../../src/store/postgres/partitions.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  attempt,
  bytes,
  keyOf,
  minuteMs,
  newRecipient,
  noon,
  type StartOptions,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
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

const midnight = noon - 12 * hourMs
const nextMidnight = midnight + dayMs
const tables = ['deliveries', 'delivery_tries', 'verification_recipients', 'verifications']

/** A database with one node or more, whose steady clock shows `monotonic`. */
async function opened() {
  const url = await server.create('otpmint')
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const clock = { monotonic: 0 }
  const timers = { ...systemTimers, monotonic: () => clock.monotonic }
  const openStore = async () => {
    const store = await openPostgresStore({ connect, timers, random: systemRandom })
    closing.push(store.close)
    return store
  }
  const openDatabase = () => {
    const lanes = createLanes({ connect, count: 1, timers })
    closing.push(lanes.close)
    return createDatabase(lanes)
  }
  const admin = new SQL({ url: url.replace('otpmint@', 'postgres@'), max: 1 })
  const service = new SQL({ url, max: 1 })
  closing.push(
    () => admin.close(),
    () => service.close(),
  )
  const partitions = async (): Promise<string[]> => {
    const rows = await admin`select relname from pg_class
      where relispartition and relkind = 'r' and relname !~ 'default' order by relname`
    return rows.map(({ relname }: { relname: string }) => relname)
  }
  /** Holds a table as somebody does who reads it, until the answered function is called. */
  const hold = async (table: string) => {
    const reader = new SQL({ url, max: 1 })
    const held = await reader.reserve()
    await held.unsafe(`begin; lock table only ${table} in access share mode`)
    return async () => {
      await held.unsafe('commit')
      held.release()
      await reader.close()
    }
  }
  const rowsIn = async (table: string): Promise<number> => {
    const [row] = await admin.unsafe(`select count(*)::int as rows from ${table}`)
    return row.rows
  }
  return {
    store: await openStore(),
    openStore,
    openDatabase,
    clock,
    admin,
    service,
    partitions,
    hold,
    rowsIn,
  }
}

const named = (...days: string[]) => tables.flatMap((table) => days.map((day) => `${table}_${day}`))

/** Sweeps until nothing is left to do; how many rows. */
async function sweepAll({ maintenance }: PostgresStore, command: SweepCommand): Promise<number> {
  let rows = 0
  for (let limitsAfter = command.limitsAfter; ; ) {
    const swept = await maintenance.sweep({ ...command, limitsAfter })
    rows += swept.rows
    limitsAfter = swept.limitsAfter
    if (swept.rows === 0 && limitsAfter.length === 0) return rows
  }
}

async function start(store: PostgresStore, options: StartOptions = {}) {
  const command = startCommand({ budget: [{ max: 5, windowMs: 30 * dayMs }], ...options })
  expect((await store.verifications.start(command)).outcome).toBe('started')
  return command
}

/** A start with a second recipient. */
function toTwo(key = bytes(32)): StartOptions {
  const stop = { endpointId: 'endpoint' }
  return {
    further: [newRecipient({ limits: [{ key, rates: [] }] })],
    route: [
      { channel: 'email', recipient: 0, ...stop },
      { channel: 'sms', recipient: 1, ...stop },
    ],
  }
}

const wrong = (store: PostgresStore, command: StartCommand) =>
  store.verifications.chargeAttempt(
    attempt(command, false, { now: command.verification.createdAt + 1 }),
  )
const right = (store: PostgresStore, command: StartCommand) =>
  store.verifications.chargeAttempt(
    attempt(command, true, { now: command.verification.createdAt + 2 }),
  )
const isThere = async (store: PostgresStore, command: StartCommand) =>
  (await store.verifications.get(keyOf(command))) !== null

test('an id begins with its time in the database as in the domain', async () => {
  const { admin } = await opened()
  for (const at of [
    ...times(62, (digit) => digit),
    62,
    1_000_000,
    midnight,
    midnight - 1,
    noon,
    62 ** 8 - 1,
  ]) {
    const [row] = await admin.unsafe(`select time_id_v1(${at}) as id`)
    expect(row.id).toBe(base62Digits(at, 8))
  }
})

test('a sweep makes the partitions of the day and of the three after it', async () => {
  const { store, partitions, rowsIn } = await opened()
  await store.maintenance.sweep(sweepCommand(midnight))
  const days = named('20260615', '20260616', '20260617', '20260618')
  expect(await partitions()).toEqual(days)
  const day = async (at: number) => {
    const before = await Promise.all(days.map(rowsIn))
    const command = await start(store, { now: at, ...toTwo() })
    await store.deliveries.settle(settleCommand(command, { now: at }))
    const after = await Promise.all(days.map(rowsIn))
    return days.filter((_, index) => after[index] !== before[index])
  }
  expect(await day(midnight)).toEqual(named('20260615'))
  expect(await day(nextMidnight - 1)).toEqual(named('20260615'))
  expect(await day(nextMidnight)).toEqual(named('20260616'))

  await store.maintenance.sweep(sweepCommand(nextMidnight))
  expect(await partitions()).toEqual(
    named(...['15', '16', '17', '18', '19'].map((d) => `202606${d}`)),
  )
})

test('ten nodes make the same partitions at once, beside starts', async () => {
  const { store, openDatabase, partitions, rowsIn } = await opened()
  const day = dayOf(noon)
  const starts = times(100, (index) => start(store, { now: noon + index }))
  await Promise.all(times(10, () => makePartitions(openDatabase(), { from: day, to: day + 3 })))
  await Promise.all(starts)

  expect(await partitions()).toEqual(named('20260615', '20260616', '20260617', '20260618'))
  expect(await rowsIn('verifications')).toBe(100)
})

test('what a wrong clock wrote ahead is moved to the partition of its day, and stays usable', async () => {
  const { store, partitions, rowsIn } = await opened()
  const ahead = await start(store, { now: noon + 2 * dayMs, ...toTwo() })
  const today = await start(store)
  await store.deliveries.settle(settleCommand(ahead))
  expect(await rowsIn('verifications_default')).toBe(2)

  await store.maintenance.sweep(sweepCommand(noon))
  const defaults = await Promise.all(tables.map((table) => rowsIn(`${table}_default`)))
  expect(defaults).toEqual([0, 0, 0, 0])
  expect(await partitions()).toHaveLength(16)
  expect(await rowsIn('delivery_tries_20260617')).toBe(1)
  expect(await rowsIn('verification_recipients_20260617')).toBe(1)
  expect(await right(store, ahead)).toMatchObject({ verification: { status: 'approved' } })
  expect(await right(store, today)).toMatchObject({ verification: { status: 'approved' } })
  expect(await store.deliveries.tries(ahead.delivery.id)).toHaveLength(1)
})

test('a day with too many rows to move stays in the default partition, and is deleted from it', async () => {
  const { store, openDatabase, partitions, rowsIn, admin } = await opened()
  const commands: StartCommand[] = []
  for (const index of times(4, (index) => index)) {
    const command = await start(store, { now: noon + index, ...toTwo() })
    await wrong(store, command)
    commands.push(command)
  }
  await makePartitions(openDatabase(), { from: dayOf(noon), to: dayOf(noon), movedMax: 3 })
  expect(await partitions()).toEqual(named('20260615').filter((name) => name.includes('tries')))
  await start(store, { now: noon + 9 })
  expect(await rowsIn('verifications_default')).toBe(5)

  await sweepAll(store, sweepCommand(nextMidnight, { verificationsBefore: noon + 3, limit: 2 }))
  const left = await Promise.all(commands.map((command) => isThere(store, command)))
  expect(left).toEqual([false, false, false, true])
  expect(await rowsIn('verification_recipients')).toBe(1)
  const [row] = await admin`select sum(failures)::int as failures from guess_failures`
  // Each of three wrong codes counts for both recipients.
  expect(row.failures).toBe(6)
})

test('a day is dropped when all of it is over, and not a millisecond before', async () => {
  const { store, partitions, rowsIn } = await opened()
  const before = await start(store, { now: midnight - 1 })
  await store.maintenance.sweep(sweepCommand(midnight))
  const first = await start(store, { now: midnight })
  const last = await start(store, { now: nextMidnight - 1 })
  const next = await start(store, { now: nextMidnight })
  for (const command of [before, first, last, next]) {
    await store.deliveries.settle(settleCommand(command))
  }
  const now = nextMidnight + hourMs
  const there = () => Promise.all([before, first, last, next].map((each) => isThere(store, each)))

  await sweepAll(store, sweepCommand(now, { verificationsBefore: nextMidnight - 1 }))
  expect(await there()).toEqual([false, true, true, true])
  await sweepAll(store, sweepCommand(now, { verificationsBefore: nextMidnight }))
  expect(await there()).toEqual([false, false, false, true])
  expect(await partitions()).toEqual(named('20260616', '20260617', '20260618', '20260619'))
  const counts = await Promise.all(tables.map(rowsIn))
  expect(counts).toEqual([1, 1, 0, 1])
  expect(await store.deliveries.tries(next.delivery.id)).toHaveLength(1)
})

test('before a day goes its codes are forgotten and told, and its wrong codes count on', async () => {
  const { store, partitions, admin } = await opened()
  await store.maintenance.sweep(sweepCommand(midnight))
  const pairs = times(25, (index) => {
    const [key, other] = [bytes(32), bytes(32)]
    return { key, other, now: midnight + index * minuteMs }
  })
  const wanted = new Map<string, number>()
  for (const [index, { key, other, now }] of pairs.entries()) {
    const isToTwo = index % 5 === 0
    const command = await start(store, { now, recipientKey: key, ...(isToTwo && toTwo(other)) })
    const failures = index % 3
    for (const _ of times(failures, () => null)) await wrong(store, command)
    if (index % 4 === 0) await right(store, command)
    if (failures === 0) continue
    wanted.set(key.toHex(), failures)
    if (isToTwo) wanted.set(other.toHex(), failures)
  }

  // Few at a time, so that the day is read in several steps.
  const now = nextMidnight + hourMs
  await sweepAll(store, sweepCommand(now, { verificationsBefore: nextMidnight, limit: 1 }))
  expect(await partitions()).toEqual(named('20260616', '20260617', '20260618', '20260619'))
  const rows = await admin`
    select encode(recipient_key, 'hex') as key, sum(failures)::int as failures
    from guess_failures group by 1`
  const kept = rows.map(({ key, failures }: { key: string; failures: number }) => [key, failures])
  expect(new Map(kept)).toEqual(wanted)
  const query = { appId: 'app', type: 'verification.expired', limit: 99, cursor: null } as const
  const expired = (await store.events.list(query)).items
  expect(expired).toHaveLength(pairs.filter((_, index) => index % 4 !== 0).length)
  // The guess budget of five has room for no five attempts more.
  const failed = pairs.find((_, index) => index % 3 === 2)?.key ?? bytes(32)
  const again = startCommand({
    ...{ now, recipientKey: failed, long: false },
    budget: [{ max: 5, windowMs: 30 * dayMs }],
  })
  expect((await store.verifications.start(again)).outcome).toBe('budget_exhausted')
})

test('a day stays while one of its codes lives', async () => {
  const { store, service, partitions } = await opened()
  await store.maintenance.sweep(sweepCommand(midnight))
  const lives = await start(store, { now: noon, ttlMs: 9 * dayMs })
  const ended = await start(store, { now: noon + 1 })
  const sweep = sweepCommand(nextMidnight, { verificationsBefore: nextMidnight })
  await sweepAll(store, sweep)
  expect([await isThere(store, lives), await isThere(store, ended)]).toEqual([true, true])
  expect(await partitions()).toContain('verifications_20260615')
  expect(await partitions()).toContain('verification_recipients_20260615')
  const [row] = await service.unsafe(
    `select drop_partition_v1('verifications', ${dayOf(noon)}) as rows`,
  )
  expect(row.rows).toBeNull()

  expect(await right(store, lives)).toMatchObject({ verification: { status: 'approved' } })
  await sweepAll(store, sweep)
  expect([await isThere(store, lives), await isThere(store, ended)]).toEqual([false, false])
  expect(await partitions()).toEqual(named('20260616', '20260617', '20260618', '20260619'))
})

test('a table that somebody holds keeps its old day for ten minutes more, and the rest is swept', async () => {
  const { store, clock, hold, partitions } = await opened()
  await store.maintenance.sweep(sweepCommand(midnight))
  const held = await start(store)
  await store.events.add({
    at: midnight,
    appId: null,
    type: 'alarm.raised',
    verificationId: null,
    data: {},
  })
  const release = await hold('deliveries')
  const now = nextMidnight
  const all = { verificationsBefore: nextMidnight, eventsBefore: nextMidnight }
  await sweepAll(store, sweepCommand(now, all))
  const events = await store.events.list({
    appId: null,
    type: 'alarm.raised',
    limit: 9,
    cursor: null,
  })
  expect([await isThere(store, held), events.items]).toEqual([false, []])
  const old = ['deliveries_20260615']
  expect((await partitions()).filter((name) => name.includes('0615'))).toEqual(old)
  await release()

  clock.monotonic += 10 * minuteMs - 1
  await sweepAll(store, sweepCommand(now, all))
  expect((await partitions()).filter((name) => name.includes('0615'))).toEqual(old)
  clock.monotonic += 1
  await sweepAll(store, sweepCommand(now, all))
  expect((await partitions()).filter((name) => name.includes('0615'))).toEqual([])
})

test('a partition that cannot be made is made later, and the rest is swept', async () => {
  const { store, clock, hold, partitions } = await opened()
  await store.maintenance.sweep(sweepCommand(midnight))
  const gone = await start(store)
  const release = await hold('deliveries_default')
  const now = nextMidnight
  const sweep = () => sweepAll(store, sweepCommand(now, { verificationsBefore: nextMidnight }))
  await sweep()
  expect(await isThere(store, gone)).toBe(false)
  expect(await partitions()).not.toContain('deliveries_20260619')
  await release()

  clock.monotonic += 10 * minuteMs - 1
  await sweep()
  expect(await partitions()).not.toContain('deliveries_20260619')
  clock.monotonic += 1
  await sweep()
  expect(await partitions()).toEqual(named('20260616', '20260617', '20260618', '20260619'))
})

test('the role of the service makes and drops partitions of these tables only, and no table itself', async () => {
  const { store, service, partitions, rowsIn } = await opened()
  const refused = (statement: string) =>
    service.unsafe(statement).then(
      () => 'done',
      (error: { errno?: string }) => error.errno,
    )
  await service.unsafe('create temporary table verifications_default (like verifications_default)')
  await service.unsafe(`select make_partition_v1('verifications', ${dayOf(noon)}, 9)`)
  expect(await partitions()).toEqual(['verifications_20260615'])
  expect(await refused('create table more (id text)')).toBe('42501')
  expect(await refused('drop table verifications_20260615')).toBe('42501')
  expect(await refused('delete from verifications_20260615')).toBe('42501')
  expect(await refused("select make_partition_v1('apps', 1, 9)")).toBe('P0001')
  expect(await refused("select drop_partition_v1('audit', 1)")).toBe('P0001')
  await start(store)
  expect(await rowsIn('verifications_20260615')).toBe(1)
})

test('a read and a check touch the partition of their day and no other', async () => {
  const { touchedBy } = await withDays()
  const read = await touchedBy((store, command) => store.verifications.get(keyOf(command)))
  expect(read).toEqual(['verifications_20260618'])
  expect(await touchedBy(wrong)).toEqual(['verifications_20260618'])
})

/** Seven days with twenty verifications each; answers what partitions are read on one of them. */
async function withDays() {
  const { store, openStore, openDatabase, admin } = await opened()
  const days = times(7, (index) => dayOf(noon) + index)
  await makePartitions(openDatabase(), { from: days[0] ?? 0, to: days.at(-1) ?? 0 })
  const commands: StartCommand[] = []
  for (const day of days) {
    commands.push(...(await Promise.all(times(20, () => start(store, { now: day * dayMs })))))
  }
  await store.close()
  const connections = async (): Promise<number> => {
    const [row] = await admin`select count(*)::int as open from pg_stat_activity
      where datname = current_database()`
    return row.open
  }
  // Of the superuser, and the one that made the partitions.
  await eventually(async () => (await connections()) === 2)
  return {
    async touchedBy(work: (store: PostgresStore, command: StartCommand) => Promise<unknown>) {
      const before = await connections()
      await admin`select pg_stat_reset()`
      const fresh = await openStore()
      await Promise.all(commands.slice(60, 80).map((command) => work(fresh, command)))
      // Connections report what they have read when they end at the latest.
      await fresh.close()
      await eventually(async () => (await connections()) === before)
      const rows = await admin`select relname from pg_stat_user_tables
        where coalesce(idx_scan, 0) + seq_scan > 0 and relname ~ '^(verifications|deliver)'
        order by relname`
      return rows.map(({ relname }: { relname: string }) => relname)
    },
  }
}

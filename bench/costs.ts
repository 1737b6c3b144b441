import { SQL } from 'bun'
import { dayMs } from '../src/domain/verification/limits.ts'
import type { StartCommand } from '../src/domain/verification/stores.ts'
import { startCall } from '../src/store/postgres/start-command.ts'
import { openPostgresStore, type PostgresStore } from '../src/store/postgres/store.ts'
import { systemRandom, systemTimers } from '../src/system.ts'
import { type PostgresServer, startPostgres } from '../test/postgres/server.ts'
import { startStandby, withStandby } from '../test/postgres/standby.ts'
import {
  attempt,
  bytes,
  newRecipient,
  settleCommand,
  startCommand,
  times,
} from '../test/support/commands.ts'
import { eventually } from '../test/support/executable.ts'
import { secondsOfTree } from './postgres.ts'
import { type Finding, median } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { writeSample } from './seed.ts'

/**
 * Measures what one operation costs over PostgreSQL: processor time of the database, bytes of WAL and
 * of tables, and how long a commit takes. From these docs/scaling.md computes.
 */
export const costs: Measure = async (bench) => {
  const server = await startPostgres({
    fsync: true,
    settings: {
      ...withStandby,
      shared_preload_libraries: 'pg_stat_statements',
      // A page is written in full once after each checkpoint, which depends on how many pages there are.
      full_page_writes: 'off',
      ...{ shared_buffers: '512MB', max_wal_size: '4GB' },
    },
  })
  try {
    return [
      ...(await measureStore(bench, server)),
      ...(await measureCommits(bench, server)),
      ...(await measureTexts(bench)),
    ]
  } finally {
    await server.stop()
  }
}

const apps = 25

/** A start with the limits and budgets of a live key, of the first app or of one of many. */
function newStart(index: number): StartCommand {
  const rates = (count: number) =>
    times(count, () => ({ name: 'app_day' as const, max: 1e6, windowMs: dayMs }))
  const app = index % apps
  const command = startCommand({ now: Date.now(), appId: `app-${app}`, ttlMs: dayMs })
  const own = { key: bytes(32), rates: rates(3) }
  const anywhere = { key: bytes(32), rates: rates(1) }
  return {
    ...command,
    recipients: [newRecipient({ limits: [own, anywhere] })],
    limits: [{ key: new Uint8Array(32).fill(app + 1), rates: rates(2) }],
    budget: [
      { max: 1000, windowMs: dayMs },
      { max: 5000, windowMs: 30 * dayMs },
    ],
  }
}

type Operation = {
  name: string
  /** How its statement begins in pg_stat_statements; null where it has several. */
  statement: string | null
  run(store: PostgresStore, command: StartCommand): Promise<unknown>
}

const wrongCode: Operation['run'] = ({ verifications }, command) =>
  verifications.chargeAttempt(attempt(command, false, { now: Date.now() }))

const operations: Operation[] = [
  {
    name: 'a start',
    statement: '%start_many_v%',
    run: ({ verifications }, command) => verifications.start(command),
  },
  {
    name: 'a mail that was sent',
    statement: null,
    run: ({ deliveries }, command) =>
      deliveries.settle(settleCommand(command, { now: Date.now() })),
  },
  { name: 'a check, wrong code', statement: '%check_many_v%', run: wrongCode },
  {
    name: 'a check, right code',
    statement: '%check_many_v%',
    run: ({ verifications }, command) =>
      verifications.chargeAttempt(attempt(command, true, { now: Date.now() })),
  },
]

/** WAL, processor time and sizes of rows, by one node without HTTP. */
async function measureStore(bench: Bench, server: PostgresServer): Promise<Finding[]> {
  const url = await server.create()
  const admin = new SQL({ url: url.replace('//otpmint@', '//postgres@'), max: 1 })
  await admin.unsafe('create extension pg_stat_statements')
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const opened = { connect, timers: systemTimers, random: systemRandom, lanes: 1 }
  const store = await openPostgresStore(opened)
  const [one, many] = [bench.quick ? 200 : 500, bench.quick ? 4_000 : 20_000]
  const commands = times(one + many, newStart)
  const [single, rest] = [commands.slice(0, one), commands.slice(one)]
  // Plans are made with the first calls.
  for (const command of times(20, newStart)) await operations[0]?.run(store, command)

  const watched = { admin, postmaster: server.postmaster().pid }
  const found: Finding[] = []
  for (const operation of operations) {
    bench.progress(`costs of ${operation.name}`)
    const alone = await observe(watched, operation, async () => {
      for (const command of single) await operation.run(store, command)
    })
    const batched = await observe(watched, operation, async () => {
      await Promise.all(rest.map((command) => operation.run(store, command)))
    })
    found.push(bytesOf(`WAL of ${operation.name}, many at once`, batched.wal / many))
    found.push(bytesOf(`WAL of ${operation.name}, one at a time`, alone.wal / one))
    found.push({
      what: `processor time of the database for ${operation.name}, many at once`,
      value: batched.micros / many,
      unit: 'us',
    })
    if (operation.statement === null) continue
    // Two equations: calls and requests of both.
    const determinant = alone.calls * many - batched.calls * one
    const call = (alone.micros * many - batched.micros * one) / determinant
    const each = (alone.calls * batched.micros - batched.calls * alone.micros) / determinant
    const mean = `${(many / batched.calls).toFixed(0)} in a call`
    found.push({
      what: `processor time of the database for a call of ${operation.name}`,
      value: call,
      unit: 'us',
    })
    found.push({ what: `the same, each one in it (${mean})`, value: each, unit: 'us' })
  }
  await store.close()
  found.push(...(await sizes(admin)))
  await admin.close()
  return found
}

type Observed = { wal: number; calls: number; micros: number }

/** Processor time of the database, which other load changes less than the time on a clock. */
async function observe(
  { admin, postmaster }: Watched,
  { statement }: Operation,
  work: () => Promise<void>,
): Promise<Observed> {
  await admin.unsafe('select pg_stat_statements_reset()')
  const [{ lsn }] = await admin.unsafe('select pg_current_wal_insert_lsn()::text as lsn')
  const before = secondsOfTree(postmaster)
  await work()
  const micros = (secondsOfTree(postmaster) - before) * 1e6
  const [{ wal, calls }] = await admin.unsafe(
    `select (pg_current_wal_insert_lsn() - $1::pg_lsn)::float8 as wal,
      (select coalesce(sum(calls), 0) from pg_stat_statements where query like $2)::float8 as calls`,
    [lsn, statement ?? ''],
  )
  return { wal, calls, micros }
}

type Watched = { admin: SQL; postmaster: number }

const sizedTables = ['verifications', 'deliveries', 'delivery_tries', 'limits', 'events'] as const

/** Bytes for a verification that was mailed and approved after a wrong code, with all its indexes. */
async function sizes(admin: SQL): Promise<Finding[]> {
  const [{ count }] = await admin.unsafe('select count(*)::float8 as count from verifications')
  const found: Finding[] = []
  for (const table of sizedTables) {
    const [{ size }] = await admin.unsafe(
      `select sum(pg_total_relation_size(relid))::float8 as size
      from (select $1::regclass as relid union select relid from pg_partition_tree($1)) as all_of`,
      [table],
    )
    found.push(bytesOf(`${table} for each verification, with indexes`, size / count))
  }
  return found
}

function bytesOf(what: string, value: number): Finding {
  return { what, value, unit: 'bytes' }
}

/** How long a commit takes with and without a standby that must have it; both on this machine's disk. */
async function measureCommits(bench: Bench, server: PostgresServer): Promise<Finding[]> {
  bench.progress('commits, with and without a standby')
  const { admin } = server
  await admin.unsafe('create table if not exists commits (at bigint)')
  const commit = async () => {
    const found: number[] = []
    for (let made = 0; made < (bench.quick ? 200 : 1_000); made++) {
      const begunAt = performance.now()
      await admin.unsafe('insert into commits values (1)')
      found.push(performance.now() - begunAt)
    }
    return median(found)
  }
  const alone = await commit()
  const standby = await startStandby(server, { fsync: 'on' })
  try {
    await admin.unsafe(`alter system set synchronous_standby_names = 'standby'`)
    await admin.unsafe('select pg_reload_conf()')
    await standby.catchUp()
    // The setting is in force and the standby is followed.
    await eventually(async () => {
      const [row] = await admin.unsafe('select sync_state from pg_stat_replication')
      return row?.sync_state === 'sync'
    })
    return [
      { what: 'a commit, in the middle', value: alone, unit: 'ms' },
      {
        what: 'a commit with a synchronous standby on this machine',
        value: await commit(),
        unit: 'ms',
      },
    ]
  } finally {
    await admin.unsafe('alter system reset synchronous_standby_names')
    await admin.unsafe('select pg_reload_conf()')
    await standby.stop()
  }
}

/** What goes over the network besides HTTP: a start to the database, and a mail. */
async function measureTexts(bench: Bench): Promise<Finding[]> {
  const { commands, keys, requests } = startCall([newStart(0)])
  // A key is sent in hexadecimal.
  const call =
    commands.length + requests.length + keys.reduce((sum, { length }) => sum + 2 * length, 0)
  const mail = Bun.file(await writeSample(bench.directory()))
  return [bytesOf('what a start sends to the database', call), bytesOf('a mail', mail.size)]
}

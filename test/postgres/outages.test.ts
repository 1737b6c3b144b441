import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { eventually } from '../support/executable.ts'
import { startPgBouncer } from './pgbouncer.ts'
import {
  expectAllWork,
  insert,
  insertMany,
  longestMs,
  outcome,
  type Place,
  place,
} from './place.ts'
import { proxyTo } from './proxy.ts'
import { type PostgresServer, startPostgres } from './server.ts'
import { startStandby, withStandby } from './standby.ts'

setDefaultTimeout(60_000)

const ends: (() => Promise<void>)[] = []
/** Stops something after the test, the last one first. */
const stopping = <Started extends { stop(): Promise<void> }>(started: Started): Started => {
  ends.push(started.stop)
  return started
}
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function placeOn(server: PostgresServer, reach?: (url: string) => string): Promise<Place> {
  const made = await place(server, reach)
  ends.push(made.close)
  return made
}

/** Expects that nothing is done, and that every refusal comes within the bound. */
async function expectRefusals(there: Place): Promise<void> {
  const { done, tookMs } = await insertMany(there, 12)
  expect(done).toEqual([])
  expect(tookMs).toBeLessThan(longestMs)
}

test.each(['directly', 'by PgBouncer'])(
  'a server that is killed is unavailable, and works when it is back (%s)',
  async (by) => {
    const server = stopping(await startPostgres({ settings: { synchronous_commit: 'on' } }))
    const bouncer = stopping(await startPgBouncer(server.port))
    const there = await placeOn(server, by === 'directly' ? undefined : bouncer.through)
    await expectAllWork(there)
    server.postmaster().signalTree('SIGKILL')
    await server.postmaster().exited

    await expectRefusals(there)
    await server.restart()

    await eventually(async () => (await insertMany(there, 1)).done.length === 1)
    await expectAllWork(there)
  },
)

test('PgBouncer that is killed is unavailable, and works when it is back', async () => {
  const server = stopping(await startPostgres())
  const first = await startPgBouncer(server.port)
  const there = await placeOn(server, first.through)
  await expectAllWork(there)
  await first.stop()

  await expectRefusals(there)
  stopping(await startPgBouncer(server.port, { port: first.port }))

  await expectAllWork(there)
})

test('a full disk refuses what needs room and stores nothing of it, and works when there is room', async () => {
  const server = stopping(await startPostgres({ diskMb: 120 }))
  const there = await placeOn(server)
  await expectAllWork(there)
  const before = await there.kept()
  const free = server.fillDisk()
  const large = `insert into kept select $number::int, string_agg(md5(random()::text), '')
    from generate_series(1, 20000)`

  for (const number of [1, 2, 3]) {
    expect(await outcome(there.database.run(large, { number }))).toBe('store_unavailable')
  }
  const inTransaction = there.database.transaction(async (session) => {
    await session.run(insert, { number: 4 })
    await session.run(large, { number: 5 })
  })
  expect(await outcome(inTransaction)).toBe('store_unavailable')
  free()

  expect(await there.kept()).toEqual(before)
  await expectAllWork(there)
})

test('a server that takes no more connections is unavailable, and works when it does', async () => {
  const server = stopping(
    await startPostgres({ settings: { max_connections: 12, superuser_reserved_connections: 5 } }),
  )
  const there = await placeOn(server)
  // A connection that was closed keeps its place until its process has ended.
  const open = `select count(*)::int as count from pg_stat_activity where backend_type = 'client backend'`
  await eventually(async () => (await server.admin.unsafe(open))[0].count === 2)
  const others = Array.from(
    { length: 7 },
    () => new SQL({ url: server.url('postgres', 'otpmint'), max: 1 }),
  )
  await Promise.all(others.map((other) => other.unsafe('select 1').catch(() => {})))

  await expectRefusals(there)
  await Promise.all(others.map((other) => other.close({ timeout: 0 })))

  await eventually(async () => (await insertMany(there, 1)).done.length === 1)
  await expectAllWork(there)
})

test('a server that became read-only refuses writes, and its lanes find the next primary', async () => {
  const primary = stopping(await startPostgres({ settings: withStandby }))
  const standby = stopping(await startStandby(primary))
  // As HAProxy does: the way leads to another server for connections that are made later.
  const way = await proxyTo(primary.port)
  ends.push(way.close)
  const there = await placeOn(primary, (url) => url.replace(/:\d+\//, `:${way.port}/`))
  await expectAllWork(there)
  await standby.catchUp()
  way.lead(standby.port)
  way.cut()

  // Of a standby.
  await expectRefusals(there)
  const [read] = await there.database.read<{ number: number }>('select number from kept limit 1')
  standby.promote()

  expect(read?.number).toBe(0)
  await expectAllWork(there, new SQL({ url: standby.url(there.name), max: 1 }))
})

test('a lane that meets a server without writes leaves it, and needs nobody to cut it', async () => {
  const server = stopping(await startPostgres())
  const there = await placeOn(server)
  await expectAllWork(there)
  const set = (value: string) =>
    server.admin.unsafe(`alter role otpmint set default_transaction_read_only = ${value}`)
  // New connections take no writes; then the old ones are closed, and the setting ends.
  await set('on')
  await server.admin.unsafe(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'otpmint'",
  )
  await eventually(async () => (await insertMany(there, 3)).done.length === 0)
  await expectRefusals(there)
  await set('off')

  // Connections of before would still be read-only.
  await insertMany(there, 3)
  await expectAllWork(there)
})

test('a standby that does not confirm makes writes unknown, none is cancelled, and all go on after it', async () => {
  const primary = stopping(
    await startPostgres({
      settings: { ...withStandby, synchronous_commit: 'on', max_connections: 100 },
    }),
  )
  const standby = stopping(await startStandby(primary))
  const there = await placeOn(primary)
  const wait = (names: string) =>
    primary.admin.unsafe(`alter system set synchronous_standby_names = '${names}'`)
  await wait('standby')
  await primary.admin.unsafe('select pg_reload_conf()')
  await expectAllWork(there)
  standby.program.signalTree('SIGSTOP')

  const { done, refused, tookMs } = await insertMany(there, 3)
  expect(done).toEqual([])
  expect(tookMs).toBeLessThan(longestMs)
  // A write that was cancelled would be visible now, though no standby has it.
  expect(await there.kept()).not.toEqual(expect.arrayContaining(refused))
  standby.program.signalTree('SIGCONT')

  await eventually(async () => (await insertMany(there, 1)).done.length === 1)
  await expectAllWork(there)
  expect(await there.kept()).toEqual(expect.arrayContaining(refused))
})

import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { eventually } from '../support/executable.ts'
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts'
import {
  expectAllWork,
  insert,
  insertMany,
  longestMs,
  outcome,
  type Place,
  place,
} from './place.ts'
import { type Disturbed, proxyTo } from './proxy.ts'
import { type PostgresServer, startPostgres } from './server.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
let bouncer: PgBouncer
let disturbed: Disturbed
let places: Place[] = []

beforeAll(async () => {
  server = await startPostgres()
  bouncer = await startPgBouncer(server.port)
  disturbed = await proxyTo(server.port)
})
afterEach(async () => {
  await Promise.all(places.map(({ close }) => close()))
  places = []
})
afterAll(async () => {
  await disturbed.close()
  await bouncer.stop()
  await server.stop()
})

type By = 'directly' | 'by the proxy' | 'by PgBouncer'

async function placeBy(by: By = 'directly'): Promise<Place> {
  const made = await place(server, (url) => {
    if (by === 'by PgBouncer') return bouncer.through(url)
    return by === 'directly' ? url : url.replace(/:\d+\//, `:${disturbed.port}/`)
  })
  places.push(made)
  return made
}

const pidOf = 'select pg_backend_pid() as pid'

test.each<By>(['directly', 'by PgBouncer'])(
  'a transaction whose connection is lost between two statements stores nothing (%s)',
  async (by) => {
    const there = await placeBy(by)

    const ended = there.database.transaction(async (session) => {
      const [row] = await session.query<{ pid: number }>(pidOf)
      await session.run(insert, { number: 1 })
      await server.admin.unsafe(`select pg_terminate_backend(${row?.pid})`)
      await eventually(async () => !(await isAlive(row?.pid)))
      // The driver would connect anew for this one, and the server would store it alone.
      await session.run(insert, { number: 2 })
    })

    expect(await outcome(ended)).toBe('store_unavailable')
    expect(await there.kept()).toEqual([])
    await expectAllWork(there)
  },
)

/** The process of the server behind one of the lanes, which is free. */
async function pidIn({ database }: Place): Promise<number> {
  const [row] = await database.read<{ pid: number }>(pidOf)
  return row?.pid ?? 0
}

async function connectionsTo({ name }: Place): Promise<number> {
  const rows = await server.admin.unsafe(
    `select 1 from pg_stat_activity where datname = '${name}' and usename = 'otpmint'`,
  )
  return rows.length
}

async function isAlive(pid: number | undefined): Promise<boolean> {
  const rows = await server.admin.unsafe(`select 1 from pg_stat_activity where pid = ${pid}`)
  return rows.length > 0
}

test.each<By>(['directly', 'by PgBouncer'])(
  'a frozen backend ends its operation within the bound, and the others go on (%s)',
  async (by) => {
    const there = await placeBy(by)
    const pid = await pidIn(there)
    process.kill(pid, 'SIGSTOP')

    const { done, refused, tookMs } = await insertMany(there, 12)
    process.kill(pid, 'SIGCONT')

    // One may have met the frozen backend, which does it when it wakes up.
    expect(refused.length).toBeLessThanOrEqual(1)
    expect(tookMs).toBeLessThan(longestMs)
    expect(await there.kept()).toEqual(expect.arrayContaining(done))
    await expectAllWork(there)
  },
)

test('a server that is silent ends every operation within the bound, and works when it speaks', async () => {
  const there = await placeBy('by the proxy')
  await expectAllWork(there)
  disturbed.block()

  const { done, tookMs } = await insertMany(there, 20)
  disturbed.unblock()

  expect(done).toEqual([])
  expect(tookMs).toBeLessThan(longestMs)
  await expectAllWork(there)
})

test('a commit whose answer is lost is unknown, and is not run again', async () => {
  const there = await placeBy('by the proxy')
  const cut = disturbed.cutAnswerTo('commit')
  let runs = 0

  const ended = there.database.transaction(async (session) => {
    runs++
    await session.run(insert, { number: 1 })
  })

  expect(await outcome(ended)).toBe('store_unavailable')
  await cut
  expect(runs).toBe(1)
  expect(await there.kept()).toEqual([1])
  await expectAllWork(there)
})

test('a single statement whose answer is lost is unknown, and is not run again', async () => {
  const there = await placeBy('by the proxy')
  await expectAllWork(there)
  const cut = disturbed.cutAnswerTo('insert into kept')

  const ended = outcome(there.database.run(insert, { number: 1 }))

  expect(await ended).toBe('store_unavailable')
  await cut
  expect(await there.kept()).toContain(1)
  await expectAllWork(there)
})

test('connections that are cut while nothing runs are replaced before anybody notices', async () => {
  const there = await placeBy('by the proxy')
  await expectAllWork(there)
  disturbed.cut()
  await eventually(async () => (await connectionsTo(there)) === 0)

  await expectAllWork(there)
})

test.each<By>(['directly', 'by PgBouncer'])(
  'a statement that is too slow or waits too long for a lock leaves its lane in use (%s)',
  async (by) => {
    const there = await placeBy(by)
    const pid = await pidIn(there)
    // The role's own limits, which PgBouncer does not drop, made shorter than those of the lane.
    const { database } = there
    const slow = (limit: string, statement: string) =>
      database.transaction(async (session) => {
        await session.run(`set local ${limit} = '100ms'`)
        await session.run(insert, { number: 1 })
        await session.query(statement)
      })
    const holder = new SQL({ url: server.url(there.name), max: 1 })
    await holder.unsafe(
      'begin; lock table kept in row exclusive mode; select * from kept where number = 0 for update',
    )

    expect(await outcome(slow('statement_timeout', 'select pg_sleep(5)'))).toBe('store_unavailable')
    const locked = 'update kept set number = 0 where number = 0'
    expect(await outcome(slow('lock_timeout', locked))).toBe('store_unavailable')
    await holder.unsafe('rollback')
    await holder.close()

    expect(await there.kept()).toEqual([])
    if (by === 'directly') expect(await pidIn(there)).toBe(pid)
    await expectAllWork(there)
  },
)

test('a row that a new partition takes from the default one is written in a second run', async () => {
  const there = await placeBy()
  const owner = new SQL({ url: server.url(there.name, 'otpmint_migrate'), max: 1 })
  await owner.unsafe(`create table parted (number int) partition by range (number);
    create table parted_rest partition of parted default; grant all on parted to otpmint`)
  let runs = 0
  const insertOne = () =>
    there.database.transaction(async (session) => {
      runs++
      return session.run('insert into parted values (5)')
    })
  expect(await insertOne()).toBe(1)
  await owner.unsafe('delete from parted')

  await owner.unsafe(`begin; create table parted_ten (like parted);
    alter table parted attach partition parted_ten for values from (0) to (10)`)
  runs = 0
  const waiting = insertOne()
  await eventually(async () => {
    const locks = "select 1 from pg_locks where not granted and relation = 'parted_rest'::regclass"
    return (await owner.unsafe(locks)).length > 0
  })
  await owner.unsafe('commit')

  expect([await waiting, runs]).toEqual([1, 2])
  expect((await owner.unsafe('select number from parted_ten')).length).toBe(1)
  await owner.close()
})

test('the time-outs of the role hold behind PgBouncer too', async () => {
  const { database } = await placeBy('by PgBouncer')
  const limits = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
  const names = limits.map((name) => `current_setting('${name}') as ${name}`)

  expect(await database.read(`select ${names.join(', ')}`)).toEqual([
    { statementTimeout: '3s', lockTimeout: '2s', idleInTransactionSessionTimeout: '5s' },
  ])
})

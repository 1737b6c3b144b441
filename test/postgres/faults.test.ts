import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { Problem } from '../../src/domain/problem.ts'
import { createDatabase, type Database } from '../../src/store/postgres/database.ts'
import { createLanes, type Lanes } from '../../src/store/postgres/lanes.ts'
import { systemTimers } from '../../src/system.ts'
import { eventually } from '../support/executable.ts'
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts'
import { type Disturbed, proxyTo } from './proxy.ts'
import { type PostgresServer, startPostgres } from './server.ts'

setDefaultTimeout(60_000)

/** Shorter than in service, so that a test of a server that is silent is short. */
const bounds = { statementMs: 1000, waitMs: 500 }
const laneCount = 3

let server: PostgresServer
let bouncer: PgBouncer
let proxy: Disturbed
let lanes: Lanes[] = []

beforeAll(async () => {
  server = await startPostgres()
  bouncer = await startPgBouncer(server.port)
  proxy = await proxyTo(server.port)
})
afterEach(async () => {
  await Promise.all(lanes.map(({ close }) => close()))
  lanes = []
})
afterAll(async () => {
  await proxy.close()
  await bouncer.stop()
  await server.stop()
})

type Place = { database: Database; url: string; kept(): Promise<number[]> }
type By = 'directly' | 'by the proxy' | 'by PgBouncer'

/** A database with a table `kept`, reached as the service does. */
async function place(by: By = 'directly'): Promise<Place> {
  const url = server.url(await server.createEmpty(), 'otpmint')
  const owner = new SQL({ url: url.replace('//otpmint@', '//otpmint_migrate@'), max: 1 })
  await owner.unsafe(`create table kept (number int primary key);
    grant all on kept to otpmint; insert into kept values (0)`)
  const ways = {
    directly: url,
    'by the proxy': url.replace(/:\d+\//, `:${proxy.port}/`),
    'by PgBouncer': bouncer.through(url),
  }
  const connect = () => new SQL({ url: ways[by], max: 1, prepare: false, bigint: true })
  const own = createLanes({ connect, count: laneCount, timers: systemTimers, ...bounds })
  lanes.push(own)
  return {
    database: createDatabase(own),
    url,
    async kept() {
      const rows = await owner.unsafe('select number from kept where number > 0 order by number')
      return rows.map(({ number }: { number: number }) => number)
    },
  }
}

const insert = 'insert into kept values ($number::int)'
const pidOf = 'select pg_backend_pid() as pid'

/** The outcome of an operation: its result, or the code of the problem. */
async function outcome(operation: Promise<unknown>): Promise<unknown> {
  return operation.catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    return error.code
  })
}

/** Expects that every lane works, without a restart of anything. */
async function expectAllWork({ database, kept }: Place): Promise<void> {
  const before = (await kept()).length
  const numbers = Array.from({ length: laneCount * 3 }, (_, index) => 1000 + index)
  const holding = numbers.map((number) =>
    database.transaction(async (session) => {
      await session.query('select pg_sleep(0.02)')
      return session.run(insert, { number })
    }),
  )
  expect(await Promise.all(holding)).toEqual(numbers.map(() => 1))
  expect((await kept()).length).toBe(before + numbers.length)
}

test.each<By>(['directly', 'by PgBouncer'])(
  'a transaction whose connection is lost between two statements stores nothing (%s)',
  async (by) => {
    const there = await place(by)

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

async function isAlive(pid: number | undefined): Promise<boolean> {
  const rows = await server.admin.unsafe(`select 1 from pg_stat_activity where pid = ${pid}`)
  return rows.length > 0
}

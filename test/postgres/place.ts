import { expect } from 'bun:test'
import { SQL } from 'bun'
import { Problem } from '../../src/domain/problem.ts'
import { createDatabase, type Database } from '../../src/store/postgres/database.ts'
import { createLanes } from '../../src/store/postgres/lanes.ts'
import { systemTimers } from '../../src/system.ts'
import type { PostgresServer } from './server.ts'

/** Shorter than in service, so that a test of a server that is silent is short. */
const bounds = { statementMs: 1000, waitMs: 500 }
export const laneCount = 3
/** A wait for a lane, then one statement; and a second for a busy machine. */
export const longestMs = bounds.statementMs + bounds.waitMs + 1000

export const insert = 'insert into kept values ($number::int)'

/** A database with a table `kept` of numbers, which begins with 0. */
export type Place = {
  name: string
  database: Database
  /** The numbers that are stored, without the first. */
  kept(): Promise<number[]>
  close(): Promise<void>
}

let nextNumber = 1000
const nextNumbers = (count: number) => Array.from({ length: count }, () => nextNumber++)

/** `reach` changes the URL by which the lanes connect, which is that of the service's role. */
export async function place(
  server: Pick<PostgresServer, 'url' | 'createEmpty'>,
  reach: (url: string) => string = (url) => url,
): Promise<Place> {
  const name = await server.createEmpty()
  const ownerUrl = server.url(name, 'otpmint_migrate')
  const owner = new SQL({ url: ownerUrl, max: 1 })
  await owner.unsafe(`create table kept (number int primary key, filler text);
    grant all on kept to otpmint; insert into kept values (0)`)
  const url = reach(server.url(name, 'otpmint'))
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const lanes = createLanes({ connect, count: laneCount, timers: systemTimers, ...bounds })
  return {
    name,
    database: createDatabase(lanes),
    kept: () => keptIn(owner),
    async close() {
      await Promise.all([lanes.close(), owner.close({ timeout: 0 })])
    },
  }
}

/** The outcome of an operation: its result, or the code of the problem. */
export function outcome(operation: Promise<unknown>): Promise<unknown> {
  return operation.catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    return error.code
  })
}

/** Runs inserts at the same time; answers how each ended, and how long all took. */
export async function insertMany({ database }: Place, count: number) {
  const numbers = nextNumbers(count)
  const startedAt = performance.now()
  const outcomes = await Promise.all(
    numbers.map((number) => outcome(database.run(insert, { number }))),
  )
  const done = numbers.filter((_, index) => outcomes[index] === 1)
  const refused = numbers.filter((_, index) => outcomes[index] === 'store_unavailable')
  expect(done.length + refused.length).toBe(count)
  return { done, refused, tookMs: performance.now() - startedAt }
}

async function keptIn(sql: SQL): Promise<number[]> {
  const rows = await sql.unsafe('select number from kept where number > 0 order by number')
  return rows.map(({ number }: { number: number }) => number)
}

/**
 * Expects that every lane works, without a restart of anything. `by` looks at what is stored; the
 * owner of the place does unless it is given.
 */
export async function expectAllWork({ database, kept }: Place, by?: SQL): Promise<void> {
  const numbers = nextNumbers(laneCount * 3)
  const holding = numbers.map((number) =>
    database.transaction(async (session) => {
      await session.query('select pg_sleep(0.02)')
      return session.run(insert, { number })
    }),
  )
  expect(await Promise.all(holding)).toEqual(numbers.map(() => 1))
  expect(await (by ? keptIn(by) : kept())).toEqual(expect.arrayContaining(numbers))
}

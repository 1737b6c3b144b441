import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import type { MoveParts } from '../../../src/store/move/context.ts'
import { beginJournal } from '../../../src/store/move/journal.ts'
import type { Mark } from '../../../src/store/move/mark.ts'
import { createPostgresPlace } from '../../../src/store/move/postgres-place.ts'
import { tables, unmoved } from '../../../src/store/move/tables.ts'
import { fillPostgres, switchToPostgres } from '../../../src/store/move/to-postgres.ts'
import { type PostgresServer, startPostgres } from '../../postgres/server.ts'
import { filledDatabase, tableNames } from './filled.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
const open: { close(): unknown }[] = []

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  for (const one of open) await one.close()
  await server.stop()
})

const mark: Mark = { id: 'a', state: 'copying', place: 'a database', since: 1 }

async function connect(url?: string): Promise<SQL> {
  const sql = new SQL({
    url: url ?? (await server.create('postgres')),
    max: 1,
    prepare: false,
    bigint: true,
  })
  open.push(sql)
  return sql
}

/** A mover of this database to an empty one. */
async function moverOf(path: string): Promise<MoveParts> {
  const [reader, writer] = [
    new Database(path, { readonly: true, strict: true }),
    new Database(path, { strict: true }),
  ]
  open.push(reader, writer)
  beginJournal(writer, mark)
  const sql = await connect()
  const place = createPostgresPlace(sql)
  await place.enter()
  await place.prepare({ ...mark, state: 'arriving' })
  return { reader, writer, sql, mark, onStep: () => {} }
}

type Plain = Record<string, unknown>

/** All rows of both databases as text, read in another way than the mover does. */
async function bothAs(reader: Database, sql: SQL, table: string): Promise<[string[], string[]]> {
  const { added = {}, renamed = {}, only } = tables.find(({ name }) => name === table) ?? {}
  const where = only ? `where ${only}` : ''
  const ours = reader.query<Plain, []>(`select * from ${table} ${where}`).all()
  const theirs: Plain[] = await sql.unsafe(`select * from ${table} ${where}`)
  const plain = (row: Plain, drop: string[]) =>
    JSON.stringify(
      Object.entries(row)
        .filter(([name]) => !drop.includes(name))
        .map(([name, value]): [string, unknown] => [renamed[name] ?? name, plainValue(value)])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    )
  return [
    ours.map((row) => plain(row, [])).sort(),
    theirs.map((row) => plain(row, Object.keys(added))).sort(),
  ]
}

function plainValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  return typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : value
}

async function expectEqual(reader: Database, sql: SQL): Promise<void> {
  for (const { name } of tables) {
    const [ours, theirs] = await bothAs(reader, sql, name)
    expect([name, theirs]).toEqual([name, ours])
  }
}

test('every table of either store is moved, or is named with the reason why it is not', async () => {
  const { database } = filledDatabase(0)
  const sql = await connect()
  const theirs = await sql.unsafe(`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace
      and relkind in ('r', 'p') and not relispartition`)
  const known = [...tables.map(({ name }) => name), ...Object.keys(unmoved)].sort()

  const all = new Set([...tableNames(database), ...theirs.map(({ name }: Plain) => `${name}`)])
  expect([...all].sort()).toEqual(known)
})

test('every row arrives as it was, with odd texts and bytes', async () => {
  const { path, database } = filledDatabase()
  const mover = await moverOf(path)

  const { tables: moved } = await switchToPostgres(await fillPostgres(mover), () =>
    performance.now(),
  )

  await expectEqual(database, mover.sql)
  expect(moved.map(({ table, rows }) => [table, rows])).toEqual(
    tables.map(({ name }) => [name, name === 'audit_state' ? 1 : 40]),
  )
})

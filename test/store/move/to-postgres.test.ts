import type { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import type { MoveParts } from '../../../src/store/move/context.ts'
import {
  beginJournal,
  forgetMove,
  JournalFull,
  journalMax,
  readJournal,
} from '../../../src/store/move/journal.ts'
import type { Mark } from '../../../src/store/move/mark.ts'
import { openPair } from '../../../src/store/move/open.ts'
import { compareAll } from '../../../src/store/move/pages.ts'
import { createPostgresPlace } from '../../../src/store/move/postgres-place.ts'
import { tables, unmoved } from '../../../src/store/move/tables.ts'
import {
  fillPostgres,
  SwitchTooLong,
  switchToPostgres,
} from '../../../src/store/move/to-postgres.ts'
import { sqlState } from '../../../src/store/postgres/failure.ts'
import { schemaFaults } from '../../../src/store/sqlite/inspect.ts'
import { openSqliteStore } from '../../../src/store/sqlite/store.ts'
import { systemTimers } from '../../../src/system.ts'
import { type PostgresServer, startPostgres } from '../../postgres/server.ts'
import { problemCode } from '../files.ts'
import { changes, filledDatabase, insertRow, single, tableNames } from './filled.ts'

setDefaultTimeout(180_000)

let server: PostgresServer
const open: SQL[] = []

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  for (const sql of open) await sql.close({ timeout: 0 })
  await server.stop()
})

const mark: Mark = { id: 'a', state: 'copying', place: 'a database', since: 1 }

async function connect(url: string): Promise<SQL> {
  const sql = new SQL({ url, max: 1, prepare: false, bigint: true })
  open.push(sql)
  return sql
}

type Source = { path: string; url: string; onStep?: MoveParts['onStep']; pageRows?: number }

/** A mover of this database to that one, which is empty or was begun by an earlier mover. */
async function moverOf({ path, url, onStep = () => {}, pageRows = 5_000 }: Source) {
  const { reader, writer, close } = openPair(path)
  beginJournal(writer, mark)
  const sql = await connect(url)
  const place = createPostgresPlace(sql)
  expect(await place.enter()).toBe(true)
  if ((await place.readMark()) === null) await place.prepare({ ...mark, state: 'arriving' })
  const end = async () => {
    close()
    await sql.close({ timeout: 0 })
  }
  return { reader, writer, sql, mark, onStep, pageRows, end }
}

async function moveAll(source: Source) {
  const mover = await moverOf(source)
  const filled = await fillPostgres(mover)
  return { mover, ...(await switchToPostgres(filled, systemTimers)) }
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
  const sql = await connect(await server.create('postgres'))
  const theirs = await sql.unsafe(`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace
      and relkind in ('r', 'p') and not relispartition`)
  const known = [...tables.map(({ name }) => name), ...Object.keys(unmoved)].sort()

  const all = new Set([...tableNames(database), ...theirs.map(({ name }: Plain) => `${name}`)])
  expect([...all].sort()).toEqual(known)
})

test('every row arrives as it was, with odd texts and bytes', async () => {
  const { path, database } = filledDatabase()

  const { mover, tables: moved } = await moveAll({ path, url: await server.create('postgres') })

  await expectEqual(database, mover.sql)
  expect(moved.map(({ table, rows }) => [table, rows])).toEqual(
    tables.map(({ name }) => [name, name in single ? 1 : 40]),
  )
})

test('what changes while it runs is moved, also when it is stopped and goes on, many times', async () => {
  const { path, database } = filledDatabase()
  const url = await server.create('postgres')
  const change = changes(database)
  const stops = 12
  let [steps, ended] = [0, 0]
  const onStep: MoveParts['onStep'] = ({ phase }) => {
    // In the switch the database takes no changes, and a mover that fails there opens it again.
    if (phase === 'switch') return
    for (let count = 0; count < 3; count++) change()
    if (ended < stops && ++steps % 19 === 0) throw new Error('stopped')
  }

  let last: Awaited<ReturnType<typeof moveAll>> | null = null
  while (!last) {
    const mover = await moverOf({ path, url, onStep, pageRows: 7 })
    try {
      const filled = await fillPostgres(mover)
      last = { mover, ...(await switchToPostgres(filled, systemTimers)) }
    } catch (error) {
      expect(String(error)).toBe('Error: stopped')
      ended++
      await mover.end()
    }
  }

  expect(ended).toBe(stops)
  await expectEqual(database, last.mover.sql)
  expect(last.tables.map(({ table, rows }) => [table, rows])).toEqual(
    tables.map(({ name, only = 'true' }) => {
      const [row] = database.query(`select count(*) from ${name} where ${only}`).values()
      return [name, Number(row?.[0])]
    }),
  )
})

test('two rows that exchange a unique value while it runs are moved', async () => {
  const { path, database } = filledDatabase(4)
  const exchange = database.transaction(() => {
    const hash = (id: number) =>
      database
        .query<{ hash: Uint8Array }, [string]>('select hash from api_keys where id = ?1')
        .get(`api_keys-id-${id}`)?.hash ?? null
    const put = (id: number, value: Uint8Array | null) =>
      database.query('update api_keys set hash = ?2 where id = ?1').run(`api_keys-id-${id}`, value)
    const [one, two] = [hash(1), hash(2)]
    put(1, new Uint8Array(32))
    put(2, one)
    put(1, two)
  })
  // Once all is copied every change must fit to the indexes that are there again.
  const onStep: MoveParts['onStep'] = ({ phase }) => {
    if (phase === 'index' || phase === 'compare') exchange()
  }

  const { mover } = await moveAll({ path, url: await server.create('postgres'), onStep })

  await expectEqual(database, mover.sql)
})

test('numbers that were given are not given again by the new database', async () => {
  const { path, database } = filledDatabase(5)
  database.run('delete from events where id > 2')
  const { mover } = await moveAll({ path, url: await server.create('postgres') })

  const [row] = await mover.sql.unsafe(
    `insert into events (at, app_id, type, data) values (1, 'a', 'x', '{}') returning id`,
  )
  expect(row.id).toBe(6n)
})

test('after the switch every write is refused, of every process, until the move is forgotten', async () => {
  const { path, database } = filledDatabase(3)
  await moveAll({ path, url: await server.create('postgres') })

  for (const { name, key } of tables) {
    const [column] = key
    const condition = name === 'meta' ? `where name <> 'move'` : ''
    expect(() => database.run(`delete from ${name} ${condition}`)).toThrow('moved')
    expect(() => database.run(`update ${name} set ${column} = ${column} ${condition}`)).toThrow(
      'moved',
    )
    expect(() => insertRow(database, name, 9)).toThrow('moved')
  }
  const store = await openSqliteStore({ path, timers: systemTimers })
  expect(await problemCode(store.meta.write({ a: new Uint8Array(1) }))).toBe('store_unavailable')
  expect(await problemCode(store.maintenance.ready())).toBe('store_unavailable')
  expect(schemaFaults(database)).toEqual([])

  forgetMove(database)

  expect(await store.meta.write({ a: new Uint8Array(1) })).toBe(true)
  await store.close()
  expect(schemaFaults(database)).toEqual([])
  expect(tableNames(database)).not.toContain('move_changes')
})

test('rows that differ are found, and the old database goes on', async () => {
  const { path, database } = filledDatabase()
  const url = await server.create('postgres')
  const mover = await moverOf({ path, url })
  const { context } = await fillPostgres(mover)
  await mover.sql.unsafe(`update limits set arrival_1 = arrival_1 + 1
    where key = (select key from limits where arrival_1 is not null limit 1)`)

  await expect(compareAll(context)).rejects.toThrow('the rows of limits differ')
  insertRow(database, 'limits', 50)
})

test('a switch that fails opens the old database again, and another run ends it', async () => {
  const { path, database } = filledDatabase()
  const url = await server.create('postgres')
  const onStep: MoveParts['onStep'] = ({ phase, done }) => {
    if (phase !== 'switch' || done !== 1) return
    expect(() => insertRow(database, 'limits', 50)).toThrow('moved')
    throw new Error('stopped')
  }
  await expect(moveAll({ path, url, onStep })).rejects.toThrow('stopped')
  await Promise.allSettled(open.splice(0).map((sql) => sql.close({ timeout: 0 })))

  insertRow(database, 'limits', 51)
  const { mover } = await moveAll({ path, url })
  await expectEqual(database, mover.sql)
})

test('a switch that takes longer than a minute opens the old database again', async () => {
  const { path, database } = filledDatabase(3)
  const url = await server.create('postgres')
  const filled = await fillPostgres(await moverOf({ path, url }))
  const waits: number[] = []
  const after = (ms: number, ring: () => void) => {
    waits.push(ms)
    ring()
    return () => {}
  }

  await expect(switchToPostgres(filled, { ...systemTimers, after })).rejects.toThrow(SwitchTooLong)
  expect(waits).toEqual([60_000])
  insertRow(database, 'limits', 50)
})

test('nobody but the mover can write to a database that is being filled', async () => {
  const { path } = filledDatabase(3)
  const url = await server.create('postgres')
  const mover = await moverOf({ path, url })
  const other = await connect(url)
  const write = () => other.unsafe(`insert into meta (name, value) values ('a', '')`)
  const stateOf = (asked: Promise<unknown>) => asked.then(() => 'done', sqlState)

  expect(await stateOf(write())).toBe('25006')
  expect(await createPostgresPlace(other).enter()).toBe(false)
  await switchToPostgres(await fillPostgres(mover), systemTimers)
  expect(await stateOf(write())).toBe('done')
})

test('a journal that was full is noticed, because later changes are not in it', () => {
  const { database } = filledDatabase(2)
  beginJournal(database, mark)
  const last = () => database.query('select max(number) from move_changes').values()[0]?.[0]
  database.run('update move_changes set number = 1')
  database.run(
    `insert into move_changes (number, name, k1) values (${journalMax - 1}, 'limits', x'01')`,
  )
  insertRow(database, 'limits', 60)
  expect(readJournal(database, 0, 10).last).toBe(journalMax)
  insertRow(database, 'limits', 61)
  insertRow(database, 'limits', 62)

  expect(last()).toBe(journalMax + 1)
  expect(() => readJournal(database, 0, 10)).toThrow(JournalFull)
})

import type { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { beginJournal, forgetMove } from '../../../src/store/move/journal.ts'
import type { Mark } from '../../../src/store/move/mark.ts'
import { openDraft, openPair } from '../../../src/store/move/open.ts'
import { createPostgresPlace } from '../../../src/store/move/postgres-place.ts'
import { tables } from '../../../src/store/move/tables.ts'
import { fillPostgres, switchToPostgres } from '../../../src/store/move/to-postgres.ts'
import { fillSqlite, finishDraft, type ToSqlite } from '../../../src/store/move/to-sqlite.ts'
import { sqlState } from '../../../src/store/postgres/failure.ts'
import { schemaFaults } from '../../../src/store/sqlite/inspect.ts'
import { systemTimers } from '../../../src/system.ts'
import { type PostgresServer, startPostgres } from '../../postgres/server.ts'
import { newPath } from '../files.ts'
import { filledDatabase, tableNames } from './filled.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

const mark: Mark = { id: 'back', state: 'frozen', place: 'a directory', since: 1 }
const connect = (url: string) => new SQL({ url, max: 1, prepare: false, bigint: true })

/** A PostgreSQL database with the rows of a SQLite database. */
async function movedDatabase() {
  const { path, database } = filledDatabase()
  const url = await server.create('postgres')
  const sql = connect(url)
  const { reader, writer, close } = openPair(path)
  const there: Mark = { ...mark, id: 'there', state: 'copying' }
  beginJournal(writer, there)
  const place = createPostgresPlace(sql)
  await place.enter()
  await place.prepare({ ...there, state: 'arriving' })
  const filled = await fillPostgres({ reader, writer, sql, mark: there, onStep: () => {} })
  await switchToPostgres(filled, systemTimers)
  forgetMove(writer)
  close()
  await sql.close({ timeout: 0 })
  return { database, url }
}

function rowsOf(database: Database, table: string): string[] {
  const { key, only = 'true' } = tables.find(({ name }) => name === table) ?? { key: [] }
  return database
    .query(`select * from ${table} where ${only} order by ${key.join(', ')}`)
    .values()
    .map((row) => JSON.stringify(row))
}

test('every row comes back as it was, also when the mover is stopped and goes on', async () => {
  const { database, url } = await movedDatabase()
  const sql = connect(url)
  const place = createPostgresPlace(sql)
  await place.enter()
  // Of another server, in the same minute: one row in SQLite.
  await sql.unsafe(`insert into app_minutes select app_id, minute, 7, starts, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0 from app_minutes order by app_id, minute limit 1`)
  database.run(`update app_minutes set starts = starts * 2 where (app_id, minute) in (
    select app_id, minute from app_minutes order by app_id, minute limit 1)`)
  await sql.unsafe(`update deliveries set leased_by = 'a node' where due_at is not null`)
  database.run(
    `update deliveries set leased_by = '', due_at = try_at
      where due_at is not null`,
  )
  await place.freeze(mark)
  const path = newPath()
  let [steps, ended] = [0, 0]
  const onStep: ToSqlite['onStep'] = () => {
    if (ended < 10 && ++steps % 29 === 0) throw new Error('stopped')
  }

  let draft = openDraft(path)
  for (;;) {
    try {
      await fillSqlite({ draft, sql, mark, onStep, pageRows: 7 })
      break
    } catch (error) {
      expect(String(error)).toBe('Error: stopped')
      ended++
      draft.close()
      draft = openDraft(path)
    }
  }
  finishDraft(draft, mark)

  expect(ended).toBe(10)
  for (const { name } of tables) {
    expect([name, rowsOf(draft, name)]).toEqual([name, rowsOf(database, name)])
  }
  expect(schemaFaults(draft)).toEqual([])
  expect(tableNames(draft)).toEqual(tableNames(database))
  draft.run(`insert into events (at, app_id, type, data) values (1, 'a', 'x', '{}')`)
  expect(draft.query('select max(id) from events').values()).toEqual([[41]])
  draft.close()
  await sql.close({ timeout: 0 })
})

test('a frozen PostgreSQL database takes no write of others until the move is forgotten', async () => {
  const { url } = await movedDatabase()
  const [sql, other] = [connect(url), connect(url)]
  const place = createPostgresPlace(sql)
  await place.enter()
  await place.freeze(mark)
  const stateOf = (text: string) => other.unsafe(text).then(() => 'done', sqlState)

  for (const { name } of [...tables, { name: 'turns' }]) {
    expect([name, await stateOf(`delete from ${name}`)]).toEqual([name, '25006'])
  }
  await place.forget()

  expect(await stateOf('delete from limits')).toBe('done')
  const [left] = await sql.unsafe(`select count(*) from pg_trigger where tgname = 'move_guard'`)
  expect(left.count).toBe(0n)
  await Promise.all([sql, other].map((each) => each.close({ timeout: 0 })))
})

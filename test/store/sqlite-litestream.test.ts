import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { statSync } from 'node:fs'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { inspectDatabase } from '../../src/store/sqlite/inspect.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'
import { startCommand, times } from '../support/commands.ts'
import { newPath } from './files.ts'

/** The tables of Litestream 0.5.18. */
const tables = `
  create table _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
  create table _litestream_lock (id INTEGER);`

/** A database of OtpMint in which this SQL was run. */
function prepared(sql: string): string {
  const path = newPath()
  openDatabase(path).close(true)
  const database = new Database(path)
  if (sql) database.run(sql)
  database.close(true)
  return path
}

const logSize = (path: string) => statSync(`${path}-wal`).size

test('the tables of Litestream are no fault', () => {
  expect(inspectDatabase(prepared(tables))).toBeNull()
})

test.each([
  ['table _litestream_a', 'create table _litestream_a (id integer check (abs(id) > 0))'],
  ['table _litestream_b', 'create table _litestream_b (id integer default (random()))'],
  ['view _litestream_c', 'create view _litestream_c as select * from apps'],
  [
    'trigger _litestream_d',
    'create trigger _litestream_d after insert on apps begin select 1; end',
  ],
])('a %s that computes something is one', (name, sql) => {
  expect(inspectDatabase(prepared(sql))).toBe(`its ${name} is not of OtpMint`)
})

test.each([
  ['truncates the log', '', true],
  ['leaves the log to Litestream where its tables are', tables, false],
])('a stop %s', async (_, sql, isTruncated) => {
  const path = prepared(sql)
  const store = await openSqliteStore({ path, timers: systemTimers })
  await Promise.all(times(20, () => store.verifications.start(startCommand())))
  // Another connection, as Litestream has one, keeps the files.
  const other = new Database(path)
  other.query('select count(*) from apps').values()
  await store.close()

  expect(logSize(path) === 0).toBe(isTruncated)
  other.close(true)
})

test.each([
  ['500 pages', '', 500],
  ['10,000 pages where the tables of Litestream are', tables, 10_000],
])('the log is used again from its beginning after %s', (_, sql, pages) => {
  const path = prepared(sql)
  const database = openDatabase(path)
  database.run('create table blobs (content blob)')
  const each = pages / 10
  for (let written = 0; written < pages * 1.5; written += each) {
    database.run('insert into blobs values (zeroblob(?))', [each * 4096])
  }
  const size = logSize(path)
  database.close(true)

  expect(size).toBeGreaterThan(pages * 4096)
  expect(size).toBeLessThan(pages * 1.3 * 4120)
})

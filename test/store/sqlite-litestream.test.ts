import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { inspectDatabase } from '../../src/store/sqlite/inspect.ts'
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
  database.run(sql)
  database.close(true)
  return path
}

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

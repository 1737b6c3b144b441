import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { suffix } from '../../src/store/postgres/versioned.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'

/*
 * deploy/citus.sql is run on PostgreSQL, over the tables as they are after a migration. The functions of
 * Citus are replaced by some that note their calls, and refuse what Citus refuses by its documentation.
 */
setDefaultTimeout(60_000)

let server: PostgresServer
const open: SQL[] = []
const file = readFileSync(join(import.meta.dir, '../../deploy/citus.sql'), 'utf8')

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  await Promise.all(open.map((sql) => sql.close()))
  await server.stop()
})

const citus = `
  create table placed (name text, kind text, place text);

  create function create_distributed_table(name text, place text, colocate_with text)
  returns void language plpgsql as $$
  declare
    at smallint;
    lacking text;
  begin
    select attnum into at from pg_attribute
      where attrelid = name::regclass and attname = place and attnotnull;
    if at is null then
      raise '% has no column % that is never null', name, place;
    end if;
    select string_agg(indexrelid::regclass::text, ', ') into lacking from pg_index
      where indrelid = name::regclass and indisunique and not (at = any (indkey));
    if lacking is not null then
      raise '% is unique without %', lacking, place;
    end if;
    if colocate_with <> 'none' and not exists (select from placed
      where placed.name = colocate_with and kind = 'distributed') then
      raise '% is not distributed', colocate_with;
    end if;
    insert into placed values (name, 'distributed', place);
  end $$;

  create function create_reference_table(name text) returns void language sql as $$
    insert into placed values (name::regclass::text, 'reference')
  $$;

  create function citus_add_local_table_to_metadata(name text) returns void language sql as $$
    insert into placed values (name::regclass::text, 'local')
  $$`

/** A migrated database, and a connection of the role that owns its tables, with those functions. */
async function migrated(): Promise<SQL> {
  const sql = new SQL({ url: await server.create('otpmint_migrate'), max: 1 })
  open.push(sql)
  await sql.unsafe(citus)
  return sql
}

async function names(sql: SQL, query: string): Promise<string[]> {
  const rows: { name: string }[] = await sql.unsafe(query)
  return rows.map(({ name }) => name)
}

const tablesOf = (sql: SQL) =>
  names(
    sql,
    `select relname as name from pg_class where relnamespace = current_schema()::regnamespace
      and relkind in ('r', 'p') and not relispartition and relname <> 'placed' order by relname`,
  )

test('every table gets exactly one place, and the distribution column is in all of its unique keys', async () => {
  const sql = await migrated()
  const before = await tablesOf(sql)
  await sql.unsafe(file)

  const placed = await names(sql, 'select name from placed order by name')
  expect(placed).toEqual(await tablesOf(sql))
  expect(placed).toEqual(expect.arrayContaining(before))
  expect(before.length).toBeGreaterThan(35)
})

test('foreign keys lead only where Citus lets them: to a table of the same kind, or a reference table', async () => {
  const sql = await migrated()
  await sql.unsafe(file)

  const keys: { kinds: string }[] = await sql.unsafe(`
    select distinct mine.kind || ' to ' || theirs.kind as kinds from pg_constraint
      join placed as mine on mine.name = conrelid::regclass::text
      join placed as theirs on theirs.name = confrelid::regclass::text
    where contype = 'f' order by 1`)
  expect(keys.map(({ kinds }) => kinds)).toEqual([
    'distributed to reference',
    'local to local',
    'reference to reference',
  ])
})

test.each([
  ['bots has no column app that is never null', /(?<='bots', ')app_id/, 'app'],
  ['is unique without app_id', /^alter table answers .*$/m, ''],
  ['verifications is not distributed', /^select create_distributed_table\('verifications'.*$/m, ''],
  ['does not exist', /^create table limits_across_apps[^;]*;$/m, ''],
])('the file with a mistake is refused: %s', async (says, place, mistake) => {
  const sql = await migrated()
  const answer = await sql.unsafe(file.replace(place, mistake)).catch(String)
  expect(String(answer)).toContain(says)
})

test('what the file says of functions names every function of the schema', async () => {
  const sql = await migrated()
  const functions = await names(
    sql,
    `select distinct proname as name from pg_proc
      where pronamespace = current_schema()::regnamespace and proname like '%\\${suffix}'`,
  )
  const comments = file
    .split('\n')
    .filter((line) => line.startsWith('--'))
    .join('\n')

  expect(functions.length).toBeGreaterThan(10)
  const missing = functions.filter(
    (name) => !new RegExp(`\\b${name.slice(0, -suffix.length)}\\b`).test(comments),
  )
  expect(missing).toEqual([])
})

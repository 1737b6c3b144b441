import type { Database } from 'bun:sqlite'
import { openDatabase } from '../../../src/store/sqlite/database.ts'
import { newPath } from '../files.ts'

type Value = string | number | Uint8Array | null
type Column = { name: string; type: string; notnull: number }

/** Text that formats and encodings could spoil. */
export const oddTexts = [
  '',
  'plain',
  'a\tb\nc\rd\\e\\.f\\N',
  '"quoted" \'and\' {braces}, (more)',
  '\u0001\u0008\u000c\u001f\u007f\u0085\u2028',
  'é ü ß 漢字 😀',
  ' spaces ',
  'null',
]

const sets: Record<string, Value[]> = {
  'apps.registered_by': ['admin', 'open'],
  'webhooks.off_cause': [null, 'admin', 'gone', 'failing'],
  'suppressions.cause': ['refused', 'bounced'],
  'verifications.started_by': ['v1', 'original'],
  'verifications.status': ['pending', 'approved', 'canceled'],
  'verifications.code_format': ['numeric', 'crockford'],
  'deliveries.status': ['queued', 'sent', 'bounced'],
  'delivery_tries.status': ['sent', 'deferred', 'refused'],
  'bindings.status': ['waiting', 'active', 'declined'],
  'audit_state.only': [1],
  'figures_state.id': [1],
  mode: ['live', 'test'],
  role: ['admin', 'viewer'],
}
const ranges: Record<string, [number, number]> = {
  test_events: [0, 1],
  ambiguous: [0, 1],
  password_is_long: [0, 1],
  code_length: [6, 13],
  attempts_spent: [0, 5],
  attempts_max: [5, 9],
  resends_spent: [0, 3],
  resends_max: [3, 9],
  handed_over: [50, 90],
  approved: [0, 50],
}
const json = [
  'policy',
  'settings',
  'types',
  'body',
  'variables',
  'content',
  'route',
  'check_delays',
]
const jsonToo = ['chosen', 'scores', 'answer', 'data', 'address_macs']
const figuresJson = ['hand_over_times', 'approval_times', 'recipients']
/** Tables of one row. */
export const single: Record<string, string> = { audit_state: 'cut_at', figures_state: 'version' }

/** A database in which every table has rows, with odd values in each column. */
export function filledDatabase(rows = 40, path = newPath()): { path: string; database: Database } {
  const database = openDatabase(path)
  for (const table of tableNames(database)) {
    for (let index = 0; index < (table in single ? 1 : rows); index++) {
      insertRow(database, table, index)
    }
  }
  return { path, database }
}

export function tableNames(database: Database): string[] {
  return database
    .query<{ name: string }, []>(
      `select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`,
    )
    .all()
    .map(({ name }) => name)
}

/** Adds a row that no other has the keys of, for this number. */
export function insertRow(database: Database, table: string, index: number): void {
  const columns = database
    .query<Column, [string]>('select name, type, "notnull" from pragma_table_info(?1)')
    .all(table)
  const values = columns.map((column) => cellOf(table, column, index))
  if (table === 'webhook_messages') {
    const place = (name: string) => columns.findIndex((column) => column.name === name)
    const isWaiting = index % 3 === 0
    values[place('status')] = isWaiting ? 'waiting' : 'dead'
    values[place('due_at')] = isWaiting ? index : null
  }
  if (table === 'accounts' && index % 3 === 1) values.fill(null, 5, 9)
  if (table === 'sessions' || table === 'links') {
    values[columns.findIndex(({ name }) => name === 'account_id')] = `accounts-id-${index}`
  }
  database
    .query(`insert into ${table} values (${columns.map(() => '?').join(', ')})`)
    .run(...values)
}

function cellOf(table: string, { name, type, notnull }: Column, index: number): Value {
  const set = sets[`${table}.${name}`] ?? sets[name]
  if (set) return set[index % set.length] ?? null
  const range = ranges[name]
  if (range) return range[0] + (index % (range[1] - range[0] + 1))
  const isKey =
    /^(id|app_id|number|key|hash|key_id|rank|minute|day|hour|slot|version|locale)$/.test(name)
  const isUnique =
    isKey || /_(id|index|key|hash|group)$/.test(name) || name === 'name' || name === 'job'
  if (!notnull && !isUnique && index % 3 === 1) return null
  if (name === 'app_id' && table !== 'apps') return `apps-id-${index}`
  if ([...json, ...jsonToo, ...figuresJson].includes(name))
    return JSON.stringify({ text: odd(index) })
  if (type === 'INTEGER') return isUnique ? index + 1 : (index * 7_919) % 2 ** 41
  if (type === 'BLOB') return bytesOf(`${table}.${name}.${index}`, /hash|digest|link/.test(name))
  return isUnique ? `${table}-${name}-${index}` : odd(index)
}

function odd(index: number): string {
  return oddTexts[index % oddTexts.length] ?? ''
}

function bytesOf(text: string, isWhole: boolean): Uint8Array {
  const hash = new Bun.CryptoHasher('sha256').update(text).digest()
  return new Uint8Array(isWhole ? hash : hash.subarray(0, 12))
}

const bumped =
  /^(created_at|updated_at|at|since|kept_at|kept_until|failures|starts|spent|handed|refusals|cut_at|logo_width|next_update)$/

/** A function that changes the database in one of many ways: rows come, change, go and are replaced. */
export function changes(database: Database): () => void {
  const tables = tableNames(database).filter((name) => !['nodes', 'turns'].includes(name))
  const columns = new Map(
    tables.map((table) => [
      table,
      database
        .query<Column, [string]>('select name, type, "notnull" from pragma_table_info(?1)')
        .all(table)
        .find(({ name }) => bumped.test(name))?.name,
    ]),
  )
  let turn = 0
  const anyRow = (table: string) => `select * from ${table} limit 1 offset ${turn % 23}`
  return () => {
    turn++
    const table = tables[turn % tables.length] ?? ''
    const column = columns.get(table)
    const ofSingle = single[table]
    if (ofSingle) database.run(`update ${table} set ${ofSingle} = ${ofSingle} + 1`)
    else if (turn % 5 < 2) insertWithOwner(database, table, 1_000 + turn)
    else if (turn % 5 === 2) replaceInbox(database, turn)
    else if (turn % 5 === 3 && column) {
      database.run(`update ${table} set ${column} = ifnull(${column}, 0) + 1
        where (${keyColumns(database, table)}) in (
          select ${keyColumns(database, table)} from (${anyRow(table)}))`)
    } else {
      database.run(`delete from ${table} where (${keyColumns(database, table)}) in (
        select ${keyColumns(database, table)} from (${anyRow(table)}))`)
    }
  }
}

/** Adds a row with what it may belong to: an app, and for some an account. */
function insertWithOwner(database: Database, table: string, index: number): void {
  const owners = ['sessions', 'links'].includes(table) ? ['apps', 'accounts'] : ['apps']
  for (const owner of owners) {
    const { count } = database
      .query<{ count: number }, [string]>(`select count(*) as count from ${owner} where id = ?1`)
      .get(`${owner}-id-${index}`) ?? { count: 0 }
    if (count === 0) insertRow(database, owner, index)
  }
  if (!owners.includes(table)) insertRow(database, table, index)
}

function keyColumns(database: Database, table: string): string {
  if (table === 'templates') return 'app_id, locale, version'
  return database
    .query<{ name: string }, [string]>('select name from pragma_table_info(?1) where pk > 0')
    .all(table)
    .map(({ name }) => name)
    .join(', ')
}

/** Writes a message of the inbox again, as the store does: it gets another number. */
function replaceInbox(database: Database, turn: number): void {
  database.run(`
    insert or replace into inbox (delivery_id, app_id, verification_id, recipient_sealed, at)
    select delivery_id, app_id, verification_id, recipient_sealed, ${turn} from inbox
    limit 1 offset ${turn % 7}`)
}

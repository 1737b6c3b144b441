import type { Database } from 'bun:sqlite'
import type { Cell, Row } from './cells.ts'
import { type Mark, markBytes, parseMark } from './mark.ts'
import { type Table, tables } from './tables.ts'

/** The most changes that wait to be copied; about 60 bytes each. */
export const journalMax = 2_000_000

const operations = ['insert', 'update', 'delete'] as const
const keysMax = 5

/** Written by triggers in the transaction of each change: the key of the row. */
const journal = `create table move_changes (number integer primary key, name text not null, ${Array.from({ length: keysMax }, (_, index) => `k${index + 1}`).join(', ')})`

/** False while the journal is full, which `readJournal` notices. */
const hasRoom = `ifnull((select max(number) from move_changes) - (select min(number) from move_changes), 0) < ${journalMax}`

/** Everything that a move adds to the schema of SQLite, by kind and name. */
export function moveObjects(): Map<string, string> {
  return new Map([
    ['table move_changes', journal],
    ...tables.flatMap(journalTriggers),
    ...tables.flatMap(freezingTriggers),
  ])
}

function journalTriggers(table: Table): [string, string][] {
  const note = (row: 'new' | 'old') => {
    const names = table.key.map((_, index) => `k${index + 1}`)
    const values = table.key.map((column) => `${row}.${column}`)
    return `insert into move_changes (name, ${names.join(', ')}) values ('${table.name}', ${values.join(', ')});`
  }
  const trigger = (name: string, when: string, notes: string): [string, string] => [
    `trigger move_${table.name}_${name}`,
    `create trigger move_${table.name}_${name} after ${when} on ${table.name} when ${hasRoom} begin ${notes} end`,
  ]
  return [
    trigger('insert', 'insert', note('new')),
    trigger('update', 'update', note('new')),
    trigger('rename', `update of ${table.key.join(', ')}`, note('old')),
    trigger('delete', 'delete', note('old')),
  ]
}

function freezingTriggers(table: Table): [string, string][] {
  return operations.map((operation) => {
    const name = `move_${table.name}_frozen_${operation}`
    const row = operation === 'delete' ? 'old' : 'new'
    const when = table.name === 'meta' ? ` when ${row}.name <> 'move'` : ''
    return [
      `trigger ${name}`,
      `create trigger ${name} before ${operation} on ${table.name}${when} begin select raise(abort, 'moved'); end`,
    ]
  })
}

/** The move that a database is in; null for one that is not moved. */
export function readMark(database: Database): Mark | null {
  const row = database
    .query<{ value: Uint8Array }, []>(`select value from meta where name = 'move'`)
    .get()
  return row === null ? null : parseMark(row.value)
}

/** Writes changes down from now on. */
export function beginJournal(database: Database, mark: Mark): void {
  inTransaction(database, () => {
    createObjects(database, (name) => !name.includes('_frozen_'))
    writeMark(database, mark)
  })
}

/** Refuses every write from now on, of every process; first gives leases back. */
export function freezeSqlite(database: Database, mark: Mark): void {
  inTransaction(database, () => {
    database.run(
      `update deliveries set leased_by = '', due_at = try_at
        where due_at is not null and leased_by <> ''`,
    )
    database.run(`update webhooks set leased_by = '', leased_until = 0 where leased_by <> ''`)
    createObjects(database, (name) => name.includes('_frozen_'))
    writeMark(database, mark)
  })
}

/** Takes writes again, and goes on writing changes down. */
export function thawSqlite(database: Database, mark: Mark): void {
  inTransaction(database, () => {
    dropObjects(database, (name) => name.includes('_frozen_'))
    writeMark(database, mark)
  })
}

/** Removes all that a move has added, so that the database is as before. */
export function forgetMove(database: Database): void {
  inTransaction(database, () => {
    dropObjects(database, () => true)
    database.run(`delete from meta where name = 'move'`)
  })
}

export function writeMark(database: Database, mark: Mark): void {
  database.run(`insert or replace into meta (name, value) values ('move', ?1)`, [markBytes(mark)])
}

export type Changes = {
  /** The keys of changed rows, by table. */
  keys: Map<string, Row[]>
  /** The number of the last change; null without any. */
  last: number | null
  count: number
}

/**
 * Reads changes in their order. Throws when the journal was full: then later ones are not in it, and
 * the move must begin again.
 */
export function readJournal(database: Database, after: number, limit: number): Changes {
  const bounds = database
    .query<{ first: number | null; last: number | null }, []>(
      `select (select min(number) from move_changes) as first,
        (select max(number) from move_changes) as last`,
    )
    .get()
  if ((bounds?.last ?? 0) - (bounds?.first ?? 0) >= journalMax) throw new JournalFull()
  const rows = database
    .query<never, [number, number]>(
      'select * from move_changes where number > ?1 order by number limit ?2',
    )
    .values(after, limit) as [number, string, ...Cell[]][]
  const keys = new Map<string, Map<string, Row>>()
  const widths = new Map(tables.map(({ name, key }) => [name, key.length]))
  for (const [, name, ...cells] of rows) {
    const key = cells.slice(0, widths.get(name))
    const known = keys.get(name) ?? new Map<string, Row>()
    keys.set(name, known.set(nameOfKey(key), key))
  }
  return {
    keys: new Map([...keys].map(([name, byKey]) => [name, [...byKey.values()]])),
    last: rows.at(-1)?.[0] ?? null,
    count: rows.length,
  }
}

export class JournalFull extends Error {}

/**
 * Removes changes that are copied, a part at a time, so that no writer waits long. The last one
 * stays: numbers would begin anew in an empty table.
 */
export function pruneJournal(database: Database, upTo: number): void {
  const remove = database.prepare(`
    delete from move_changes where number in (
      select number from move_changes
      where number <= ?1 and number < (select max(number) from move_changes)
      order by number limit ${prunedMax})`)
  while (remove.run(upTo).changes === prunedMax) {}
  remove.finalize()
}

const prunedMax = 5_000

function nameOfKey(key: Row): string {
  return key
    .map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell).toString('hex') : cell))
    .join('\0')
}

function createObjects(database: Database, isWanted: (name: string) => boolean): void {
  const found = objectNames(database)
  for (const [name, sql] of moveObjects()) {
    if (isWanted(name) && !found.has(name)) database.run(sql)
  }
}

function dropObjects(database: Database, isWanted: (name: string) => boolean): void {
  const found = objectNames(database)
  // Triggers go before the table that they write to.
  for (const name of [...moveObjects().keys()].reverse()) {
    if (isWanted(name) && found.has(name)) database.run(`drop ${name}`)
  }
}

function objectNames(database: Database): Set<string> {
  const rows = database
    .query<{ name: string }, []>(`select type || ' ' || name as name from sqlite_schema`)
    .all()
  return new Set(rows.map(({ name }) => name))
}

function inTransaction(database: Database, work: () => void): void {
  database.transaction(work).immediate()
}

import type { Database } from 'bun:sqlite'
import type { SQL } from 'bun'
import type { Kind } from './cells.ts'
import { type Table, tables } from './tables.ts'

/** A table with its columns, in the order of SQLite. */
export type Shape = Table & {
  columns: string[]
  kinds: Kind[]
  /** The places of the key's columns. */
  keyAt: number[]
}

type Column = { name: string; kind: Kind }

const sqliteKinds: Record<string, Kind> = { TEXT: 'text', INTEGER: 'integer', BLOB: 'bytes' }
const postgresKinds: Record<string, Kind> = {
  text: 'text',
  bigint: 'integer',
  boolean: 'boolean',
  bytea: 'bytes',
}

/**
 * The columns of every table, as both databases have them. Throws where they differ otherwise than
 * `tables` says, because then rows would be moved in part.
 */
export async function readShapes(database: Database, sql: SQL): Promise<Shape[]> {
  const stored: { table: string; name: string; type: string }[] = await sql.unsafe(`
    select table_name as "table", column_name as name, data_type as type
    from information_schema.columns where table_schema = current_schema() order by ordinal_position`)
  const byTable = Map.groupBy(stored, ({ table }) => table)
  return tables.map((table) => {
    const theirs = (byTable.get(table.name) ?? []).map(({ name, type }) => {
      return { name, kind: kindOf(postgresKinds, type, table.name, name) }
    })
    return shapeOf(table, sqliteColumns(database, table.name), theirs)
  })
}

function sqliteColumns(database: Database, table: string): Column[] {
  return database
    .query<{ name: string; type: string }, [string]>('select name, type from pragma_table_info(?1)')
    .all(table)
    .map(({ name, type }) => ({ name, kind: kindOf(sqliteKinds, type, table, name) }))
}

function shapeOf(table: Table, ours: Column[], theirs: Column[]): Shape {
  const { name, key, added = {} } = table
  const kinds = new Map(theirs.map((column) => [column.name, column.kind]))
  for (const column of Object.keys(added)) {
    if (!kinds.delete(column)) throw differs(name, column)
  }
  const columns = ours.map((column): Column => {
    const inPostgres = postgresName(table, column.name)
    const kind = kinds.get(inPostgres)
    const fits = kind === column.kind || (kind === 'boolean' && column.kind === 'integer')
    if (!kind || !fits) throw differs(name, column.name)
    kinds.delete(inPostgres)
    return { name: column.name, kind }
  })
  for (const column of kinds.keys()) throw differs(name, column)
  const keyAt = key.map((column) => columns.findIndex((each) => each.name === column))
  if (columns.length === 0 || keyAt.includes(-1)) throw differs(name, key.join(', '))
  return {
    ...table,
    columns: columns.map((column) => column.name),
    kinds: columns.map(({ kind }) => kind),
    keyAt,
  }
}

export function postgresName({ renamed }: Table, column: string): string {
  return renamed?.[column] ?? column
}

function kindOf(kinds: Record<string, Kind>, type: string, table: string, column: string): Kind {
  const kind = kinds[type]
  if (!kind) throw differs(table, column)
  return kind
}

function differs(table: string, column: string): Error {
  return new Error(`the databases differ in the columns of ${table} (${column})`)
}

import type { Database } from 'bun:sqlite'
import { type Cell, type Digest, digestOf, type Row } from './cells.ts'
import type { Shape } from './shapes.ts'
import { pageRows } from './tables.ts'

/** Reads the rows of a SQLite database in the order of their keys. */
export function createSqliteRows(database: Database) {
  const rows = (sql: string, values: Cell[]): Row[] =>
    database.query<never, Cell[]>(sql).values(...values) as Row[]
  const columnsOf = ({ columns }: Shape) => columns.join(', ')

  return {
    /** The rows after a key; fewer than a page at the end of the table. */
    page(shape: Shape, after: Row | null): Row[] {
      const { name, key, only, page = pageRows } = shape
      const conditions = [
        ...(only ? [only] : []),
        ...(after ? [`(${key.join(', ')}) > (${key.map(() => '?').join(', ')})`] : []),
      ]
      const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
      return rows(
        `select ${columnsOf(shape)} from ${name} ${where} order by ${key.join(', ')} limit ${page}`,
        after ?? [],
      )
    },
    byKeys(shape: Shape, keys: Row[]): Row[] {
      const { name, key, only } = shape
      const conditions = [...key.map((column) => `${column} = ?`), ...(only ? [only] : [])]
      const sql = `select ${columnsOf(shape)} from ${name} where ${conditions.join(' and ')}`
      return keys.flatMap((values) => rows(sql, values))
    },
    /** Adds rows that are not there. */
    add({ name, columns }: Shape, found: Row[]): void {
      const places = columns.map(() => '?').join(', ')
      const insert = database.query<null, Cell[]>(
        `insert into ${name} (${columns.join(', ')}) values (${places})`,
      )
      for (const row of found) insert.run(...row)
    },
    count({ name, only }: Shape): number {
      const where = only ? `where ${only}` : ''
      return Number(rows(`select count(*) from ${name} ${where}`, [])[0]?.[0] ?? 0)
    },
    /** The highest number that a counter has given. */
    counted({ name, counter }: Shape): number {
      const [given] = rows('select seq from sqlite_sequence where name = ?', [name])
      const [highest] = rows(`select max(${counter}) from ${name}`, [])
      return Math.max(Number(given?.[0] ?? 0), Number(highest?.[0] ?? 0))
    },
    /** The number that a counter gives next is above this one. */
    countFrom({ name }: Shape, given: number): void {
      if (database.query('select 1 from sqlite_sequence where name = ?1').get(name)) {
        database.query('update sqlite_sequence set seq = ?2 where name = ?1').run(name, given)
      } else {
        database.query('insert into sqlite_sequence (name, seq) values (?1, ?2)').run(name, given)
      }
    },
    /** Runs work with one view of the whole database. */
    async atOnce<Result>(work: () => Promise<Result>): Promise<Result> {
      database.run('begin')
      try {
        return await work()
      } finally {
        database.run('commit')
      }
    },
    digest: (shape: Shape, found: Row[]): Digest => digestOf(found, shape.kinds),
  }
}

export type SqliteRows = ReturnType<typeof createSqliteRows>

export function keyOf({ keyAt }: Shape, row: Row): Row {
  return keyAt.map((index) => row[index] ?? null)
}

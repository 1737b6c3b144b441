import type { Database } from 'bun:sqlite'
import type { SQL } from 'bun'
import type { Mark } from './mark.ts'
import { createPostgresPlace, type PostgresPlace } from './postgres-place.ts'
import { createPostgresRows, type PostgresRows } from './postgres-rows.ts'
import { readShapes, type Shape } from './shapes.ts'
import { createSqliteRows, type SqliteRows } from './sqlite-rows.ts'

export type Step = {
  phase: 'copy' | 'index' | 'compare' | 'switch'
  /** The table that it is at; empty where there is none. */
  table: string
  /** Rows of all tables; indexes and steps in the other two phases. */
  done: number
  total: number
}

/** Tells of the rows of all tables; `total` may be too small, because rows come meanwhile. */
export type Meter = { add(table: string, rows: number): void }

export function createMeter(
  { onStep }: Pick<MoveParts, 'onStep'>,
  phase: Step['phase'],
  total: number,
): Meter {
  let done = 0
  return {
    add(table, rows) {
      done += rows
      onStep({ phase, table, done, total: Math.max(done, total) })
    },
  }
}

/** What a mover is given. */
export type MoveParts = {
  /** The SQLite database for reading, and a connection that writes. */
  reader: Database
  writer: Database
  /** One connection to the PostgreSQL database, of a role that may define tables. */
  sql: SQL
  mark: Mark
  onStep(step: Step): void
  /** The most rows of a page; for tests. */
  pageRows?: number
}

/** The two databases. */
export type Context = MoveParts & {
  shapes: Shape[]
  sqlite: SqliteRows
  postgres: PostgresRows
  place: PostgresPlace
}

export async function createContext(parts: MoveParts): Promise<Context> {
  const { reader, sql, pageRows } = parts
  return {
    ...parts,
    shapes: (await readShapes(reader, sql)).map((shape) => {
      return pageRows === undefined ? shape : { ...shape, page: pageRows }
    }),
    sqlite: createSqliteRows(reader),
    postgres: createPostgresRows(sql),
    place: createPostgresPlace(sql),
  }
}

export class Unequal extends Error {
  constructor(table: string) {
    super(`the rows of ${table} differ`)
  }
}

/** Rows of a table that are equal in both databases. */
export type Moved = { table: string; rows: number; checksum: string }

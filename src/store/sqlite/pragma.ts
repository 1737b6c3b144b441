import type { Database } from 'bun:sqlite'

/** The first column of the first row. */
export function pragma(database: Database, sql: string): unknown {
  return database.query<never, []>(sql).values()[0]?.[0] ?? null
}

import type { Database } from 'bun:sqlite'
import { pragma } from './pragma.ts'

/**
 * Litestream copies the log of a database to a storage from a process of its own. It makes tables
 * named `_litestream_...` in the database, and lets nobody else restart the log that it copies.
 */

/** Whether Litestream replicates this database, or did. */
export function isReplicated(database: Database): boolean {
  return pragma(database, "select count(*) from sqlite_schema where name = '_litestream_seq'") === 1
}

/** Whether an object of the schema is a table of Litestream, with plain columns and no expression. */
export function isOfLitestream(name: string, sql: string | null): boolean {
  return /^table _litestream_\w+$/.test(name) && /^create table \w+ \([\w ,]+\)$/i.test(sql ?? '')
}

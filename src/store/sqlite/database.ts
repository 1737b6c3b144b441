import { Database } from 'bun:sqlite'
import { newerSchema } from '../newer-schema.ts'
import { migrations } from './migrations/index.ts'

/** SQLite before 3.51.3 can corrupt a WAL that two connections reset (sqlite.org/wal.html). */
const oldestSqlite = '3.51.3'

/** How long a statement waits for another process's lock, which blocks the event loop. */
const busyTimeoutMs = 5
const busyTimeoutAtOpenMs = 5000

/**
 * Opens, configures and migrates a database. `synchronous=FULL`, because a commit that is lost in a
 * power cut would revive a used code or lose a failed attempt. Throws a sentence for the admin.
 */
export function openDatabase(path: string): Database {
  const database = new Database(path, { create: true, strict: true })
  try {
    configure(database)
    migrate(database)
    database.run(`pragma busy_timeout = ${busyTimeoutMs}`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function configure(database: Database): void {
  const version = pragma(database, 'select sqlite_version()')
  if (Bun.semver.order(String(version), oldestSqlite) < 0) {
    throw new Error(`SQLite ${version} is too old: ${oldestSqlite} or newer is needed`)
  }
  database.run(`pragma busy_timeout = ${busyTimeoutAtOpenMs}`)
  // Has an effect only before the first write, so it precedes the journal mode.
  database.run('pragma auto_vacuum = incremental')
  database.run('pragma journal_mode = wal')
  database.run('pragma synchronous = full')
  database.run('pragma foreign_keys = on')
  database.run('pragma trusted_schema = off')
  database.run('pragma secure_delete = on')
  database.run('pragma temp_store = memory')
  database.run('pragma mmap_size = 0')
  database.run('pragma cache_size = -24576')
  // A checkpoint blocks every other write: 5 ms for 500 pages here, 12 ms for 2,500, which was the
  // p99 of checks beside starts.
  database.run('pragma wal_autocheckpoint = 500')
  database.run('pragma journal_size_limit = 67108864')
}

function migrate(database: Database): void {
  const { stored, known } = schemaVersion(database)
  if (stored > known) throw new Error(newerSchema(stored, known))
  for (let version = stored + 1; version <= known; version++) {
    database
      .transaction(() => {
        // Another process may have migrated while this one waited for the lock.
        if (schemaVersion(database).stored < version) applyMigration(database, version)
      })
      .immediate()
  }
}

export function applyMigration(database: Database, version: number): void {
  database.run(migrations[version - 1] ?? '')
  database.run(`pragma user_version = ${version}`)
}

/** The version of the schema in a file, and the newest that this executable knows. */
export function schemaVersion(database: Database): { stored: number; known: number } {
  return { stored: Number(pragma(database, 'pragma user_version')), known: migrations.length }
}

/** The first column of the first row. */
export function pragma(database: Database, sql: string): unknown {
  return database.query<never, []>(sql).values()[0]?.[0] ?? null
}

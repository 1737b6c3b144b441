import { Database } from 'bun:sqlite'
import { migrations } from './migrations/index.ts'

/** SQLite before 3.51.3 can corrupt a WAL that two connections reset (sqlite.org/wal.html). */
const oldestSqlite = '3.51.3'

/**
 * Opens, hardens and migrates. `synchronous=FULL` because a commit that a power cut takes back
 * would revive a used code or forget a failed attempt. Throws with a sentence for the operator.
 */
export function openDatabase(path: string): Database {
  const database = new Database(path, { create: true, strict: true })
  try {
    configure(database)
    migrate(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function configure(database: Database): void {
  const { version } = database
    .query<{ version: string }, []>('select sqlite_version() as version')
    .get() ?? { version: '0' }
  if (Bun.semver.order(version, oldestSqlite) < 0) {
    throw new Error(`SQLite ${version} is too old: ${oldestSqlite} or newer is needed`)
  }
  // Waiting holds up everything else here, and other processes write for milliseconds only.
  database.run('pragma busy_timeout = 500')
  database.run('pragma journal_mode = wal')
  database.run('pragma synchronous = full')
  database.run('pragma foreign_keys = on')
  database.run('pragma trusted_schema = off')
  database.run('pragma secure_delete = on')
  database.run('pragma temp_store = memory')
  database.run('pragma mmap_size = 0')
  database.run('pragma cache_size = -32768')
  // A checkpoint holds everybody up: with 8,000 pages the p99 of a check was twice as long.
  database.run('pragma wal_autocheckpoint = 2500')
  database.run('pragma journal_size_limit = 67108864')
}

/** The version of the schema in a file, and the newest that this executable knows. */
export function schemaVersion(database: Database): { stored: number; known: number } {
  const row = database.query<{ user_version: number }, []>('pragma user_version').get()
  return { stored: row?.user_version ?? 0, known: migrations.length }
}

function migrate(database: Database): void {
  const { stored, known } = schemaVersion(database)
  if (stored > known) {
    throw new Error(
      `The database has schema ${stored}, this executable knows ${known}: use a newer otpmint`,
    )
  }
  for (let version = stored + 1; version <= known; version++) {
    database
      .transaction(() => {
        // Another process may have migrated while this one waited for the lock.
        if (schemaVersion(database).stored >= version) return
        database.run(migrations[version - 1] ?? '')
        database.run(`pragma user_version = ${version}`)
      })
      .immediate()
  }
}

/** What `doctor` asks of a file: that it is sound and that its commits reach the disk. */
export function checkDatabase(database: Database): string[] {
  const faults: string[] = []
  const check = database.query<{ quick_check: string }, []>('pragma quick_check').all()
  if (check[0]?.quick_check !== 'ok') faults.push('quick_check found damage: restore a backup')
  const { journal_mode } = database
    .query<{ journal_mode: string }, []>('pragma journal_mode')
    .get() ?? { journal_mode: 'unknown' }
  if (journal_mode !== 'wal') faults.push('the journal is not a write-ahead log')
  return faults
}

import { Database, SQLiteError } from 'bun:sqlite'
import { join } from 'node:path'

/**
 * Locks a data directory for serving: an exclusive lock that the operating system releases when the
 * process ends. Null when another process has it.
 */
export function lockDataDirectory(directory: string): { release(): void } | null {
  const database = new Database(join(directory, 'serve.lock'), { create: true })
  try {
    database.run('pragma busy_timeout = 0')
    database.run('pragma journal_mode = delete')
    database.run('begin exclusive')
    return { release: () => database.close() }
  } catch (error) {
    database.close()
    if (error instanceof SQLiteError && error.code?.startsWith('SQLITE_BUSY')) return null
    throw error
  }
}

import { SQLiteError } from 'bun:sqlite'
import { Problem } from '../../domain/problem.ts'

// Primary result codes (sqlite.org/rescode.html) that say that the disk or a lock is in the way.
const unavailable = new Set([
  5, // BUSY
  6, // LOCKED
  8, // READONLY
  10, // IOERR
  13, // FULL
  14, // CANTOPEN
  22, // NOLFS
  23, // AUTH
])

/** A database that cannot write is a refusal with a time to come back; all else stays a bug. */
export function toProblem(error: unknown): unknown {
  if (error instanceof SQLiteError && unavailable.has((error.errno ?? 0) & 0xff)) {
    return new Problem('store_unavailable', { retryAfterSeconds: 5 })
  }
  return error
}

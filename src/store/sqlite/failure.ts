import { SQLiteError } from 'bun:sqlite'
import { Problem } from '../../domain/problem.ts'

// Primary result codes (sqlite.org/rescode.html).
const damaged = new Set([
  11, // CORRUPT
  26, // NOTADB
])
const unavailable = new Set([
  5, // BUSY
  6, // LOCKED
  8, // READONLY
  10, // IOERR
  13, // FULL
  14, // CANTOPEN
  22, // NOLFS
  23, // AUTH
  ...damaged,
])
const busy = 5
/** CONSTRAINT_TRIGGER: only the triggers of a move raise it, in a database that takes no writes. */
const moved = 1811

export type Failures = {
  /** Converts a failure of the database to a problem; returns any other error unchanged. */
  toProblem(error: unknown): unknown
}

/** `onDamage` is called once, when the database turns out to be damaged. */
export function createFailures(onDamage: () => void = () => {}): Failures {
  let isTold = false

  function toProblem(error: unknown): unknown {
    if (!isUnavailable(error)) return error
    if (damaged.has(primaryCode(error)) && !isTold) {
      isTold = true
      onDamage()
    }
    const detail = isMoved(error) && { detail: 'This database is being moved, or was moved' }
    return new Problem('store_unavailable', { retryAfterSeconds: 5, ...detail })
  }

  return { toProblem }
}

/** True for a fault of the disk, the file or a lock; false for a mistake in a statement. */
export function isUnavailable(error: unknown): error is SQLiteError {
  if (!(error instanceof SQLiteError)) return false
  return unavailable.has(primaryCode(error)) || isMoved(error)
}

/** True when another process has the lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof SQLiteError && primaryCode(error) === busy
}

function isMoved({ errno }: SQLiteError): boolean {
  return errno === moved
}

function primaryCode(error: SQLiteError): number {
  return (error.errno ?? 0) & 0xff
}

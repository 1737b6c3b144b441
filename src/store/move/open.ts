import { Database } from 'bun:sqlite'
import { openDatabase } from '../sqlite/database.ts'
import { forgetMove, readMark } from './journal.ts'

const busyTimeoutMs = 5_000

/** A database that a server may have open: a connection that reads, and one that writes. */
export type Pair = { reader: Database; writer: Database; close(): void }

export function openPair(path: string): Pair {
  const writer = new Database(path, { readwrite: true, strict: true })
  const reader = new Database(path, { readonly: true, strict: true })
  writer.run('pragma synchronous = full')
  writer.run('pragma foreign_keys = on')
  for (const each of [reader, writer]) {
    each.run(`pragma busy_timeout = ${busyTimeoutMs}`)
    each.run('pragma trusted_schema = off')
  }
  return {
    reader,
    writer,
    close() {
      reader.close()
      writer.close()
    },
  }
}

/** A new database, or one that an earlier run has filled in part. */
export function openDraft(path: string): Database {
  return openDatabase(path)
}

/** Removes all that a move has added to a file, such as a backup that was made meanwhile. */
export function forgetMoveIn(path: string): void {
  const database = new Database(path, { readwrite: true, strict: true })
  try {
    if (readMark(database)) forgetMove(database)
  } finally {
    database.close()
  }
}

/** How many messages a server is sending, or has ready in memory to be sent. */
export function leasedDeliveries(reader: Database): number {
  const row = reader
    .query<{ count: number }, []>(
      `select count(*) as count from deliveries where due_at is not null and leased_by <> ''`,
    )
    .get()
  return row?.count ?? 0
}

/** Whether a rotation of the master key has begun and is not finished. */
export function isRotating(reader: Database): boolean {
  return reader.query(`select 1 from meta where name = 'rotation_bridge'`).get() !== null
}

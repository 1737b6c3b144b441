import { chmodSync } from 'node:fs'
import type { Ports } from '../../domain/ports.ts'
import { Problem } from '../../domain/problem.ts'
import { createAppReader, createAppStore } from './apps.ts'
import { checkDatabase, openDatabase } from './database.ts'
import { createDeliveryStore } from './deliveries.ts'
import { toProblem } from './failure.ts'
import { createWriter } from './group-commit.ts'
import { type AuditLink, createJournal } from './journal.ts'
import { createLimitStore, createLimits } from './limits.ts'
import { createRecordStore } from './records.ts'
import { createVerificationStore } from './verifications.ts'

export type SqliteStore = Pick<
  Ports,
  'verifications' | 'deliveries' | 'apps' | 'limits' | 'records'
> & {
  /** A consistent copy, compacted, readable by its owner only; fails if `file` exists. */
  backup(file: string): void
  /** Ends every pending verification, so that a restored copy revives no code. */
  expirePending(now: number): number
  /** One sentence for each thing that is wrong with the file; empty when it is sound. */
  faults(): string[]
  /** Commits what is queued, empties the log into the database and closes both. */
  close(): void
}

export type StoreOptions = {
  /** A file, or `:memory:`. */
  path: string
  auditLink: AuditLink
  /** Off commits every operation alone; only the benchmark wants that. */
  grouped?: boolean
}

export function openSqliteStore({ path, auditLink, grouped = true }: StoreOptions): SqliteStore {
  const database = openDatabase(path)
  const journal = createJournal(database, auditLink)
  const writer = createWriter(database, {
    grouped,
    beforeCommit: journal.writeCounts,
    onRollback: journal.forgetCounts,
  })
  const limits = createLimits(database)
  const reader = createAppReader(database)

  return {
    verifications: createVerificationStore({ database, writer, limits, journal, apps: reader }),
    deliveries: createDeliveryStore(database, writer, journal),
    apps: createAppStore({ database, writer, journal, reader }),
    limits: createLimitStore(writer, limits),
    records: createRecordStore(database, writer, journal),
    backup(file) {
      database.query('vacuum into ?1').run(file)
      chmodSync(file, 0o600)
    },
    expirePending(now) {
      database.run('update deliveries set due_at = null where due_at is not null')
      return database.run(
        `update verifications
         set expires_at = min(expires_at, ?1), code_digest = null, recipient_sealed = null
         where status = 'pending'`,
        [now],
      ).changes
    },
    faults: () => checkDatabase(database),
    close() {
      writer.flush()
      try {
        // No `pragma optimize`: what it learns of a small database makes SQLite scan the large one
        // that it becomes. Without statistics the plans rest on the indexes alone.
        database.run('pragma wal_checkpoint(truncate)')
      } catch (error) {
        // On a full disk the log stays beside the database, and the next start reads it.
        if (!(toProblem(error) instanceof Problem)) throw error
      }
      // With its statements, or the connection lives on and keeps the log's files.
      database.close(true)
    },
  }
}

import type { Database } from 'bun:sqlite'
import type { Failures } from './failure.ts'
import type { Writer } from './group-commit.ts'

/** What every noun of the store is made of. */
export type Parts = {
  database: Database
  read: Failures['read']
  write: Writer['write']
}

import type { Database } from 'bun:sqlite'
import type { Failures } from './failure.ts'
import type { Writer } from './group-commit.ts'

/** What every part of the store needs. */
export type Parts = {
  database: Database
  read: Failures['read']
  write: Writer['write']
}

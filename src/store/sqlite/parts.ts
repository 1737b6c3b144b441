import type { Database } from 'bun:sqlite'
import type { Transactions } from './group-commit.ts'

/** What every part of the store needs. */
export type Parts = Pick<Transactions, 'read' | 'write'> & { database: Database }

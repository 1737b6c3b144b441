import type { Timers } from '../../domain/ports.ts'
import type { Database } from './database.ts'
import type { Counters } from './stats.ts'

/** What every part of the store needs. */
export type Parts = { database: Database; timers: Timers; counters: Counters }

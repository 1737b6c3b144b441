import type { Timers } from '../../domain/ports.ts'
import { Problem } from '../../domain/problem.ts'
import type { Stores } from '../../domain/stores.ts'
import { createAccountStore } from './accounts.ts'
import { type AlarmRows, createAlarmRows, createAlarmStore } from './alarms.ts'
import { createAppCache, createAppStore } from './apps.ts'
import { createAuditChain, createAuditStore } from './audit.ts'
import { backUp } from './backup.ts'
import { createBindingStore } from './bindings.ts'
import { openDatabase } from './database.ts'
import { createDeliveryStore, createEnqueue } from './deliveries.ts'
import { createAddEvent, createEventStore } from './events.ts'
import { createFailures } from './failure.ts'
import { createFigureStore } from './figures.ts'
import { createGroupCommit } from './group-commit.ts'
import { createInboxStore } from './inbox.ts'
import { createLearningStore } from './learning.ts'
import { createLimitRows, createLimitStore } from './limits.ts'
import { createMaintenanceStore } from './maintenance.ts'
import { createMetaStore } from './meta.ts'
import { createMoves } from './moves.ts'
import { createNodeStore } from './nodes.ts'
import { createPageStore } from './pages.ts'
import type { Parts } from './parts.ts'
import { createSpendingStore } from './spending.ts'
import { createCounters, createStatsStore } from './stats.ts'
import { createSuppressionStore, createSuppressions } from './suppressions.ts'
import { createTell } from './tell.ts'
import { createTemplateStore } from './templates.ts'
import { createVerificationStore } from './verifications.ts'
import { createWebhookStore } from './webhook-messages.ts'

export type SqliteStore = Stores & {
  /** Writes a consistent copy, readable by its owner only; fails if `file` exists. */
  backup(file: string): Promise<void>
  /** Commits the queued writes, checkpoints the log and closes the database. */
  close(): Promise<void>
}

export type StoreOptions = {
  /** A file, or `:memory:`. */
  path: string
  timers: Timers
  /** Called once, when the database turns out to be damaged. */
  onDamage?: () => void
  /** Off commits every operation alone; only the benchmark wants that. */
  grouped?: boolean
}

export async function openSqliteStore(options: StoreOptions): Promise<SqliteStore> {
  const { path, timers, onDamage, grouped = true } = options
  const database = openDatabase(path)
  const failures = createFailures(onDamage)
  const counters = createCounters(database)
  const cache = createAppCache(database, timers)
  const commits = createGroupCommit(database, {
    ...{ timers, failures, collected: counters, grouped },
    onRollBack: cache.forget,
  })
  const parts: Parts = { database, read: commits.read, write: commits.write }
  const limits = createLimitRows(database)
  const audit = createAuditChain(database)
  const alarms: AlarmRows = createAlarmRows({
    ...{ database, cache },
    addEvent: (event) => addEvent(event),
  })
  const tell = createTell({ database, cache, timers, alarms })
  const addEvent = createAddEvent(database, tell.event)
  const enqueue = createEnqueue(database)
  const suppressions = createSuppressions({ database, cache })
  const moves = createMoves({ database, enqueue, addEvent, counters })
  const inTransaction = { limits, enqueue, addEvent, counters, suppressions, moves }

  return {
    verifications: createVerificationStore({ ...parts, ...inTransaction, timers }),
    deliveries: createDeliveryStore({ ...parts, ...inTransaction, timers }),
    spending: createSpendingStore({ ...parts, limits }),
    suppressions: createSuppressionStore({ ...parts, audit, cache }),
    bindings: createBindingStore({ ...parts, audit }),
    pages: createPageStore({ ...parts, addEvent }),
    webhooks: createWebhookStore({ ...parts, alarms, cache, tell }),
    apps: createAppStore({ ...parts, audit, cache, alarms }),
    accounts: createAccountStore({ ...parts, audit }),
    templates: createTemplateStore(parts),
    limits: createLimitStore(parts, limits),
    events: createEventStore(parts, addEvent),
    alarms: createAlarmStore(parts, alarms),
    audit: createAuditStore({ ...parts, timers }, audit),
    stats: createStatsStore(parts),
    inbox: createInboxStore(parts, audit),
    learning: createLearningStore(parts),
    figures: createFigureStore(parts),
    nodes: createNodeStore(parts),
    meta: createMetaStore(parts, audit),
    maintenance: createMaintenanceStore({ ...parts, timers, addEvent }),
    async backup(file) {
      backUp(database, file)
    },
    async close() {
      await commits.close()
      try {
        // No `pragma optimize`: statistics of a small database would make SQLite scan a large one.
        // Without statistics the plans use the indexes.
        database.run('pragma wal_checkpoint(truncate)')
      } catch (error) {
        // On a full disk the log stays beside the database, and the next start reads it.
        if (!(failures.toProblem(error) instanceof Problem)) throw error
      }
      // With `true` also closes the statements; otherwise the connection keeps the log's files.
      database.close(true)
    },
  }
}

import type { SQL } from 'bun'
import type { Random, Timers } from '../../domain/ports.ts'
import type { Stores } from '../../domain/stores.ts'
import { createAccountStore } from './accounts.ts'
import { type AlarmRows, createAlarmRows, createAlarmStore } from './alarms.ts'
import { createAppStore } from './apps.ts'
import { createAuditChain, createAuditStore } from './audit.ts'
import { createBindingStore } from './bindings.ts'
import { createAppCache } from './cache.ts'
import { createDatabase, type Database, only } from './database.ts'
import { createDeliveryStore } from './deliveries.ts'
import { createAddEvents, createEventStore } from './events.ts'
import { createFigureStore } from './figures.ts'
import { createInboxStore } from './inbox.ts'
import { createLanes } from './lanes.ts'
import { createLearningStore } from './learning.ts'
import { createLimitStore } from './limits.ts'
import { createMaintenanceStore } from './maintenance.ts'
import { createMetaStore } from './meta.ts'
import { createMoves } from './moves.ts'
import { createNodeStore } from './nodes.ts'
import { createPageStore } from './pages.ts'
import type { Parts } from './parts.ts'
import { createSpendingStore } from './spending.ts'
import { counterShards, createCounters, createStatsStore } from './stats.ts'
import { createSuppressionStore, createSuppressions } from './suppressions.ts'
import { createTell } from './tell.ts'
import { createTemplateStore } from './templates.ts'
import { createVerificationStore } from './verifications.ts'
import { createWake } from './wake.ts'
import { createWebhookStore } from './webhook-messages.ts'

export type PostgresStore = Stores & {
  /** The database's time, in epoch ms. */
  time(): Promise<number>
  /** Drops what is kept in memory, as after the database was put back. */
  forget(): void
  /** Finishes what is running and closes every connection. */
  close(): Promise<void>
}

export type StoreOptions = {
  /** Makes a client with one connection, without prepared statements, with `bigint: true`. */
  connect(options?: { onClose(): void }): SQL
  /** The same past any pooler, for LISTEN; `connect` if absent. */
  connectDirect?: StoreOptions['connect'] | undefined
  timers: Timers
  random: Random
  /** The most connections. */
  lanes?: number
}

/** Opens a database that is migrated. */
export async function openPostgresStore(options: StoreOptions): Promise<PostgresStore> {
  const { connect, timers, random, lanes: count = 8 } = options
  const lanes = createLanes({ connect, count, timers })
  // A connection of its own, so that under load no node looks silent and no clock looks wrong.
  const ownLane = createLanes({ connect, timers, count: 1 })
  const own = createDatabase(ownLane)
  const shard = (random.bytes(1)[0] ?? 0) % counterShards
  const counters = createCounters(shard)
  const parts: Parts = { database: createDatabase(lanes), timers, counters }
  const audit = createAuditChain()
  const alarms: AlarmRows = createAlarmRows({
    addEvents: (session, events) => addEvents(session, events),
  })
  const tell = createTell({ alarms })
  const addEvents = createAddEvents({ tell: tell.events })
  const cache = createAppCache(parts)
  const moves = createMoves({ ...parts, addEvents })
  const suppressions = createSuppressions()
  const wake = createWake({ ...parts, random, connect: options.connectDirect ?? connect })

  return {
    verifications: createVerificationStore({ ...parts, addEvents, moves }),
    deliveries: createDeliveryStore({ ...parts, moves, addEvents, suppressions, wake: wake.lanes }),
    spending: createSpendingStore(parts),
    suppressions: createSuppressionStore({ ...parts, audit }),
    webhooks: createWebhookStore({ ...parts, alarms, tell, wake: wake.webhooks }),
    bindings: createBindingStore({ ...parts, audit }),
    pages: createPageStore({ ...parts, addEvents }),
    apps: createAppStore({ ...parts, audit, cache, alarms }),
    accounts: createAccountStore({ ...parts, audit }),
    templates: createTemplateStore(parts),
    limits: createLimitStore(parts),
    events: createEventStore(parts, addEvents),
    alarms: createAlarmStore(parts, alarms),
    audit: createAuditStore(parts, audit),
    stats: createStatsStore(parts),
    inbox: createInboxStore(parts, audit),
    learning: createLearningStore(parts),
    figures: createFigureStore(parts),
    nodes: createNodeStore({ database: own }),
    meta: createMetaStore({ ...parts, audit }),
    maintenance: createMaintenanceStore({ ...parts, addEvents, shard }),
    time: () => readTime(own),
    forget: cache.forget,
    async close() {
      await wake.close()
      await Promise.all([lanes.close(), ownLane.close()])
    },
  }
}

async function readTime(database: Database): Promise<number> {
  const sql = 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as at'
  return only(await database.read<{ at: number }>(sql)).at
}

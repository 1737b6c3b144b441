import type { Database } from 'bun:sqlite'
import type { Try } from '../../domain/delivery/delivery.ts'
import type { DeliveryStore, SettleCommand } from '../../domain/delivery/stores.ts'
import type { EventType } from '../../domain/event.ts'
import type { NewDelivery } from '../../domain/verification/stores.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import { type DeliveryRow, deliveryColumns, toDelivery } from '../delivery-row.ts'
import { createBounce } from './bounces.ts'
import { createLanes, type LaneDeps } from './lanes.ts'
import { createReport } from './reports.ts'
import { createSettle, createTries, type TryDeps } from './tries.ts'

/** Queues a delivery in the transaction of a start, a resend or a try. */
export type Enqueue = (
  verification: VerificationKey & { expiresAt: number },
  delivery: NewDelivery,
) => void

export function createEnqueue(database: Database): Enqueue {
  const insert = database.prepare<null, InsertDelivery>(`
    insert into deliveries (id, app_id, mode, verification_id, channel, endpoint_id, status,
      chosen, created_at, expires_at, try_at, due_at, leased_by)
    values ($id, $appId, $mode, $verificationId, $channel, $endpointId, 'queued',
      $chosen, $createdAt, $expiresAt, $createdAt, $dueAt, $leasedBy)`)

  return (
    { id: verificationId, appId, mode, expiresAt },
    { lease, endpointId, chosen, ...delivery },
  ) => {
    insert.run({
      ...delivery,
      ...{ verificationId, appId, mode, expiresAt },
      endpointId: endpointId ?? '',
      chosen: chosen ? JSON.stringify(chosen) : null,
      dueAt: lease?.until ?? delivery.createdAt,
      leasedBy: lease?.node ?? '',
    })
  }
}

export function createDeliveryStore(deps: LaneDeps & TryDeps): DeliveryStore {
  const { database, read, write } = deps
  const tries = createTries(database)
  const settle = createSettle(deps, tries)
  const expire = createExpire(database, settle)
  const reads = createReads(database, tries)

  return {
    ...createLanes(deps),
    // No other node serves this database.
    announce: () => {},
    onAnnounced: () => {},
    bounce: createBounce(deps),
    report: createReport(deps),
    between: (query) => read(() => reads.between(query)),
    settle: (command) => write(() => settle(command), 'start'),
    expire: (command) => write(() => expire(command)),
    find: (query) => read(() => reads.find(query)),
    isOpen: (deliveryId) => read(() => reads.isOpen(deliveryId)),
    isHeld: (query) => read(() => reads.isHeld(query)),
    tries: (deliveryId) => read(() => tries.of(deliveryId)),
    history: (key) => read(() => reads.history(key)),
    backlog: () => read(reads.backlog),
  }
}

function createReads(database: Database, tries: { of(deliveryId: string): Try[] }) {
  const history = database.prepare<DeliveryRow, VerificationKey>(`
    select ${deliveryColumns} from deliveries
    where verification_id = $id and app_id = $appId and mode = $mode order by id`)
  const one = database.prepare<DeliveryRow, { appId: string; id: string }>(
    `select ${deliveryColumns} from deliveries where id = $id and app_id = $appId`,
  )
  const open = database.prepare<{ id: string }, { id: string }>(
    'select id from deliveries where id = $id and due_at is not null',
  )
  const held = database.prepare<{ id: string }, Held>(
    'select id from deliveries where id = $id and leased_by = $node and due_at > $now',
  )
  const between = database.prepare<DeliveryRow, Parameters<DeliveryStore['between']>[0]>(`
    select ${deliveryColumns} from deliveries
    where id >= $from and id < $to and app_id = $appId and mode = $mode
    order by id limit $limit`)
  // Ids begin with their time, so the least is the oldest; the index covers the query.
  const backlog = database.prepare<{ waiting: number; oldest: number | null }, []>(`
    select waiting, (select created_at from deliveries where id = first) as oldest
    from (select count(*) as waiting, min(id) as first
      from deliveries indexed by deliveries_to_expire where due_at is not null)`)

  return {
    history: (key: VerificationKey) =>
      history.all(key).map((row) => ({ ...toDelivery(row), history: tries.of(row.id) })),
    find(query: { appId: string; id: string }) {
      const row = one.get(query)
      return row && toDelivery(row)
    },
    isOpen: (id: string) => open.get({ id }) !== null,
    isHeld: (query: Held) => held.get(query) !== null,
    between: (query: Parameters<DeliveryStore['between']>[0]) => between.all(query).map(toDelivery),
    backlog() {
      const { waiting = 0, oldest = null } = backlog.get() ?? {}
      return { waiting, oldestAt: oldest }
    },
  }
}

type Held = Parameters<DeliveryStore['isHeld']>[0]

type Expire = { now: number; limit: number; event: EventType }

function createExpire(
  database: Database,
  settle: (command: SettleCommand) => boolean,
): (command: Expire) => number {
  const overdue = database.prepare<DeliveryRow, { now: number; limit: number }>(`
    select ${deliveryColumns} from deliveries indexed by deliveries_to_expire
    where due_at is not null and expires_at <= $now limit $limit`)

  return ({ now, limit, event }) => {
    const rows = overdue.all({ now, limit })
    for (const delivery of rows.map(toDelivery)) {
      const { detail } = delivery
      const end = { made: null, status: 'undeliverable', again: null, follow: null } as const
      settle({ delivery, ...end, counted: null, suppress: null, detail, event, now })
    }
    return rows.length
  }
}

type InsertDelivery = Omit<NewDelivery, 'lease' | 'endpointId' | 'chosen'> &
  Omit<VerificationKey, 'id'> & {
    verificationId: string
    endpointId: string
    chosen: string | null
    expiresAt: number
    dueAt: number
    leasedBy: string
  }

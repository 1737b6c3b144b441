import type { DeliveryStore, SettleCommand } from '../../domain/delivery/stores.ts'
import type { EventType } from '../../domain/event.ts'
import type { NewDelivery } from '../../domain/verification/stores.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import { type DeliveryRow, deliveryColumns, toDelivery } from '../delivery-row.ts'
import { createBatch } from './batch.ts'
import { createBounce } from './bounces.ts'
import { type Database, only } from './database.ts'
import { createDue } from './due.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'
import { createReport } from './reports.ts'
import { createSettle, type Settle, type TryDeps, triesBy } from './tries.ts'
import type { Wake } from './wake.ts'

export type Queued = {
  verification: VerificationKey & { expiresAt: number }
  delivery: NewDelivery
}

/** Queues a delivery in the transaction of a start, a resend or a try. */
export function enqueue(
  session: Session,
  verification: Queued['verification'],
  delivery: NewDelivery,
): Promise<void> {
  return enqueueAll(session, [{ verification, delivery }])
}

export async function enqueueAll(session: Session, queued: Queued[]): Promise<void> {
  const rows = queued.map(({ verification, delivery }) => ({
    id: delivery.id,
    app_id: verification.appId,
    mode: verification.mode,
    verification_id: verification.id,
    channel: delivery.channel,
    endpoint_id: delivery.endpointId ?? '',
    chosen: delivery.chosen ? JSON.stringify(delivery.chosen) : null,
    created_at: delivery.createdAt,
    expires_at: verification.expiresAt,
    due_at: delivery.lease?.until ?? delivery.createdAt,
    leased_by: delivery.lease?.node ?? '',
  }))
  await session.run(insert, { rows: JSON.stringify(rows) })
}

const insert = `
  insert into deliveries (id, app_id, mode, verification_id, channel, endpoint_id, status,
    chosen, created_at, expires_at, try_at, due_at, leased_by)
  select id, app_id, mode, verification_id, channel, endpoint_id, 'queued',
    chosen, created_at, expires_at, created_at, due_at, leased_by
  from jsonb_to_recordset($rows::jsonb) as new (id text, app_id text, mode text,
    verification_id text, channel text, endpoint_id text, chosen text, created_at bigint,
    expires_at bigint, due_at bigint, leased_by text)`

/** Tries that are ended in one transaction, and such transactions at a time. */
const settledMax = 200
const settlingAtOnce = 2

export function createDeliveryStore(
  deps: Parts & TryDeps & { wake: Wake['lanes'] },
): DeliveryStore {
  const { database, timers, wake } = deps
  const [settle, bounce, report] = [createSettle(deps), createBounce(deps), createReport(deps)]
  const settleOne = createBatch<SettleCommand, boolean>({
    timers,
    keyOf: ({ delivery }) => delivery.verificationId,
    max: settledMax,
    atOnce: settlingAtOnce,
    run: (commands) => database.transaction((session) => settle(session, commands), 'start'),
  })

  return {
    ...createDue(deps),
    ...createReads(database),
    announce: wake.announce,
    onAnnounced: wake.listen,
    settle: settleOne,
    bounce: (command) => database.transaction((session) => bounce(session, command)),
    report: (command) => database.transaction((session) => report(session, command)),
    expire: (command) => database.transaction((session) => expire(session, settle, command)),
  }
}

type Reads = Pick<
  DeliveryStore,
  'between' | 'find' | 'isOpen' | 'isHeld' | 'tries' | 'history' | 'backlog'
>

function createReads(database: Database): Reads {
  return {
    async between(query) {
      return (await database.read<DeliveryRow>(between, query)).map(toDelivery)
    },
    async find(query) {
      const [row] = await database.read<DeliveryRow>(find, query)
      return row ? toDelivery(row) : null
    },
    async isOpen(id) {
      return (await database.read(open, { id })).length > 0
    },
    async tries(id) {
      return (await triesBy(database, [id])).get(id) ?? []
    },
    async isHeld(query) {
      return (await database.read(held, query)).length > 0
    },
    async history(key) {
      const rows = await database.read<DeliveryRow>(history, key)
      const tries = await triesBy(
        database,
        rows.map(({ id }) => id),
      )
      return rows.map((row) => ({ ...toDelivery(row), history: tries.get(row.id) ?? [] }))
    },
    async backlog() {
      return only(await database.read<{ waiting: number; oldestAt: number | null }>(backlog))
    },
  }
}

/** One batch of deliveries whose code has expired; the lock in `settle` decides whether they still wait. */
async function expire(
  session: Session,
  settle: Settle,
  { now, limit, event }: { now: number; limit: number; event: EventType },
): Promise<number> {
  const rows = await session.query<DeliveryRow>(overdue, { now, limit })
  const end = { made: null, status: 'undeliverable', again: null, follow: null } as const
  const commands = rows.map(toDelivery).map((delivery) => {
    const { detail } = delivery
    return { delivery, ...end, counted: null, suppress: null, detail, event, now }
  })
  if (commands.length > 0) await settle(session, commands)
  return commands.length
}

const history = `
  select ${deliveryColumns} from deliveries
  where verification_id = $id and app_id = $appId and mode = $mode order by id`

const find = `select ${deliveryColumns} from deliveries where id = $id and app_id = $appId`

const open = 'select 1 from deliveries where id = $id and due_at is not null'

const held = `
  select 1 from deliveries where id = $id and leased_by = $node and due_at > $now`

const between = `
  select ${deliveryColumns} from deliveries
  where id >= $from and id < $to and app_id = $appId and mode = $mode
  order by id limit $limit`

/** Ids begin with their time, so the least is the oldest. */
const backlog = `
  select waiting, (select created_at from deliveries where id = first) as oldest_at
  from (select count(*) as waiting, min(id) as first
    from deliveries where due_at is not null) as counted`

const overdue = `
  select ${deliveryColumns} from deliveries
  where due_at is not null and expires_at <= $now order by expires_at limit $limit`

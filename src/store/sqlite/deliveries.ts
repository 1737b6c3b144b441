import type { Database } from 'bun:sqlite'
import type { Delivery } from '../../domain/delivery.ts'
import type { EventType } from '../../domain/event.ts'
import type { DeliveryStore, SettleCommand } from '../../domain/stores.ts'
import type { Writer } from './group-commit.ts'
import type { Journal } from './journal.ts'

type DeliveryRow = {
  id: string
  app_id: string
  verification_id: string
  channel: Delivery['channel']
  status: Delivery['status']
  detail: string | null
  tries: number
  created_at: number
  expires_at: number
}

const columns =
  'id, app_id, verification_id, channel, status, detail, tries, created_at, expires_at'

export function createDeliveryStore(
  database: Database,
  writer: Writer,
  journal: Journal,
): DeliveryStore {
  const statements = prepareDeliveries(database)

  function settle(command: SettleCommand): void {
    const { appId, id, verificationId, status, detail, retryAt, now } = command
    const { changes } = statements.settle.run({ id, appId, status, detail, retryAt })
    if (changes === 0) return
    statements.tellVerification.run({ appId, id, verificationId, status, detail })
    if (status === 'queued') return
    const type = `delivery.${status}` satisfies EventType
    journal.event({ at: now, appId, type, verificationId, data: detail ? { detail } : {} })
    journal.count(appId, status, now)
  }

  return {
    claimDue: (command) => writer.write(() => statements.claim.all(command).map(toDelivery)),
    releaseAll: async () => {
      await writer.write(() => statements.release.run())
    },
    settle: (command) => writer.write(() => settle(command)),
    expire: ({ now, limit }) =>
      writer.write(() => {
        const rows = statements.overdue.all({ now, limit })
        for (const row of rows) {
          const { id, app_id: appId, verification_id: verificationId, detail } = row
          const status = 'undeliverable'
          settle({ appId, id, verificationId, status, detail, retryAt: null, now })
        }
        return rows.length
      }),
    get: async (appId, id) => {
      const row = statements.get.get({ appId, id })
      return row ? toDelivery(row) : null
    },
  }
}

function prepareDeliveries(database: Database) {
  return {
    claim: database.prepare<DeliveryRow, { now: number; leaseUntil: number; limit: number }>(`
      update deliveries set due_at = $leaseUntil, leased = 1
      where id in (select id from deliveries
        where due_at <= $now and expires_at > $now order by due_at limit $limit)
      returning ${columns}`),
    release: database.prepare<null, []>(`
      update deliveries set due_at = created_at, leased = 0
      where due_at is not null and leased = 1`),
    settle: database.prepare<
      null,
      Pick<SettleCommand, 'id' | 'appId' | 'status' | 'detail' | 'retryAt'>
    >(`
      update deliveries
      set status = $status, detail = $detail, tries = tries + 1, due_at = $retryAt, leased = 0
      where id = $id and app_id = $appId and due_at is not null`),
    // The verification shows its latest delivery: an older one's end must not hide it.
    tellVerification: database.prepare<
      null,
      Pick<SettleCommand, 'id' | 'appId' | 'verificationId' | 'status' | 'detail'>
    >(`
      update verifications set delivery_status = $status, delivery_detail = $detail
      where id = $verificationId and app_id = $appId and delivery_id = $id`),
    overdue: database.prepare<DeliveryRow, { now: number; limit: number }>(`
      select ${columns} from deliveries
      where due_at is not null and expires_at <= $now limit $limit`),
    get: database.prepare<DeliveryRow, { appId: string; id: string }>(
      `select ${columns} from deliveries where id = $id and app_id = $appId`,
    ),
  }
}

function toDelivery(row: DeliveryRow): Delivery {
  return {
    id: row.id,
    appId: row.app_id,
    verificationId: row.verification_id,
    channel: row.channel,
    status: row.status,
    detail: row.detail,
    tries: row.tries,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}

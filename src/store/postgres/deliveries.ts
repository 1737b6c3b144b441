import type { NewDelivery } from '../../domain/verification/stores.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import type { Session } from './lanes.ts'

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

import type { BounceCommand } from '../../domain/delivery/stores.ts'
import { deliveryData } from '../../domain/event.ts'
import type { Session } from './lanes.ts'
import type { TryDeps } from './tries.ts'

/** Marks a delivery as bounced: in its verification, its events and statistics too. */
export function createBounce({ addEvents, counters, suppressions, moves }: TryDeps) {
  return async (session: Session, command: BounceCommand): Promise<boolean> => {
    const { delivery, detail, cause, code, event, suppress, follow, now } = command
    const { id, appId, mode, verificationId } = delivery
    const key = { appId, mode, verificationId }
    const place = { ...key, id, detail }
    await suppressions.lock(session, [command])
    const [verification] = await session.query<{ status: string }>(lockVerification, key)
    if (verification?.status === 'approved') return false
    const [marked] = await session.query<{ channel: string }>(mark, place)
    if (!marked) return false
    await session.run(tell, place)
    if (follow) {
      await moves.follow(session, { deliveryId: id, appId, mode, id: verificationId }, follow, now)
    }
    const data = deliveryData({ delivery: { id, ...marked }, detail, cause, code })
    await addEvents(session, [{ at: now, appId, type: event, verificationId, data }])
    await counters.add(session, [{ appId, name: 'bounced', at: now }])
    if (!suppress) return true
    const { endpointId } = suppress
    if (endpointId !== null) {
      await counters.addTries(session, [{ appId, endpointId, at: now, tries: 0, refusals: 1 }])
    }
    await suppressions.add(session, { id, ...key }, suppress, now)
    return true
  }
}

const lockVerification = `
  select status from verifications
  where id = $verificationId and app_id = $appId and mode = $mode for update`

const mark = `
  update deliveries set status = 'bounced', detail = $detail
  where id = $id and app_id = $appId and mode = $mode and verification_id = $verificationId
    and due_at is null and status in ('sent', 'undeliverable')
  returning channel`

/** The verification shows its latest delivery. */
const tell = `
  update verifications set delivery_status = 'bounced', delivery_detail = $detail
  where id = $verificationId and app_id = $appId and mode = $mode and delivery_id = $id`

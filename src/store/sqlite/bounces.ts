import type { BounceCommand, DeliveryStore } from '../../domain/delivery/stores.ts'
import { deliveryData } from '../../domain/event.ts'
import type { Parts } from './parts.ts'
import type { TryDeps } from './tries.ts'

type Deps = Pick<Parts, 'write'> & TryDeps

/** Marks a delivery as bounced: in its verification, its events and statistics too. */
export function createBounce(deps: Deps): DeliveryStore['bounce'] {
  const { database, write, addEvent, counters, suppressions, moves } = deps
  const mark = database.prepare<{ channel: string }, Key & { detail: string }>(`
    update deliveries set status = 'bounced', detail = $detail
    where id = $id and app_id = $appId and mode = $mode and verification_id = $verificationId
      and due_at is null and status in ('sent', 'undeliverable')
      and not exists (select 1 from verifications where id = $verificationId
        and app_id = $appId and mode = $mode and status = 'approved')
    returning channel`)
  // The verification shows its latest delivery.
  const tell = database.prepare<null, Key & { detail: string }>(`
    update verifications set delivery_status = 'bounced', delivery_detail = $detail
    where id = $verificationId and app_id = $appId and mode = $mode and delivery_id = $id`)

  function bounce(command: BounceCommand): boolean {
    const { delivery, detail, cause, code, event, suppress, follow, now } = command
    const { id, appId, mode, verificationId } = delivery
    const values = { id, appId, mode, verificationId, detail }
    const marked = mark.get(values)
    if (!marked) return false
    tell.run(values)
    const data = deliveryData({ delivery: { id, ...marked }, detail, cause, code })
    addEvent({ at: now, appId, type: event, verificationId, data })
    counters.count(appId, 'bounced', now)
    if (follow) moves.follow({ deliveryId: id, appId, mode, id: verificationId }, follow, now)
    if (!suppress) return true
    const { endpointId } = suppress
    if (endpointId !== null) suppressions.refused({ appId, endpointId, tries: 0 }, now)
    suppressions.add({ id, appId, mode, verificationId }, suppress, now)
    return true
  }
  return (command) => write(() => bounce(command))
}

type Key = BounceCommand['delivery']

import type { DeliveryStatus } from '../../domain/delivery/delivery.ts'
import { afterReport } from '../../domain/delivery/report.ts'
import type { ReportCommand, ReportResult } from '../../domain/delivery/stores.ts'
import { deliveryData } from '../../domain/event.ts'
import type { Mode } from '../../domain/verification/verification.ts'
import type { Session } from './lanes.ts'
import type { TryDeps } from './tries.ts'

/** Writes what a gateway reports: in the delivery, its verification, its events and statistics. */
export function createReport({ addEvents, counters, moves }: Omit<TryDeps, 'suppressions'>) {
  return async (session: Session, command: ReportCommand): Promise<ReportResult> => {
    const { appId, endpointId, report, events, now, follow } = command
    const { deliveryId: id, status, detail, cause, code } = report
    const [place] = await session.query<Place>(find, { id, appId })
    if (!place) return 'unknown'
    const { verificationId, mode } = place
    const key = { appId, mode, verificationId }
    const [verification] = await session.query<{ isApproved: boolean }>(lockVerification, key)
    const [standing] = await session.query<Standing>(lockDelivery, { id, endpointId })
    if (!standing) return 'unknown'
    const isApproved = verification?.isApproved ?? false
    const result = afterReport({ ...standing, isApproved }, status)
    if (result !== status) return result
    await session.run(end, { id, status, detail })
    await session.run(tell, { ...key, id, status, detail })
    if (follow && status === 'failed') {
      await moves.follow(session, { deliveryId: id, appId, mode, id: verificationId }, follow, now)
    }
    const { channel } = place
    const data = deliveryData({ delivery: { id, channel }, detail, cause, code })
    await addEvents(session, [{ at: now, appId, type: events[status], verificationId, data }])
    await counters.add(session, [{ appId, name: status, at: now }])
    return result
  }
}

const find = `
  select verification_id, mode, channel from deliveries where id = $id and app_id = $appId`

const lockVerification = `
  select status = 'approved' as is_approved from verifications
  where id = $verificationId and app_id = $appId and mode = $mode for update`

const lockDelivery = `
  select status, due_at is not null as is_open,
    exists (select 1 from delivery_tries where delivery_id = $id
      and endpoint_id = $endpointId and (status = 'sent' or ambiguous)) as was_taken
  from deliveries where id = $id for update`

const end = `
  update deliveries set status = $status, detail = $detail, due_at = null, leased_by = ''
  where id = $id`

/** The verification shows its latest delivery. */
const tell = `
  update verifications set delivery_status = $status, delivery_detail = $detail
  where id = $verificationId and app_id = $appId and mode = $mode and delivery_id = $id`

type Place = { verificationId: string; mode: Mode; channel: string }
type Standing = { status: DeliveryStatus; isOpen: boolean; wasTaken: boolean }

import type { Database } from 'bun:sqlite'
import type { DeliveryStatus } from '../../domain/delivery/delivery.ts'
import { afterReport } from '../../domain/delivery/report.ts'
import type { DeliveryStore, ReportCommand, ReportResult } from '../../domain/delivery/stores.ts'
import { deliveryData } from '../../domain/event.ts'
import type { Mode } from '../../domain/verification/verification.ts'
import type { Parts } from './parts.ts'
import type { TryDeps } from './tries.ts'

type Deps = Pick<Parts, 'write'> & Omit<TryDeps, 'suppressions'>

/** Writes what a gateway reports: in the delivery, its verification, its events and statistics. */
export function createReport({
  database,
  write,
  addEvent,
  counters,
  moves,
}: Deps): DeliveryStore['report'] {
  const statements = prepareReport(database)

  function apply({ appId, endpointId, report, events, now, follow }: ReportCommand): ReportResult {
    const { deliveryId: id, status, detail, cause, code } = report
    const row = statements.standing.get({ id, appId, endpointId })
    if (!row) return 'unknown'
    const result = afterReport(
      {
        status: row.status,
        isOpen: row.isOpen === 1,
        wasTaken: row.wasTaken === 1,
        isApproved: row.isApproved === 1,
      },
      status,
    )
    if (result !== status) return result
    const { verificationId, mode } = row
    statements.end.run({ id, status, detail })
    statements.tell.run({ id, status, detail, verificationId, appId, mode })
    const data = deliveryData({ delivery: { id, channel: row.channel }, detail, cause, code })
    addEvent({ at: now, appId, type: events[status], verificationId, data })
    counters.count(appId, status, now)
    if (follow && status === 'failed') {
      moves.follow({ deliveryId: id, appId, mode, id: verificationId }, follow, now)
    }
    return result
  }
  return (command) => write(() => apply(command))
}

function prepareReport(database: Database) {
  return {
    standing: database.prepare<Row, { id: string; appId: string; endpointId: string }>(`
      select status, channel, mode, verification_id as verificationId, due_at is not null as isOpen,
        exists (select 1 from delivery_tries where delivery_id = $id
          and endpoint_id = $endpointId and (status = 'sent' or ambiguous = 1)) as wasTaken,
        exists (select 1 from verifications where id = verification_id and app_id = $appId
          and mode = deliveries.mode and status = 'approved') as isApproved
      from deliveries where id = $id and app_id = $appId`),
    end: database.prepare<null, { id: string; status: string; detail: string | null }>(`
      update deliveries set status = $status, detail = $detail, due_at = null, leased_by = ''
      where id = $id`),
    // The verification shows its latest delivery.
    tell: database.prepare<null, Told>(`
      update verifications set delivery_status = $status, delivery_detail = $detail
      where id = $verificationId and app_id = $appId and mode = $mode and delivery_id = $id`),
  }
}

type Row = {
  status: DeliveryStatus
  channel: string
  mode: Mode
  verificationId: string
  isOpen: 0 | 1
  wasTaken: 0 | 1
  isApproved: 0 | 1
}
type Told = {
  id: string
  status: string
  detail: string | null
  verificationId: string
  appId: string
  mode: Mode
}

import type { App } from '../app/app.ts'
import type { Ports } from '../ports.ts'
import { followOf } from './follow.ts'
import { firstLane } from './handover.ts'
import type { Report } from './report.ts'
import type { Follow, ReportResult } from './stores.ts'

type ReportPorts = Pick<Ports, 'verifications' | 'deliveries' | 'clock' | 'random' | 'outbox'>

const events = { delivered: 'delivery.delivered', failed: 'delivery.failed' } as const

/**
 * Writes what a gateway reports of a message. When the verification's latest one has failed, the code
 * goes through the next channel at once.
 */
export async function applyReport(
  ports: ReportPorts,
  { app, endpointId, report }: { app: App; endpointId: string; report: Report },
): Promise<ReportResult> {
  const { deliveries, clock, outbox } = ports
  const now = clock.now()
  const follow = await followOfReport(ports, app, report, now)
  const command = { appId: app.id, endpointId, report, events, now, follow }
  const result = await deliveries.report(command)
  if (follow && result === 'failed') outbox.wake(firstLane(app, follow.delivery.channel))
  return result
}

async function followOfReport(
  ports: ReportPorts,
  app: App,
  { deliveryId, status }: Report,
  now: number,
): Promise<Follow | null> {
  if (status !== 'failed') return null
  const delivery = await ports.deliveries.find({ appId: app.id, id: deliveryId })
  if (!delivery) return null
  const { appId, mode, verificationId: id, channel } = delivery
  const verification = await ports.verifications.get({ appId, mode, id })
  return verification && followOf(ports, { app, verification, channel }, now)
}

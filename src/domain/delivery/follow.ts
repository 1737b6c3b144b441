import type { App } from '../app/app.ts'
import { newTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import type { Verification } from '../verification/verification.ts'
import { stopAfter } from './after-try.ts'
import type { Delivery } from './delivery.ts'
import { firstLane, routeOf } from './handover.ts'
import type { Report } from './report.ts'
import type { Follow, ReportResult } from './stores.ts'

/**
 * What follows a message that turned out to have failed after it was sent: a delivery through the
 * next channel, which any node may claim. Null where no channel is left.
 */
export function followOf(
  { random }: Pick<Ports, 'random'>,
  { app, verification, channel, chosen }: Failed,
  now: number,
): Follow | null {
  const route = routeOf(
    app,
    verification.route.map((stop) => stop.channel),
    chosen,
  )
  const next = stopAfter(route, channel)
  if (!next) return null
  const { endpointId } = firstLane(app, next.channel, chosen)
  const place = { id: newTimedId(random, now), channel: next.channel, endpointId, chosen }
  const delivery = { ...place, createdAt: now, lease: null }
  return { delivery, hasNext: stopAfter(route, next.channel) !== null }
}

type Failed = { app: App; verification: Verification } & Pick<Delivery, 'channel' | 'chosen'>

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
  if (follow && result === 'failed') outbox.wake({ ...follow.delivery, appId: app.id })
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
  const { appId, mode, verificationId: id, channel, chosen } = delivery
  const verification = await ports.verifications.get({ appId, mode, id })
  return verification && followOf(ports, { app, verification, channel, chosen }, now)
}

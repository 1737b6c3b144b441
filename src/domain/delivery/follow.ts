import type { App } from '../app/app.ts'
import { newTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import type { Verification } from '../verification/verification.ts'
import { stopAfter } from './after-try.ts'
import type { Delivery } from './delivery.ts'
import { firstLane, routeOf } from './handover.ts'
import type { Follow } from './stores.ts'

/**
 * What follows a message that turned out to have failed after it was sent: a delivery through the
 * next channel, which any node may claim. Null where no channel is left.
 */
export function followOf(
  { random }: Pick<Ports, 'random'>,
  { app, verification, channel }: Failed,
  now: number,
): Follow | null {
  const route = routeOf(
    app,
    verification.route.map((stop) => stop.channel),
  )
  const next = stopAfter(route, channel)
  if (!next) return null
  const { endpointId } = firstLane(app, next.channel)
  const place = { id: newTimedId(random, now), channel: next.channel, endpointId }
  const delivery = { ...place, createdAt: now, lease: null }
  return { delivery, hasNext: stopAfter(route, next.channel) !== null }
}

type Failed = { app: App; verification: Verification } & Pick<Delivery, 'channel'>

import type { App } from '../app/app.ts'
import { newTimedId } from '../id.ts'
import { afterTried, type Chosen } from '../learning/chosen.ts'
import type { Ports } from '../ports.ts'
import type { Move, Moved } from '../verification/stores.ts'
import type { Verification } from '../verification/verification.ts'
import { stopAfter } from './after-try.ts'
import type { ChannelKind } from './channel.ts'
import { firstLane, handover, openMessage, queuedDelivery, routeOf } from './handover.ts'
import { leaseMs } from './lease.ts'

export type QueuePorts = Pick<
  Ports,
  'verifications' | 'deliveries' | 'keyring' | 'clock' | 'random' | 'outbox' | 'node'
>
type Wanted = { app: App; verification: Verification; channel: ChannelKind; now: number }

const stopped = {
  detail: 'stopped: the code is sent through another channel now',
  event: 'delivery.undeliverable',
} as const satisfies Move['stopped']

/**
 * Queues the code once more through this channel, with what `claim` writes, and hands it over where
 * this node has room. Null when `claim` has refused.
 */
export async function queueNext(
  ports: QueuePorts,
  { app, verification, channel, now }: Wanted,
  claim: (move: Move) => Promise<Moved | null>,
): Promise<Verification | null> {
  const { random, outbox, node } = ports
  const chosen = await chosenNext(ports, app, verification)
  const lane = firstLane(app, channel, chosen)
  const isHeld = outbox.reserve(lane)
  const delivery = {
    id: newTimedId(random, now),
    channel,
    endpointId: lane.endpointId,
    ...(chosen && { chosen }),
    createdAt: now,
    lease: isHeld ? { node, until: now + leaseMs } : null,
  }
  const hasNext = hasNextChannel(app, verification, channel)
  let isOffered = false
  try {
    const moved = await claim({ delivery, hasNext, stopped })
    if (!moved) return null
    if (moved.stopped.length > 0) outbox.withdraw(verification.id, moved.stopped)
    isOffered = isHeld && (await offer(ports, app, moved.verification, delivery))
    return moved.verification
  } finally {
    if (isHeld && !isOffered) outbox.release(lane)
    if (!isHeld) outbox.wake(lane)
  }
}

/** As the start chose, with the endpoints that have been tried last; reads nothing for other apps. */
async function chosenNext(
  { deliveries }: Pick<Ports, 'deliveries'>,
  app: App,
  { appId, mode, id }: Verification,
): Promise<Chosen | null> {
  if (!app.policy.learnedRoute) return null
  const history = await deliveries.history({ appId, mode, id })
  const chosen = history.at(-1)?.chosen ?? null
  const tries = history.flatMap((delivery) => delivery.history)
  return chosen && afterTried(chosen, new Set(tries.flatMap(({ endpointId }) => endpointId ?? [])))
}

/** True when a channel with an endpoint comes after this one in the route of the verification. */
export function hasNextChannel(
  app: App,
  { route }: Pick<Verification, 'route'>,
  channel: ChannelKind,
): boolean {
  const kinds = route.map((stop) => stop.channel)
  return kinds.length > 1 && stopAfter(routeOf(app, kinds, null), channel) !== null
}

/** False when the address is gone: the code was just used or canceled, or its key was deleted. */
async function offer(
  ports: QueuePorts,
  app: App,
  verification: Verification,
  queued: Move['delivery'],
): Promise<boolean> {
  const opened = await openMessage(ports, { app, verification, channel: queued.channel })
  if (!opened) return false
  const delivery = queuedDelivery(verification, queued)
  ports.outbox.offer(delivery, handover(ports, { app, verification, delivery, ...opened }))
  return true
}

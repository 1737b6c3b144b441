import type { AlarmKind } from '../../domain/alarm.ts'
import { afterTry, type Next, stopAfter } from '../../domain/delivery/after-try.ts'
import {
  type Delivery,
  type DeliveryOutcome,
  type DeliveryStatus,
  type Handover,
  offOutcome,
  type Try,
  toTry,
} from '../../domain/delivery/delivery.ts'
import { type Lane as LanePlace, routeOf } from '../../domain/delivery/handover.ts'
import type { SettleCommand } from '../../domain/delivery/stores.ts'
import { isRecipientRefused, suppressedOutcome } from '../../domain/delivery/suppression.ts'
import type { EventType } from '../../domain/event.ts'
import { newTimedId } from '../../domain/id.ts'
import type { DeliveryState, Ports } from '../../domain/ports.ts'
import type { NewDelivery } from '../../domain/verification/stores.ts'
import type { Item } from './lane.ts'

/** What follows a try: what is written, and where the delivery continues. */
export type Ending = {
  command: SettleCommand
  state: DeliveryState
  alarm: AlarmKind | null
  /** The same delivery, to be tried through another endpoint at once. */
  failOver: { place: LanePlace; delivery: Delivery; tries: Try[]; leaseUntil: number } | null
  /** A delivery through another channel, once it is stored. */
  follow: { place: LanePlace; delivery: Delivery; leaseUntil: number } | null
}

type Lease = NonNullable<NewDelivery['lease']>
type EndingPorts = Pick<Ports, 'clock' | 'random'> & {
  /** Reserves a place for this delivery in another lane; null without one. */
  lease(place: LanePlace): Lease | null
}
type Made = {
  item: Item
  handover: Handover
  tries: Try[]
  outcome: DeliveryOutcome
  at: number
  tookMs: number
}

/** Decides what follows a try. */
export function endingOf(ports: EndingPorts, made: Made): Ending {
  const { item, handover, tries, outcome, at, tookMs } = made
  const { delivery } = item
  const { id, appId, mode, verificationId, channel, chosen, expiresAt } = delivery
  // Of a suppressed address no endpoint is asked.
  const endpointId = outcome === suppressedOutcome ? null : delivery.endpointId
  const now = ports.clock.now()
  const [byte = 0] = ports.random.bytes(1)
  const route = routeOf(handover.app, handover.route, chosen)
  const situation = { route, channel, tries, endpointId, expiresAt, now, chance: byte / 256 }
  const next = afterTry(outcome, situation)
  const one = toTry(outcome, { number: delivery.tries + 1, endpointId, at, tookMs })
  const all = [...tries, one]
  const { status } = next
  // Nothing is wrong with one that was switched off by hand.
  const alarm = outcome === offOutcome ? null : next.alarm
  const { detail } = outcome
  const command: SettleCommand = {
    delivery: { id, appId, mode, verificationId },
    made: one,
    ...{ status, detail, event: eventOf[next.status], ...consequencesOf(ports, one, next) },
    ...{ again: null, follow: null, now },
  }
  const nextAt = next.next === 'try' ? next.at : null
  const state = { status, detail, maybeTaken: all.some(mayBeTaken), nextAt }
  const ending: Ending = { command, state, alarm, failOver: null, follow: null }

  if (next.next === 'end') return ending
  const place: LanePlace = { appId, channel, endpointId: next.endpointId }
  if (next.next === 'try') {
    const isNow = next.at <= now
    const lease = isNow ? ports.lease(place) : null
    command.again = { endpointId: next.endpointId, at: next.at, lease }
    const moved = { ...delivery, endpointId: next.endpointId, status, detail, tries: all.length }
    if (lease) ending.failOver = { place, delivery: moved, tries: all, leaseUntil: lease.until }
    return ending
  }
  const to = { channel: next.channel, endpointId: next.endpointId }
  const elsewhere: LanePlace = { appId, ...to }
  const lease = ports.lease(elsewhere)
  const queued = { id: newTimedId(ports.random, now), ...to, chosen, createdAt: now }
  const hasNext = stopAfter(route, next.channel) !== null
  command.follow = { delivery: { ...queued, lease }, hasNext }
  if (lease) {
    const fresh = { ...delivery, ...queued, status: 'queued', detail: null, tries: 0 } as const
    ending.follow = { place: elsewhere, delivery: fresh, leaseUntil: lease.until }
  }
  return ending
}

/** What a reply counts for its endpoint, and the suppression of a recipient that was refused. */
function consequencesOf(
  { random }: Pick<EndingPorts, 'random'>,
  made: Try,
  { next, status }: Next,
): Pick<SettleCommand, 'counted' | 'suppress'> {
  const { endpointId, at, code } = made
  if (endpointId === null || code === null) return { counted: null, suppress: null }
  const isRefusal = isRecipientRefused(made)
  const isEnd = isRefusal && next === 'end' && status === 'refused'
  return {
    counted: { endpointId, isRefusal },
    suppress: isEnd ? { id: newTimedId(random, at), endpointId, cause: 'refused', code } : null,
  }
}

/** The end of a delivery that is not tried any more, without a try. */
export function overBeforeItLeft(
  { delivery, tries }: Item,
  now: number,
): Pick<Ending, 'command' | 'state'> {
  const { id, appId, mode, verificationId } = delivery
  const detail = 'the verification was over before the message left'
  const status = 'undeliverable'
  return {
    command: {
      delivery: { id, appId, mode, verificationId },
      ...{ made: null, status, detail, event: 'delivery.undeliverable', counted: null },
      ...{ suppress: null, again: null, follow: null, now },
    },
    // Tries that have not been read may have been accepted.
    state: { status, detail, maybeTaken: tries === null || tries.some(mayBeTaken), nextAt: null },
  }
}

/** A try leaves a delivery neither queued nor in a state that somebody reports later. */
const eventOf: Record<DeliveryStatus, EventType> = {
  queued: 'delivery.deferred',
  sent: 'delivery.sent',
  deferred: 'delivery.deferred',
  refused: 'delivery.refused',
  undeliverable: 'delivery.undeliverable',
  bounced: 'delivery.bounced',
  delivered: 'delivery.delivered',
  failed: 'delivery.failed',
}

function mayBeTaken({ status, ambiguous }: Try): boolean {
  return status === 'sent' || ambiguous
}

import { channels } from '../../domain/delivery/channel.ts'
import type { Delivery, Handover } from '../../domain/delivery/delivery.ts'
import { shareOf } from '../../domain/delivery/endpoint-rate.ts'
import { type Lane as LanePlace, routeOf } from '../../domain/delivery/handover.ts'
import type { Timers } from '../../domain/ports.ts'
import { createLane, type Item, isBlocked, isHeldUp, type Lane, laneKey } from './lane.ts'

/** The lanes of this node. */
export type Lanes = {
  of(place: LanePlace): Lane
  find(place: LanePlace): Lane | null
  all(): Lane[]
  /** Reserves so many places of a lane, or gives them back when negative. */
  reserve(lane: Lane, places: number): void
  /** Reserved places of all lanes. */
  reserved(): number
  /** Updates the lane from the app and the endpoint of a message. */
  learn(lane: Lane, handover: Handover, chosen: Delivery['chosen']): void
  /**
   * True when a message of this lane would wait, because the lane is blocked or held up, while an
   * endpoint of lower rank may be used. `item` is the message itself where it has its turn.
   */
  mayDivert(lane: Lane, item?: Item): boolean
  /** Forgets lanes that nothing happened in for ten minutes. */
  sweep(): void
}

/** The default of connections to one endpoint. */
const connectionsUsual = 10
const keptMs = 600_000

/** `live`: how many nodes send through the endpoints, each its share of what they allow. */
export function createLanes(timers: Timers, live: () => number): Lanes {
  const lanes = new Map<string, Lane>()

  let reserved = 0

  const find = (place: LanePlace) => lanes.get(laneKey(place)) ?? null
  return {
    of(place) {
      const known = find(place)
      if (known) return known
      const lane = createLane({ ...place }, connectionsUsual, timers)
      lanes.set(laneKey(place), lane)
      return lane
    },
    find,
    all: () => [...lanes.values()],
    reserve(lane, places) {
      lane.reserved += places
      reserved += places
    },
    reserved: () => reserved,
    learn(lane, { app, endpoint }, chosen) {
      if (!channels[lane.place.channel].hasEndpoints) return
      const { connectionsMax, ratePerMinute = null } = endpoint?.settings ?? {}
      lane.width.limit(shareOf(connectionsMax ?? connectionsUsual, live()))
      lane.rate.perMinute = ratePerMinute === null ? null : shareOf(ratePerMinute, live())
      const route = routeOf(app, [lane.place.channel], chosen)
      const ids = (route[0]?.endpoints ?? []).filter((id) => id !== null)
      const here = ids.indexOf(lane.place.endpointId ?? '')
      // The messages of a learned route differ in what is behind; a failed last one begins anew.
      lane.behind = ids.filter((_, index) => index > here || (chosen && index !== here))
    },
    mayDivert(lane, item) {
      const { place, behind } = lane
      // Most apps have one endpoint.
      if (behind.length === 0) return false
      if (!isBlocked(lane) && !isHeldUp(lane, timers.monotonic(), item)) return false
      return behind.some((endpointId) => {
        const other = find({ ...place, endpointId })
        return !other || !isBlocked(other)
      })
    },
    sweep() {
      const before = timers.monotonic() - keptMs
      for (const [key, lane] of lanes) {
        const isIdle = lane.running.size + lane.waiting() + lane.reserved + lane.backlog === 0
        if (isIdle && lane.usedAt < before) lanes.delete(key)
      }
    },
  }
}

/** The deliveries that this node has in memory: by id, and by verification for a cancel. */
export type Holdings = {
  add(item: Item): void
  /** Does nothing where the delivery is held by another item by now. */
  remove(item: Item): void
  has(deliveryId: string): boolean
  of(verificationId: string): Item[]
  size(): number
}

export function createHoldings(): Holdings {
  const byId = new Map<string, Item>()
  const byVerification = new Map<string, Set<Item>>()

  const remove = (item: Item) => {
    const { id, verificationId } = item.delivery
    if (byId.get(id) === item) byId.delete(id)
    const siblings = byVerification.get(verificationId)
    siblings?.delete(item)
    if (siblings?.size === 0) byVerification.delete(verificationId)
  }
  return {
    add(item) {
      const { id, verificationId } = item.delivery
      const before = byId.get(id)
      if (before) remove(before)
      byId.set(id, item)
      const siblings = byVerification.get(verificationId)
      if (siblings) siblings.add(item)
      else byVerification.set(verificationId, new Set([item]))
    },
    remove,
    has: (deliveryId) => byId.has(deliveryId),
    of: (verificationId) => [...(byVerification.get(verificationId) ?? [])],
    size: () => byId.size,
  }
}

import { retryAfterMaxMs } from '../../domain/delivery/after-try.ts'
import type { Delivery } from '../../domain/delivery/delivery.ts'
import type { Lane as LanePlace } from '../../domain/delivery/handover.ts'
import { leaseMs, openMaxMs, silentMs } from '../../domain/delivery/lease.ts'
import type { Due } from '../../domain/delivery/stores.ts'
import { idAt } from '../../domain/id.ts'
import { type Log, lateMs, type Ports } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'
import { type Lane, room } from './lane.ts'
import type { Lanes } from './lanes.ts'

/** Claims due deliveries from the store, for lanes that have room. */
export type Claims = {
  /** Claims more for a lane that is nearly empty, if the store has more. */
  refill(lane: Lane): void
  /** Queries once for all due deliveries, app after app. */
  look(): Promise<void>
  /** Resolves when nothing is being claimed. */
  idle(): Promise<void>
}

type ClaimPorts = Pick<Ports, 'deliveries' | 'clock' | 'node'> & {
  log: Log
  lanes: Lanes
  isStopping(): boolean
  /** How many more deliveries this node may hold. */
  roomLeft(): number
  take(lane: Lane, delivery: Delivery, leaseUntil: number): void
}

/** The most deliveries of one claim, so that lanes take turns at the store. */
const claimMax = 200
/** The least room for a claim, which is a write, unless the lane is empty. */
const claimMin = 20
/** The most deliveries that a paused lane claims, to have something to try. */
const pausedMax = 10
const lanesAtOnce = 100

export function createClaims(ports: ClaimPorts): Claims {
  const { deliveries, log, lanes, isStopping, roomLeft, take } = ports
  const open = new Set<Promise<void>>()

  const limitOf = (lane: Lane): number => {
    if (isStopping() || lane.isClaiming || lane.backlog === 0) return 0
    const most = lane.circuit.isPaused() && !lanes.mayDivert(lane) ? pausedMax : claimMax
    const limit = Math.min(most, room(lane), roomLeft())
    if (lane.circuit.isPaused() && lane.waiting() > 0) return 0
    return limit >= claimMin || lane.waiting() === 0 ? limit : 0
  }
  const claim = async (lane: Lane): Promise<void> => {
    const limit = limitOf(lane)
    if (limit <= 0) return
    lane.isClaiming = true
    lanes.reserve(lane, limit)
    try {
      const due = dueNow(ports)
      const leaseUntil = due.now + leaseMs
      const { place } = lane
      const claimed = await deliveries.claim({ ...due, lane: place, leaseUntil, limit })
      lane.backlog = claimed.length < limit ? 0 : Math.max(1, lane.backlog - claimed.length)
      for (const delivery of claimed) take(lane, delivery, leaseUntil)
    } finally {
      lanes.reserve(lane, -limit)
      lane.isClaiming = false
    }
  }
  const look = async (): Promise<void> => {
    const seen = new Set<Lane>()
    let after: LanePlace | null = null
    while (!isStopping()) {
      const query = { ...dueNow(ports), after, limit: lanesAtOnce }
      const places: LanePlace[] = await deliveries.dueLanes(query)
      for (const place of places) {
        const lane = lanes.of(place)
        seen.add(lane)
        lane.backlog = Math.max(1, lane.backlog)
        await claim(lane)
      }
      if (places.length < lanesAtOnce) break
      after = places.at(-1) ?? null
    }
    // Another node may have claimed what this one gave back.
    for (const lane of lanes.all()) if (!seen.has(lane)) await claim(lane)
  }
  const tracked = (work: Promise<void>) => {
    open.add(work)
    return work.finally(() => open.delete(work))
  }
  return {
    refill(lane) {
      if (limitOf(lane) <= 0) return
      tracked(claim(lane)).catch((error: unknown) => {
        // The next query finds it again.
        log.warn('outbox_claim_failed', { detail: nameOf(error) })
      })
    },
    look: () => tracked(look()),
    async idle() {
      await Promise.allSettled(open)
    },
  }
}

function dueNow({ clock, node }: ClaimPorts): Due {
  const now = clock.now()
  return {
    node,
    now,
    from: idAt(now - openMaxMs),
    dueWithinMs: retryAfterMaxMs + lateMs,
    silentSince: now - silentMs,
  }
}

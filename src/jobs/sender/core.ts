import type { ChannelKind } from '../../domain/delivery/channel.ts'
import type { Delivery, Handover, Try } from '../../domain/delivery/delivery.ts'
import type { Lane as LanePlace } from '../../domain/delivery/handover.ts'
import type { Channel, Log, Metrics, Ports } from '../../domain/ports.ts'
import { nameOf, Problem } from '../../domain/problem.ts'
import type { Gate } from '../periodic.ts'
import { createCharges } from './charges.ts'
import { type Claims, createClaims } from './claims.ts'
import { conclude } from './conclude.ts'
import { createEndpointAlarms, type EndpointAlarms } from './endpoint-alarms.ts'
import { takeTurn } from './hand-over.ts'
import { blockedForMs, type Item, type Lane, room } from './lane.ts'
import { createHoldings, createLanes, type Holdings, type Lanes } from './lanes.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createReleases, type Releases } from './releases.ts'
import { createTurns, type Turns } from './turns.ts'
import { createWaiters, type Waiters } from './waiters.ts'

export type SenderPorts = Pick<
  Ports,
  | ('deliveries' | 'suppressions' | 'verifications' | 'apps' | 'alarms' | 'keyring')
  | ('clock' | 'timers' | 'random' | 'node' | 'spending' | 'phones' | 'settings')
> & {
  channels: Record<ChannelKind, Channel>
  log: Log
  metrics: Metrics
  /** Hand-overs at a time over all endpoints. */
  connectionsMax: number
  /** A time of `timers.monotonic`: the last sign of life of this node, as other nodes see it. */
  seenAt(): number
  /** How many nodes are alive, with this one. */
  live(): number
} & Gate

/** The parts of the sender, and the functions that move a delivery between them. */
export type Core = {
  lanes: Lanes
  holdings: Holdings
  turns: Turns
  claims: Claims
  ledger: Ledger
  releases: Releases
  waiters: Waiters
  alarms: EndpointAlarms
  state: State
  /** Reserves a place in the lane; false without one. */
  reserve(place: LanePlace): boolean
  /** Puts a delivery into its lane. */
  take(lane: Lane, entry: Entry): void
  /** Notes that the store has one more for this lane, and tells other nodes. */
  wake(place: LanePlace): void
  /** Claims what another node has announced, if there is room. */
  hear(place: LanePlace): void
  /** Gives the delivery back to the store, for any node with room. */
  giveBack(lane: Lane, item: Item): void
}

export type State = {
  isStopping: boolean
  /** Nothing is claimed or begun, and what was claimed is given back. */
  isPaused: boolean
  /** Messages that have not ended, as last counted and changed since. */
  waiting: number
  oldestAt: number | null
  sent: number
}

export type Entry = {
  delivery: Delivery
  handover: Handover | null
  tries: Try[] | null
  leaseUntil: number
  /** When the delivery was last known to be wanted; now if absent. */
  freshAt?: number
}

const firstState: State = {
  isStopping: false,
  isPaused: false,
  waiting: 0,
  oldestAt: null,
  sent: 0,
}

/** The most deliveries that this node has in memory. */
const heldMax = 20_000

export function createCore(ports: SenderPorts): Core {
  const { clock, timers, connectionsMax } = ports
  const state: State = { ...firstState }
  const { isCurrent = () => true } = ports
  const isStopping = () => state.isStopping || state.isPaused
  const [lanes, holdings] = [createLanes(timers, ports.live), createHoldings()]
  const [alarms, charges] = [createEndpointAlarms(ports), createCharges(ports)]
  const waiters = createWaiters(ports)
  const releases = createReleases({ ...ports, isHeld: holdings.has })
  const ledger = createLedger({ ...ports, onRoom: () => turns.pump() })

  const roomLeft = () => heldMax - holdings.size() - lanes.reserved()
  const giveBack: Core['giveBack'] = (lane, item) => {
    holdings.remove(item)
    lane.backlog++
    releases.add(item.delivery.id)
  }
  const take: Core['take'] = (lane, entry) => {
    const now = clock.now()
    const item: Item = {
      freshAt: now,
      ...entry,
      putBacks: 0,
      stop: null,
      hasBegun: false,
      tryingSince: null,
      isWithdrawn: false,
      isReplaced: false,
    }
    lane.usedAt = timers.monotonic()
    if (isStopping()) {
      giveBack(lane, item)
      return
    }
    holdings.add(item)
    lane.push(item)
    turns.want(lane)
  }
  const claims = createClaims({
    ...{ ...ports, lanes, roomLeft },
    isStopping: () => isStopping() || !isCurrent(),
    take: (lane, delivery, leaseUntil) => {
      if (holdings.has(delivery.id)) return
      take(lane, { delivery, handover: null, tries: delivery.tries === 0 ? [] : null, leaseUntil })
    },
  })
  const resumeLater = (lane: Lane) => {
    lane.cancelResume()
    lane.cancelResume = timers.after(blockedForMs(lane), () => turns.want(lane))
  }
  const onHeldUp = (lane: Lane) => turns.want(lane)
  const fail = failing(ports, holdings, giveBack)
  const turns = createTurns({
    max: connectionsMax,
    mayBegin: () => ledger.hasRoom() && isCurrent(),
    mayDivert: (lane) => lanes.mayDivert(lane),
    mayQueue: ({ place }) => ports.channels[place.channel].queue !== undefined,
    onRateUsed: resumeLater,
    async run(lane, item) {
      try {
        const handing = { ...ports, charges, lanes, onPause: resumeLater, onHeldUp }
        conclude(core, ports, { lane, item, turn: await takeTurn(handing, lane, item) })
      } catch (error) {
        fail(lane, item, error)
      }
      claims.refill(lane)
    },
  })
  const core: Core = {
    ...{ lanes, holdings, turns, claims, ledger, releases, waiters, alarms, state, take, giveBack },
    reserve(place) {
      const lane = lanes.of(place)
      if (isStopping() || room(lane) === 0 || roomLeft() <= 0) return false
      lanes.reserve(lane, 1)
      return true
    },
    ...waking(ports, lanes, claims),
  }
  return core
}

/** Ends a turn that has failed. */
function failing({ log }: SenderPorts, holdings: Holdings, giveBack: Core['giveBack']) {
  return (lane: Lane, item: Item, error: unknown) => {
    // Nothing was sent: it is due again as soon as the database can be written.
    if (error instanceof Problem && !item.hasBegun) {
      giveBack(lane, item)
      return
    }
    // It is unknown whether the message was sent: the row is left until its lease ends.
    holdings.remove(item)
    const { id: deliveryId, appId } = item.delivery
    log.error('delivery_failed', { deliveryId, appId, detail: nameOf(error) })
  }
}

function waking({ deliveries }: SenderPorts, lanes: Lanes, claims: Claims) {
  return {
    wake(place: LanePlace) {
      const lane = lanes.of(place)
      lane.backlog++
      claims.refill(lane)
      deliveries.announce(lane.place)
    },
    hear(place: LanePlace) {
      const lane = lanes.of(place)
      lane.backlog = Math.max(1, lane.backlog)
      claims.refill(lane)
    },
  }
}

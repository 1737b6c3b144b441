import type { Delivery, Handover, Try } from '../../domain/delivery/delivery.ts'
import type { Lane as LanePlace } from '../../domain/delivery/handover.ts'
import { type Circuit, createCircuit } from './circuit.ts'
import { createWidth, type Width } from './width.ts'

/** A delivery that this node has leased, waiting in a lane or being handed over. */
export type Item = {
  delivery: Delivery
  /** The message as it was queued; null where it has to be read. */
  handover: Handover | null
  /** Those before, oldest first; null where they have to be read. */
  tries: Try[] | null
  leaseUntil: number
  /** When it was last known to be wanted. */
  freshAt: number
  /** How often it was put back, because the server had no connection for it. */
  putBacks: number
  /** Not null while it is handed over. */
  stop: AbortController | null
  /** The code was used, canceled or replaced: it is not sent any more. */
  isWithdrawn: boolean
}

/** The queue of one endpoint of one app, with the observed state of its server. */
export type Lane = {
  place: LanePlace
  width: Width
  circuit: Circuit
  running: Set<Item>
  /** Places that are reserved for deliveries that are being stored or claimed. */
  reserved: number
  /** How many more are queued in the store, as far as this node knows. */
  backlog: number
  /** The app's endpoints of lower rank, as last seen. */
  behind: string[]
  isClaiming: boolean
  /** The moving mean time of a hand-over, in ms; null before the first. */
  meanMs: number | null
  usedAt: number
  /** Cancels the timer for the end of the pause. */
  cancelResume: () => void
  push(item: Item): void
  putBack(item: Item): void
  shift(): Item | null
  remove(item: Item): boolean
  waiting(): number
  /** Removes and returns all waiting items. */
  drain(): Item[]
}

/** The most messages that wait in a lane; more stay in the store. */
const waitingMax = 5_000
/** Messages that would wait longer than this, in ms, stay in the store. */
const holdMs = 30_000
const waitingMin = 10
/** The assumed time of a message before any was sent, in ms. */
const usualMs = 50
/** The least assumed time of a message while the server does not answer, in ms. */
const downMs = 100
const weight = 0.2

type Timers = { monotonic(): number }

export function createLane(place: LanePlace, widthMax: number, timers: Timers): Lane {
  let queue = new Set<Item>()
  let front: Item[] = []

  return {
    place,
    width: createWidth(timers, widthMax),
    circuit: createCircuit(timers),
    running: new Set(),
    reserved: 0,
    backlog: 0,
    behind: [],
    isClaiming: false,
    meanMs: null,
    usedAt: timers.monotonic(),
    cancelResume: () => {},
    push: (item) => void queue.add(item),
    putBack: (item) => void front.push(item),
    shift() {
      const first = front.shift()
      if (first) return first
      const [next] = queue
      if (!next) return null
      queue.delete(next)
      return next
    },
    remove(item) {
      if (queue.delete(item)) return true
      const before = front.length
      front = front.filter((other) => other !== item)
      return front.length < before
    },
    waiting: () => queue.size + front.length,
    drain() {
      const all = [...front, ...queue]
      queue = new Set()
      front = []
      return all
    },
  }
}

/** Adds the time of an answered hand-over to the mean. */
export function observe(lane: Lane, tookMs: number): void {
  lane.meanMs = lane.meanMs === null ? tookMs : lane.meanMs + weight * (tookMs - lane.meanMs)
}

/** How many more messages this lane may hold. */
export function room(lane: Lane): number {
  const rate = reachable(lane) / messageMs(lane)
  const max = Math.max(waitingMin, Math.min(waitingMax, Math.floor(holdMs * rate)))
  return Math.max(0, max - lane.waiting() - lane.reserved)
}

/** How long a new message would wait here, in ms. */
export function expectedWaitMs(lane: Lane): number {
  const width = reachable(lane)
  const ahead = lane.waiting() + lane.reserved + lane.backlog
  const busy = lane.running.size >= width ? 1 : 0
  return lane.circuit.pausedForMs() + ((ahead + busy) * messageMs(lane)) / width
}

/** Hand-overs that may run now: none in a pause, and one as the test after it. */
export function runningMax(lane: Lane): number {
  if (lane.circuit.isPaused()) return 0
  return lane.circuit.isProbing() ? 1 : lane.width.value()
}

function isDown({ circuit }: Lane): boolean {
  return circuit.isPaused() || circuit.isProbing()
}

function reachable(lane: Lane): number {
  return isDown(lane) ? 1 : lane.width.reachable()
}

function messageMs(lane: Lane): number {
  return Math.max(lane.meanMs ?? usualMs, isDown(lane) ? downMs : 1)
}

export function laneKey({ appId, channel, endpointId }: LanePlace): string {
  return `${appId}\0${channel}\0${endpointId ?? ''}`
}

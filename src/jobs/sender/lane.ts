import type { Delivery, Handover, Try } from '../../domain/delivery/delivery.ts'
import {
  type EndpointRate,
  newEndpointRate,
  tokensLeft,
  tokenWaitMs,
} from '../../domain/delivery/endpoint-rate.ts'
import type { Lane as LanePlace } from '../../domain/delivery/handover.ts'
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
  /** Whether its message was passed to the channel in this turn. */
  hasBegun: boolean
  /** When its message was passed to the channel; null before and after. */
  tryingSince: number | null
  /** The code was used or canceled, or goes through another channel: it is not sent any more. */
  isWithdrawn: boolean
  /** Withdrawn for another message of the verification. */
  isReplaced: boolean
}

/** The mean time between two sent messages while others waited. */
type Pace = { gapMs: number | null; since: number; sent: number; width: number }

/** The queue of one endpoint of one app, with the observed state of its server. */
export type Lane = {
  place: LanePlace
  width: Width
  circuit: Circuit
  rate: EndpointRate
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
  pace: Pace
  /** When the server last answered. */
  answeredAt: number
  usedAt: number
  now(): number
  /** Cancels the timer for the end of a pause, or for the next token of the rate. */
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
/** Without an answer for so long, in ms, or for three usual hand-overs, a server holds mail up. */
const heldUpMs = 2_000
/** The pace is measured over so many ms and messages at least. */
const paceMs = 1_000
const paceMin = 20
const aheadMs = 50
const aheadMost = 200

type Timers = { monotonic(): number }

export function createLane(place: LanePlace, widthMax: number, timers: Timers): Lane {
  let queue = new Set<Item>()
  let front: Item[] = []

  return {
    place,
    width: createWidth(timers, widthMax),
    circuit: createCircuit(timers),
    rate: newEndpointRate(),
    running: new Set(),
    reserved: 0,
    backlog: 0,
    behind: [],
    isClaiming: false,
    meanMs: null,
    pace: { gapMs: null, since: timers.monotonic(), sent: 0, width: 0 },
    answeredAt: Number.NEGATIVE_INFINITY,
    usedAt: timers.monotonic(),
    now: timers.monotonic,
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

/** Adds a sent message, which took so many ms, to the mean and to the pace. */
export function observe(lane: Lane, tookMs: number, now: number): void {
  lane.meanMs = lane.meanMs === null ? tookMs : lane.meanMs + weight * (tookMs - lane.meanMs)
  const { pace } = lane
  const width = lane.width.value()
  const isIdle = queuedIn(lane) === 0
  pace.sent++
  if (!isIdle && pace.width === width) {
    const ms = now - pace.since
    if (pace.sent < paceMin || ms < paceMs) return
    pace.gapMs = ms / pace.sent
  }
  if (isIdle) pace.gapMs = null
  Object.assign(pace, { since: now, sent: 0, width })
}

/** Messages that wait for a connection, here or in the channel. */
export function queuedIn(lane: Lane): number {
  return lane.waiting() + Math.max(0, lane.running.size - lane.width.value())
}

/** How many more messages this lane may hold. */
export function room(lane: Lane): number {
  const byServer = Math.min(waitingMax, Math.floor(holdMs / gapMs(lane)))
  const max = Math.max(waitingMin, Math.min(byServer, tokensLeft(lane.rate, lane.now() + holdMs)))
  return Math.max(0, max - queuedIn(lane) - lane.reserved)
}

/** How long a new message would wait here, in ms. */
export function expectedWaitMs(lane: Lane): number {
  const ahead = queuedIn(lane) + lane.reserved + lane.backlog
  const busy = lane.running.size >= reachable(lane) ? 1 : 0
  const byServer = lane.circuit.pausedForMs() + (ahead + busy) * gapMs(lane)
  return Math.max(byServer, tokenWaitMs(lane.rate, ahead, lane.now()))
}

/** True while nothing may be handed over: in a pause, or while the rate is used up. */
export function isBlocked(lane: Lane): boolean {
  return lane.circuit.isPaused() || isRateUsed(lane)
}

export function isRateUsed(lane: Lane): boolean {
  return tokensLeft(lane.rate, lane.now()) === 0
}

/** The time until a blocked lane may go on, in ms. */
export function blockedForMs(lane: Lane): number {
  return Math.ceil(Math.max(lane.circuit.pausedForMs(), tokenWaitMs(lane.rate, 0, lane.now())))
}

/** Hand-overs that may run now. */
export function runningMax(lane: Lane): number {
  if (isBlocked(lane)) return 0
  // One as the test after a pause.
  return lane.circuit.isProbing() ? 1 : lane.width.value()
}

/**
 * Messages that may wait in the channel: what the server takes in 50 ms, which is longer than the
 * sender may be kept from handing over the next.
 */
export function aheadMax(lane: Lane): number {
  if (isDown(lane) || lane.meanMs === null || lane.rate.perMinute !== null) return 0
  const perMs = lane.width.value() / Math.max(1, lane.meanMs)
  return Math.min(aheadMost, Math.floor(aheadMs * perMs))
}

/** After so many ms without an answer a lane counts as held up. */
export function patienceMs({ meanMs }: Lane): number {
  return Math.max(heldUpMs, 3 * (meanMs ?? 0))
}

/**
 * True while another hand-over tests the server after a pause, or while others wait for an answer
 * for longer than usual: another message would wait behind them.
 */
export function isHeldUp(lane: Lane, now: number, item: Item | null = null): boolean {
  let since = Number.POSITIVE_INFINITY
  for (const other of lane.running) {
    if (other !== item && other.tryingSince !== null) since = Math.min(since, other.tryingSince)
  }
  if (since === Number.POSITIVE_INFINITY) return false
  if (lane.circuit.isProbing()) return true
  return now - Math.max(since, lane.answeredAt) >= patienceMs(lane)
}

function isDown({ circuit }: Lane): boolean {
  return circuit.isPaused() || circuit.isProbing()
}

function reachable(lane: Lane): number {
  return isDown(lane) ? 1 : lane.width.reachable()
}

/** The expected time between two messages, in ms: as the server answers, and no less than seen. */
function gapMs(lane: Lane): number {
  const messageMs = Math.max(lane.meanMs ?? usualMs, isDown(lane) ? downMs : 1)
  return Math.max(messageMs / reachable(lane), lane.pace.gapMs ?? 0)
}

export function laneKey({ appId, channel, endpointId }: LanePlace): string {
  return `${appId}\0${channel}\0${endpointId ?? ''}`
}

/**
 * Pauses a lane whose server does not answer: after three failures in a row nothing is tried for
 * 1 s, then one hand-over; while that fails too, the pauses double up to 15 s.
 */
export type Circuit = {
  /** True while nothing may be tried. */
  isPaused(): boolean
  /** True after a pause, while one hand-over tests whether the server is back. */
  isProbing(): boolean
  /** The rest of the pause, in ms; 0 without one. */
  pausedForMs(): number
  /** A hand-over that began at `begunAt` got no answer. True when a pause begins. */
  failed(begunAt: number): boolean
  answered(): void
}

const failuresMax = 3
const firstPauseMs = 1_000
export const pauseMaxMs = 15_000

export function createCircuit({ monotonic }: { monotonic(): number }): Circuit {
  let failures = 0
  let pause: { from: number; until: number; ms: number } | null = null

  return {
    isPaused: () => pause !== null && monotonic() < pause.until,
    isProbing: () => pause !== null && monotonic() >= pause.until,
    pausedForMs: () => (pause === null ? 0 : Math.max(0, pause.until - monotonic())),
    failed(begunAt) {
      failures++
      if (pause ? begunAt < pause.until : failures < failuresMax) return false
      const from = monotonic()
      const ms = pause ? Math.min(2 * pause.ms, pauseMaxMs) : firstPauseMs
      pause = { from, until: from + ms, ms }
      return true
    },
    answered() {
      failures = 0
      pause = null
    },
  }
}

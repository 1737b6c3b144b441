import type { Lane } from './handover.ts'

/** How the queue of one endpoint stands on this node. */
export type LaneFlow = Lane & {
  /** Messages that wait for a connection. */
  waiting: number
  /** Hand-overs that run, and how many may. */
  connections: number
  connectionsMax: number
  /** Nothing is handed over for a while, because its server does not answer or its rate is used. */
  isPaused: boolean
  /** The mean time of a hand-over; null before the first. */
  meanMs: number | null
}

/** How messages leave. */
export type Flow = {
  /** Messages that have not ended, on all nodes, and since when the oldest one waits. */
  waiting: number
  oldestAt: number | null
  /** The recent rate of messages that this node sent. */
  sentPerSecond: number
  /** Of this node, the busiest first. */
  lanes: LaneFlow[]
}

/** The most lanes that are shown. */
export const lanesShown = 50

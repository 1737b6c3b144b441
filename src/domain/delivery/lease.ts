import { dayMs } from '../verification/limits.ts'

/** The duration of a node's lease of a delivery, in ms. */
export const leaseMs = 90_000

/**
 * A node without a sign of life for so long, in ms, counts as gone. A node gives one every 5 s and
 * looks for work every second, so that what a dead node has leased is taken over within 15 s.
 */
export const silentMs = 13_000
/**
 * The same where a node that is still there would be harmed: a rotation of keys, a change of the schema
 * and a move wait for it so long.
 */
export const nodeSilentMs = 15_000
/** The most by which a node and the one that takes over from it may judge a time differently, in ms. */
const marginMs = 1_000

/** Older deliveries, in ms, have an expired code: it is valid for a day at most. */
export const openMaxMs = 2 * dayMs

/** This node's right to send a message that other nodes take over when it is silent. */
export type Lease = {
  /** A time of `timers.monotonic`; before it no other node has taken the message over. */
  sureUntil: number
  /** Asks the store whether this node still has it; false as well where that cannot be known. */
  isHeld(): Promise<boolean>
}

/** Until when a lease is surely this node's; all three are times of `timers.monotonic`. */
export function sureUntil({ seenAt, leaseUntil }: { seenAt: number; leaseUntil: number }): number {
  return Math.min(leaseUntil, seenAt + silentMs) - marginMs
}

/**
 * Whether a message may be sent, asked right before that. A hand-over that took long, or a node that
 * was stopped in it and goes on, asks the store; others need not. Without a lease nobody else sends it.
 */
export function mayBegin(lease: Lease | undefined, now: number): true | Promise<boolean> {
  return lease === undefined || now < lease.sureUntil ? true : lease.isHeld()
}

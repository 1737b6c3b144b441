import type { DueMessage } from '../../domain/webhook/message.ts'
import { nextWidth, pauseMs, slowMs, widthFirst } from '../../domain/webhook/schedule.ts'
import type { WebhookPlace } from '../../domain/webhook/stores.ts'

/** What this node holds of one webhook, and the observed state of its receiver. */
export type Lane = {
  place: WebhookPlace
  /** Due messages that have not begun. */
  queue: DueMessage[]
  /** The ids of those, of the ones on their way, and of the ones whose result is not on disk. */
  held: Set<string>
  running: number
  width: number
  /** Its receiver took long for the latest message. */
  isSlow: boolean
  /** Failures in a row, and when the first of them was, by the clock that never jumps. */
  failures: number
  failedSince: number
  /** Nothing is sent before this time, by the same clock. */
  pausedUntil: number
  /** As the store has it; undefined until the lane is leased. */
  failingSince: number | null | undefined
  leaseUntil: number
  /** The store may have more that is due. */
  hasMore: boolean
  isReading: boolean
  /** It was switched off, or removed: nothing more is sent. */
  isOver: boolean
}

/** The most messages of one webhook that a node holds. */
export const heldMax = 400

export function newLane(place: WebhookPlace): Lane {
  return {
    place,
    ...{ queue: [], held: new Set(), running: 0, width: widthFirst, isSlow: false },
    ...{ failures: 0, failedSince: 0, pausedUntil: Number.NEGATIVE_INFINITY },
    ...{ failingSince: undefined, leaseUntil: Number.NEGATIVE_INFINITY },
    ...{ hasMore: true, isReading: false, isOver: false },
  }
}

/** Whether another message may begin; `now` is of the clock that never jumps. */
export function mayBegin(lane: Lane, now: number): boolean {
  const { queue, running, width, pausedUntil } = lane
  return !lane.isOver && queue.length > 0 && running < width && now >= pausedUntil
}

/** Whether it makes sense to read more: three quarters of what may be held are gone. */
export function wantsMore({ hasMore, isReading, isOver, held }: Lane): boolean {
  return hasMore && !isReading && !isOver && held.size <= heldMax / 4
}

/** True when nothing is left to do: the lane can be forgotten. */
export function isIdle({ held, hasMore, isReading }: Lane): boolean {
  return held.size === 0 && !hasMore && !isReading
}

/** Whether its receiver is slow or fails, so that it may take only a part of what this node sends. */
export function isLimited({ failures, isSlow }: Lane): boolean {
  return failures > 0 || isSlow
}

/** Learns from the end of a try. */
export function observe(
  lane: Lane,
  { isRight, tookMs }: { isRight: boolean; tookMs: number },
  now: number,
): void {
  lane.isSlow = tookMs > slowMs
  lane.width = nextWidth(lane.width, { isRight, isSlow: lane.isSlow })
  if (isRight) {
    lane.failures = 0
    lane.pausedUntil = Number.NEGATIVE_INFINITY
    return
  }
  if (lane.failures === 0) lane.failedSince = now
  lane.failures++
  const streak = { failures: lane.failures, lastsMs: now - lane.failedSince }
  lane.pausedUntil = now + pauseMs(streak)
}

/** Gives up what has not begun; it stays due in the store. */
export function giveUp(lane: Lane): void {
  for (const { id } of lane.queue) lane.held.delete(id)
  lane.queue = []
}

import type { App } from '../app/app.ts'
import { dayMs, hourMs } from '../verification/limits.ts'
import type { DueMessage, MessageStatus } from './message.ts'
import type { OffCause, Webhook } from './webhook.ts'

/** What a receiver answered; `code` is null without an answer, and `detail` then says why. */
export type Answer = { code: number | null; retryAfterMs: number | null; detail: string | null }

/** Signs a message and posts it; never rejects. */
export type PostMessage = (
  app: App,
  webhook: Webhook,
  message: Pick<DueMessage, 'id' | 'body'>,
  signal: AbortSignal,
) => Promise<Answer>

const minuteMs = 60_000

/**
 * The waits after each failed try, as Standard Webhooks advises: ten tries in 75 hours, the first one
 * at once.
 */
export const retryDelaysMs = [
  5_000,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  14 * hourMs,
  20 * hourMs,
  24 * hourMs,
]
export const triesMax = retryDelaysMs.length + 1
/** A wait is longer by up to this share, so that messages which failed together spread. */
export const jitterShare = 0.1
/** The longest wait that a receiver can ask for by Retry-After. */
export const retryAfterMaxMs = 6 * hourMs
/** The longest wait of a message that any rule gives. */
export const waitMaxMs = Math.ceil(Math.max(...retryDelaysMs) * (1 + jitterShare))
/** A webhook that has failed for so long is switched off. */
export const failingMaxMs = 5 * dayMs

type Situation = {
  /** Tries that were made, with this one. */
  tries: number
  /** When the first of the webhook's tries failed since one succeeded. */
  failingSince: number | null
  now: number
  /** Random, from 0 up to 1. */
  chance: number
}

export type NextTry = {
  status: MessageStatus
  /** The time of the next try; null when there is none. */
  at: number | null
  failingSince: number | null
  /** Not null when the webhook is switched off. */
  off: Exclude<OffCause, 'admin'> | null
}

/** Decides what follows a try: for its message, and for the webhook. */
export function afterAnswer(answer: Answer, situation: Situation): NextTry {
  const { tries, failingSince, now, chance } = situation
  const { code, retryAfterMs } = answer
  if (isSuccess(code)) return { status: 'delivered', at: null, failingSince: null, off: null }
  const since = failingSince ?? now
  const off = code === 410 ? 'gone' : now - since >= failingMaxMs ? 'failing' : null
  const delayMs = retryDelaysMs[tries - 1]
  if (delayMs === undefined) return { status: 'dead', at: null, failingSince: since, off }
  const jittered = delayMs * (1 + jitterShare * chance)
  const asked = Math.min(retryAfterMs ?? 0, retryAfterMaxMs)
  const at = now + Math.round(Math.max(jittered, asked))
  return { status: 'waiting', at, failingSince: since, off }
}

/** 2xx. A redirect is no success, because none is followed. */
export function isSuccess(code: number | null): boolean {
  return code !== null && code >= 200 && code <= 299
}

/** The longest pause of a receiver that does not answer, and the shortest. */
const [pauseMinMs, pauseMaxMs] = [1_000, minuteMs]
/** So many failures in a row before a webhook is paused, so that one bad message pauses nothing. */
const failuresMin = 5
/** Messages that may be on their way to one receiver, first and at most. */
export const [widthFirst, widthMax] = [4, 64]

/** Tries of one webhook in a row: how many failed, and for how long. */
export type Streak = { failures: number; lastsMs: number }

/** How long nothing is sent after a failure: as long as it has failed, a minute at most. */
export function pauseMs({ failures, lastsMs }: Streak): number {
  if (failures < failuresMin) return 0
  return Math.min(pauseMaxMs, Math.max(pauseMinMs, lastsMs))
}

/** An answer that took longer, in ms, is slow. */
export const slowMs = 1_000

/**
 * How many messages may be on their way next: one more after a success, half after a failure. A slow
 * receiver gets no more than at first.
 */
export function nextWidth(
  width: number,
  { isRight, isSlow }: { isRight: boolean; isSlow: boolean },
): number {
  if (!isRight) return Math.max(1, Math.floor(width / 2))
  return Math.min(isSlow ? widthFirst : widthMax, width + 1)
}

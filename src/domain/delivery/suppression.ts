import { lateMs } from '../ports.ts'
import { dayMs, hourMs } from '../verification/limits.ts'
import type { DeliveryOutcome, Try } from './delivery.ts'

/**
 * Why an address is suppressed: `refused` by the mail server, or `bounced` after the server had
 * accepted the message.
 */
export const suppressionCauses = ['refused', 'bounced'] as const
export type SuppressionCause = (typeof suppressionCauses)[number]

/** An address to which an app sends nothing for a while, because a server refused it for good. */
export type Suppression = {
  id: string
  appId: string
  /** The address, masked. */
  to: string
  cause: SuppressionCause
  /** The reply code, such as `550 5.1.1`; null where the server gave none. */
  code: string | null
  since: number
  until: number
}

const firstMs = dayMs
const againMs = 30 * dayMs
/** How long after its end a suppression makes the next one of the address longer. */
export const rememberedMs = 30 * dayMs

type Span = Pick<Suppression, 'since' | 'until'>

/** False also for one that a wrong clock has written: it begins later than now. */
export function isInForce({ since, until }: Span, now: number): boolean {
  return since <= now + lateMs && now < until
}

/**
 * The end of a suppression that begins now: after 24 h, or after 30 d when another one of the
 * address ended within the last 30 d. Null when one is in force already.
 */
export function suppressedUntil(earlier: Span | null, now: number): number | null {
  if (earlier === null || earlier.since > now + lateMs) return now + firstMs
  if (isInForce(earlier, now)) return null
  return now + (now < earlier.until + rememberedMs ? againMs : firstMs)
}

/** Tries that one endpoint replied to, and refusals of their recipients, bounces included. */
export type EndpointTries = { tries: number; refusals: number }

/** The span in which an endpoint's refusals are compared with its tries. */
export const refusalWindowMs = hourMs
const refusalsMost = 20
const refusalsShare = 0.1

/**
 * True for an endpoint that refused more than 20 recipients and more than a tenth of its tries
 * within the last hour: more likely the server refuses everybody than that all are wrong.
 */
export function refusesTooMany({ tries, refusals }: EndpointTries): boolean {
  return refusals > Math.max(refusalsMost, refusalsShare * tries)
}

/** The outcome of a message to a suppressed address: no server was asked. */
export const suppressedOutcome = {
  status: 'refused',
  cause: 'recipient',
  code: null,
  detail: 'suppressed',
} as const satisfies DeliveryOutcome

/** True where a mail server refused the recipient for good, so that the address is suppressed. */
export function isRecipientRefused({ status, cause, code }: Try): boolean {
  return status === 'refused' && cause === 'recipient' && code !== null
}

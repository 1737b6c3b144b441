import type { App } from '../app/app.ts'
import type { Endpoint } from '../app/endpoint.ts'
import type { CodeFormat } from '../verification/code.ts'
import type { Recipient } from '../verification/recipient.ts'
import type { Mode } from '../verification/verification.ts'
import type { ChannelKind } from './channel.ts'

/**
 * queued: not tried yet. sent: the mail server took it. deferred: not yet, it is tried again.
 * refused: a permanent no, with the server's words. undeliverable: given up, because the code's
 * life or the tries are spent.
 */
export const deliveryStatuses = ['queued', 'sent', 'deferred', 'refused', 'undeliverable'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

/** A message to hand over, as a channel takes it. Lives in memory only. */
export type Handover = {
  deliveryId: string
  app: App
  /** Null for a channel without endpoints. */
  endpoint: Endpoint | null
  verificationId: string
  mode: Mode
  recipient: Recipient
  code: string
  codeFormat: CodeFormat
  reference: string
  locale: string | null
  createdAt: number
  expiresAt: number
}

export const deferralCauses = ['network', 'busy', 'greylisted'] as const
export const refusalCauses = [
  'recipient',
  'login',
  'policy',
  'message',
  'server',
  'unsupported',
] as const
export type DeferralCause = (typeof deferralCauses)[number]
export type RefusalCause = (typeof refusalCauses)[number]
export type Cause = DeferralCause | RefusalCause

/**
 * What became of one hand-over. `detail` is the other side's words, one line, without secrets;
 * `code` its reply code, such as `550 5.1.1`. `ambiguous`: no reply came after the message was on
 * its way, so it may have been taken. `retryAfterMs`: when the other side asked to be tried again.
 */
export type DeliveryOutcome =
  | { status: 'sent'; code: string | null; detail: string | null; remoteId: string | null }
  | {
      status: 'deferred'
      cause: DeferralCause
      ambiguous: boolean
      retryAfterMs: number | null
      code: string | null
      detail: string
    }
  | { status: 'refused'; cause: RefusalCause; code: string | null; detail: string }

/** One hand-over through one endpoint, as it is kept. Numbers count up from 1. */
export type Try = {
  number: number
  endpointId: string | null
  at: number
  tookMs: number
  status: DeliveryOutcome['status']
  cause: Cause | null
  ambiguous: boolean
  code: string | null
  detail: string | null
  /** How the other side names the message; null where it does not say. */
  remoteId: string | null
}

/** One message to one recipient through one channel: no code, no rendered text, no address. */
export type Delivery = {
  id: string
  appId: string
  mode: Mode
  verificationId: string
  channel: ChannelKind
  /** Through which endpoint the next try goes; null for a channel without endpoints. */
  endpointId: string | null
  status: DeliveryStatus
  detail: string | null
  /** How many tries were made. */
  tries: number
  createdAt: number
  expiresAt: number
}

/** The try that an outcome makes. */
export function toTry(
  outcome: DeliveryOutcome,
  place: Pick<Try, 'number' | 'endpointId' | 'at' | 'tookMs'>,
): Try {
  return {
    ...place,
    status: outcome.status,
    cause: outcome.status === 'sent' ? null : outcome.cause,
    ambiguous: outcome.status === 'deferred' && outcome.ambiguous,
    code: outcome.code,
    detail: outcome.detail,
    remoteId: outcome.status === 'sent' ? outcome.remoteId : null,
  }
}

import type { App } from '../app/app.ts'
import type { Endpoint } from '../app/endpoint.ts'
import type { Chosen } from '../learning/chosen.ts'
import type { Variables } from '../template/variables.ts'
import type { CodeFormat } from '../verification/code.ts'
import type { Recipient } from '../verification/recipient.ts'
import type { Mode } from '../verification/verification.ts'
import type { ChannelKind } from './channel.ts'

/**
 * queued: not tried yet. sent: the mail server accepted it. deferred: it is tried again. refused:
 * refused for good, with the server's reply. undeliverable: given up, because the code has expired
 * or no try is left. bounced: accepted, and then returned. delivered, failed: accepted, and then the
 * gateway said that it has arrived, or that it has not.
 */
export const deliveryStatuses = [
  'queued',
  'sent',
  'deferred',
  'refused',
  'undeliverable',
  'bounced',
  'delivered',
  'failed',
] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

/** A message as a channel takes it; in memory only. */
export type Handover = {
  deliveryId: string
  app: App
  /** Null for a channel without endpoints. */
  endpoint: Endpoint | null
  verificationId: string
  mode: Mode
  channel: ChannelKind
  /** The channels of the verification, in order. */
  route: ChannelKind[]
  recipient: Recipient
  code: string
  codeFormat: CodeFormat
  reference: string
  /** Of the link "this was not me"; null for an app without it. */
  reportSecret?: string | null
  locale: string | null
  /** The values that the start gave for its message; null for none. */
  variables: Variables | null
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
  'capped',
  'cost',
  'gone',
] as const
export type DeferralCause = (typeof deferralCauses)[number]
export type RefusalCause = (typeof refusalCauses)[number]
export type Cause = DeferralCause | RefusalCause

/**
 * The outcome of one hand-over. `detail` is the server's reply, one line, without secrets; `code`
 * its reply code, such as `550 5.1.1`. `ambiguous`: no reply came after the message was sent, so it
 * may have been accepted. `retryAfterMs`: the wait that the server asked for.
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

/** The server wants no more messages, so its endpoint is switched off. */
export function isGone(outcome: DeliveryOutcome): boolean {
  return outcome.status === 'refused' && outcome.cause === 'gone'
}

/** What happens to a message of an endpoint that is off: the next endpoint takes it. */
export const offOutcome: DeliveryOutcome = {
  status: 'refused',
  cause: 'server',
  code: null,
  detail: 'this endpoint is switched off',
}

/** A deferral for which no server gave a reply code or a wait. */
export function deferredBy(
  cause: DeferralCause,
  detail: string,
  { ambiguous = false } = {},
): Extract<DeliveryOutcome, { status: 'deferred' }> {
  return { status: 'deferred', cause, ambiguous, retryAfterMs: null, code: null, detail }
}

/** One hand-over through one endpoint, as it is stored. Numbers count up from 1. */
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
  /** The server's own id of the message; null without one. */
  remoteId: string | null
}

/** One message to one recipient through one channel: no code, no rendered text, no address. */
export type Delivery = {
  id: string
  appId: string
  mode: Mode
  verificationId: string
  channel: ChannelKind
  /** The endpoint of the next try; null for a channel without endpoints. */
  endpointId: string | null
  /** Why it goes through its endpoint; null where the app's route does not learn. */
  chosen: Chosen | null
  status: DeliveryStatus
  detail: string | null
  /** How many tries were made. */
  tries: number
  createdAt: number
  expiresAt: number
}

/** The record of a try with this outcome. */
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

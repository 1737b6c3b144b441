import type { App } from './app.ts'
import type { CodeFormat } from './code.ts'
import type { ChannelName } from './verification.ts'

/**
 * queued: not tried yet. sent: the mail server took it. deferred: not yet, it is tried again.
 * refused: a permanent no, with the server's words. undeliverable: the code's life ended first.
 */
export type DeliveryStatus = 'queued' | 'sent' | 'deferred' | 'refused' | 'undeliverable'

/** A message to hand over, as a channel takes it. Lives in memory only. */
export type Handover = {
  deliveryId: string
  app: App
  recipient: string
  code: string
  codeFormat: CodeFormat
  reference: string
  locale: string | null
  createdAt: number
  expiresAt: number
}

/**
 * What became of one hand-over. `detail` is the server's words, one line, without secrets.
 * `ambiguous`: the message may have been taken, no reply came. `login`: the app's own credentials
 * were refused, so trying again for this app is pointless until they change.
 */
export type DeliveryOutcome =
  | { status: 'sent'; detail: string | null }
  | { status: 'deferred'; detail: string; ambiguous: boolean }
  | { status: 'refused'; detail: string; cause: RefusalCause }

export type RefusalCause = 'recipient' | 'login' | 'policy' | 'message' | 'server'

/** A delivery as the outbox holds it: no code, no rendered text, no address. */
export type Delivery = {
  id: string
  appId: string
  verificationId: string
  channel: ChannelName
  status: DeliveryStatus
  detail: string | null
  tries: number
  createdAt: number
  expiresAt: number
}

/** Waits before the next tries, within the code's life (security.md D7). */
export const retryDelaysMs = [15_000, 45_000, 120_000, 240_000] as const

/**
 * When to try again after `tries` tries have been deferred, jittered by up to 20 %; null when the
 * tries or the code's life are spent. `chance` is uniform in [0, 1).
 */
export function nextTryAt(
  delivery: Pick<Delivery, 'tries' | 'expiresAt'>,
  now: number,
  chance: number,
): number | null {
  const delay = retryDelaysMs[delivery.tries - 1]
  if (delay === undefined) return null
  const at = now + Math.round(delay * (1 + 0.2 * chance))
  return at < delivery.expiresAt ? at : null
}

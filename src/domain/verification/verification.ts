import type { ChannelKind } from '../delivery/channel.ts'
import type { DeliveryStatus } from '../delivery/delivery.ts'
import type { CodeFormat } from './code.ts'

export const modes = ['live', 'test'] as const
/** The mode of the key that started it; no other mode sees it. */
export type Mode = (typeof modes)[number]

/** Identifies a verification in every operation; another app's or mode's is unknown. */
export type VerificationKey = { appId: string; mode: Mode; id: string }

/** What is stored; the rest is derived from time and counters. */
export type StoredStatus = 'pending' | 'approved' | 'canceled'

export const statuses = ['pending', 'approved', 'canceled', 'expired', 'exhausted'] as const
export type Status = (typeof statuses)[number]

/** The API that started it; `/verify-otp` names no app, and judges only those of `/otp`. */
export type StartedBy = 'v1' | 'original'

/** A channel that a verification may use, with its recipient. */
export type Stop = {
  channel: ChannelKind
  /** Masked; the address itself is sealed, and cleared at the end. */
  to: string
  /** Its number among the recipients that the start named, from 0 on. */
  recipient: number
}

export type Verification = VerificationKey & {
  startedBy: StartedBy
  /** The channel of the latest message, and its recipient, masked. */
  channel: ChannelKind
  to: string
  /** The channels that it may use, in order. */
  route: Stop[]
  purpose: string
  locale: string | null
  metadata: Record<string, string> | null
  status: StoredStatus
  /** The digest was cleared, so that no code can be checked any more. */
  forgotten: boolean
  codeKeyId: string
  codeFormat: CodeFormat
  codeLength: number
  generation: number
  reference: string
  attemptsSpent: number
  attemptsMax: number
  /** Messages after the first that were sent or queued. */
  resendsSpent: number
  resendsMax: number
  createdAt: number
  expiresAt: number
  /** From when the next resend is allowed. */
  resendAt: number
  /** When the next channel follows by itself; null when none does. */
  fallBackAt: number | null
  /** From when the next check is judged; null for any time. */
  checkAt: number | null
  /** When codes were judged, oldest first: as many as attempts were spent. */
  checkedAt: number[]
  /** How the latest delivery stands. */
  delivery: { status: DeliveryStatus; detail: string | null }
}

/** The status; expiry and exhaustion are derived from time and counters. */
export function statusOf(verification: Verification, now: number): Status {
  if (verification.status !== 'pending') return verification.status
  if (verification.attemptsSpent >= verification.attemptsMax) return 'exhausted'
  return verification.forgotten || verification.expiresAt <= now ? 'expired' : 'pending'
}

/** What may be done next, and from when on; null for what may not be done any more. */
export type NextSteps = {
  checkAt: number | null
  resend: { at: number; channels: ChannelKind[] } | null
}

export function nextSteps(verification: Verification, now: number): NextSteps {
  if (statusOf(verification, now) !== 'pending') return { checkAt: null, resend: null }
  const { createdAt, checkAt, resendAt, resendsSpent, resendsMax, route } = verification
  const channels = route.map(({ channel }) => channel)
  const resend = resendsSpent < resendsMax ? { at: resendAt, channels } : null
  return { checkAt: checkAt ?? createdAt, resend }
}

export function attemptsLeft(verification: Verification): number {
  return Math.max(0, verification.attemptsMax - verification.attemptsSpent)
}

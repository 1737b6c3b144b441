import type { CodeFormat } from './code.ts'
import type { DeliveryStatus } from './delivery.ts'

export type Mode = 'live' | 'test'

/** What is stored; the rest is derived from time and counters. */
export type StoredStatus = 'pending' | 'approved' | 'canceled'
export type Status = StoredStatus | 'expired' | 'exhausted'

export type Verification = {
  id: string
  appId: string
  mode: Mode
  /** Masked: the address itself is sealed and forgotten. */
  to: string
  channel: ChannelName
  purpose: string
  locale: string | null
  metadata: Record<string, string> | null
  status: StoredStatus
  codeKeyId: string
  codeFormat: CodeFormat
  codeLength: number
  generation: number
  reference: string
  attemptsSpent: number
  attemptsMax: number
  /** Messages beyond the first that were sent or queued. */
  resendsSpent: number
  resendsMax: number
  createdAt: number
  expiresAt: number
  /** From when the next resend is allowed. */
  resendAt: number
  /** How the latest delivery stands. */
  delivery: { status: DeliveryStatus; detail: string | null }
}

export const channelNames = ['email', 'inbox'] as const
export type ChannelName = (typeof channelNames)[number]

/** Expiry and exhaustion are computed, so no job can be late with them. */
export function statusOf(verification: Verification, now: number): Status {
  if (verification.status !== 'pending') return verification.status
  if (verification.attemptsSpent >= verification.attemptsMax) return 'exhausted'
  return verification.expiresAt <= now ? 'expired' : 'pending'
}

export function attemptsLeft(verification: Verification): number {
  return Math.max(0, verification.attemptsMax - verification.attemptsSpent)
}

import type { Mode } from '../../src/domain/verification/verification.ts'
import type { Life } from './virtual-time.ts'

/** What clients know of an app. A change counts as possible from its request on. */
export type AppModel = {
  id: string
  /** Its secretKey for the original API; null without one. */
  secretKey: string | null
  keys: KeyModel[]
  endpointIds: string[]
  /** True once it has endpoints of webhook and sms, which are never removed. */
  hasRoutes: boolean
  /** True if a policy that asks for waits before checks may have been in force. */
  mayDelay: boolean
  /** True once its deletion was requested; `goneAt` is the order of the answer. */
  isLeaving: boolean
  goneAt: number | null
  goneElapsed: number
  /** True if a policy that pauses, or refuses without guess budget, may have been in force. */
  mayPause: boolean
  mayRefuse: boolean
  /** The least `recipient_starts_per_day` of its policies so far. */
  recipientDayMin: number
  /** The least `starts_per_minute` of its policies so far. */
  minuteMin: number
}

export type KeyModel = {
  id: string
  text: string
  mode: Mode
  /** True once its revocation was requested; `revokedAt` is the order of the answer. */
  isLeaving: boolean
  revokedAt: number | null
}

/** What clients and mail servers know of a verification. */
export type Seen = {
  id: string
  app: AppModel
  mode: Mode
  /** The start that created it, once it was answered. */
  start: Ask | null
  /** The fields of its first answer or mail. */
  begun: Begun | null
  /** The code in its mails. */
  code: string | null
  /** The highest time of the clock since it is known. */
  clockMax: number
  /** Wrong codes that were judged, without replayed answers; `approvals` likewise. */
  wrong: number
  approvals: number
  /** The order of the first answer that says approved; `canceledAt` likewise. */
  approvedAt: number | null
  canceledAt: number | null
  /** Requests that may have approved it, canceled it, spent an attempt or a resend. */
  approvers: Set<Ask>
  cancelers: Set<Ask>
  spends: Set<Ask>
  resends: Set<Ask>
  /** Answers that say how many attempts are left. */
  left: { at: number; left: number }[]
  /** Copies that mail servers accepted. */
  copies: number
  /** The latest answer that says from when the next check is judged. */
  checkFrom: { at: number; time: number } | null
}

export type Begun = {
  createdAt: number
  expiresAt: number
  /** Null where only its mail is known. */
  attemptsMax: number | null
  codeLength: number
  codeFormat: string
  /** The fields that never change, as text; null where only its mail is known. */
  fixed: string | null
}

export type AskKind =
  | ('start' | 'check' | 'resend' | 'cancel' | 'read' | 'list')
  | ('otp' | 'otp_again' | 'verify' | 'admin' | 'stranger')

/** One request and its answer. */
export type Ask = Question & {
  number: number
  life: Life
  /** Its order among all requests and answers, its real time, and the clock's range during it. */
  begunAt: number
  begunElapsed: number
  clockMin: number
  clockMax: number
  /** The highest time of the clock since it began, also after its answer. */
  clockPeak: number
  /** True if the disk failed, or the process was killed or stopped, during it. */
  isTroubled: boolean
  /** How long it has waited, in ms; a long step of time counts as a short one. */
  waitedMs: number
  answer: Answer | null
  /** When it was answered or its process was killed; null before. */
  overElapsed: number | null
}

export type Question = {
  kind: AskKind
  method: string
  path: string
  body?: unknown
  headers?: Record<string, string>
  from?: string
  app: AppModel | null
  key: KeyModel | null
  /** The verification in its path or body. */
  about?: Seen | null
  /** The Idempotency-Key. */
  repeatKey?: string | null
  /** The recipient of a start, as the mail is addressed. */
  to?: string | null
  /** The channels of a start with a route, each with its recipient. */
  route?: { channel: string; to: string }[]
  /** The seconds after which it falls back. */
  fallBackSeconds?: number | null
  /** The code of a check. */
  code?: string | null
  /** Updates the model after an answer to the admin. */
  onAnswer?: (answer: Answer) => void
}

export type Answer = {
  at: number
  elapsed: number
  status: number
  text: string
  /** The body, where it is JSON. */
  json: Json
  isReplayed: boolean
  requestId: string | null
  /** The ledger's `calmMs` at the time of the answer. */
  calmMs: number | null
  /** Retry-After, in seconds; null where there is none. */
  retryAfter: number | null
}

/** Parsed JSON of any form. */
export type Json = ReturnType<typeof JSON.parse>

/** Ends the simulation because a rule has failed. */
export function violation(rule: string, facts: object = {}): never {
  const error = new Error(`${rule}: ${JSON.stringify(facts)}`)
  error.name = 'Violation'
  throw error
}

/** True for a status from 400 to 499. */
export function isRefused({ answer }: Ask): boolean {
  return answer !== null && answer.status >= 400 && answer.status < 500
}

/** Normalizes an address as limits do, for the forms that the actors use. */
export function fold(address: string): string {
  // A telephone number is counted as it is.
  if (!address.includes('@')) return address
  const [name = '', domain = ''] = address.toLowerCase().split('@')
  return `${name.split('+')[0]}@${domain}`
}

/** Whom a start names. */
export function peopleOf({ to, route }: Question): string[] {
  return route ? route.map((stop) => stop.to) : to ? [to] : []
}

/**
 * Whom a start has charged, once that is known: those whose channels remain. With a test key only the
 * first one's message is kept.
 */
export function chargedOf(ask: Ask): string[] {
  const { route, answer, key } = ask
  const shown: { channel: string }[] | undefined = answer?.json?.route
  if (!route || !shown || answer?.status !== 201) return peopleOf(ask)
  if (key?.mode === 'test') return peopleOf(ask).slice(0, 1)
  const kept = route.filter(({ channel }) => shown.some((stop) => stop.channel === channel))
  return kept.map((stop) => stop.to)
}

/** The recipient of a channel of a verification, as its start names it. */
export function addressOf({ start }: Seen, channel: string): string | null {
  if (!start?.route) return start?.to ?? null
  const kept = start.key?.mode === 'test' ? start.route.slice(0, 1) : start.route
  const stop = start.key?.mode === 'test' ? kept[0] : kept.find((each) => each.channel === channel)
  return stop?.to ?? null
}

/** True if it may use several channels. */
export function isRouted({ start }: Seen): boolean {
  return start?.route !== undefined
}

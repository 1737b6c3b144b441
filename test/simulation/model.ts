import type { Mode } from '../../src/domain/verification/verification.ts'
import type { Life } from './virtual-time.ts'

/** An app as those outside know it. What was asked for and not answered yet counts as possible. */
export type AppModel = {
  id: string
  /** What the original API finds it by; null where there is none. */
  secretKey: string | null
  keys: KeyModel[]
  endpointIds: string[]
  /** Its deletion was asked for; and answered, at this order. */
  isLeaving: boolean
  goneAt: number | null
  goneElapsed: number
  /** A policy that pauses, or refuses when the guess budget is spent, may have been in force. */
  mayPause: boolean
  mayRefuse: boolean
  /** The least starts of one recipient in a day that any of its policies allowed. */
  recipientDayMin: number
  /** The same, for its starts in a minute. */
  minuteMin: number
}

export type KeyModel = {
  id: string
  text: string
  mode: Mode
  /** Its revocation was asked for; and answered, at this order. */
  isLeaving: boolean
  revokedAt: number | null
}

/** A verification as those outside know it. */
export type Seen = {
  id: string
  app: AppModel
  mode: Mode
  /** The start that made it, once it was answered. */
  start: Ask | null
  /** As it was answered first; null while only its mail is known. */
  begun: Begun | null
  /** What its mails say. */
  code: string | null
  /** The highest that the clock has shown since it is known. */
  clockMax: number
  /** Wrong codes that were judged, and approvals, without repeated answers. */
  wrong: number
  approvals: number
  /** The order of the first answer that says so. */
  approvedAt: number | null
  canceledAt: number | null
  /** Requests that may have approved it, canceled it, spent an attempt or a resend. */
  approvers: Set<Ask>
  cancelers: Set<Ask>
  spends: Set<Ask>
  resends: Set<Ask>
  /** Answers that say how many attempts are left. */
  left: { at: number; left: number }[]
  /** Copies that mail servers took. */
  copies: number
}

export type Begun = {
  createdAt: number
  expiresAt: number
  /** Null where only its mail is known. */
  attemptsMax: number | null
  codeLength: number
  codeFormat: string
  /** All that never changes, as one text; null where only its mail is known. */
  fixed: string | null
}

export type AskKind =
  | ('start' | 'check' | 'resend' | 'cancel' | 'read' | 'list')
  | ('otp' | 'otp_again' | 'verify' | 'admin' | 'stranger')

/** One request and its answer. */
export type Ask = Question & {
  number: number
  life: Life
  /** Order among all requests and answers, true time, and what the clock showed meanwhile. */
  begunAt: number
  begunElapsed: number
  clockMin: number
  clockMax: number
  /** The highest that the clock has shown since it began, also after its answer. */
  clockPeak: number
  /** A disk fault, a crash or a stop was under way at some moment of it. */
  isTroubled: boolean
  /** How long it has waited, where a long sleep of the machine counts as a short one. */
  waitedMs: number
  answer: Answer | null
  /** When it was answered or its process died; null while it runs. */
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
  /** The verification that it is about. */
  about?: Seen | null
  /** The Idempotency-Key. */
  repeatKey?: string | null
  /** The recipient that a start names, as it is mailed. */
  to?: string | null
  /** The code that a check tries. */
  code?: string | null
  /** What an answer of an admin's request changes in the model. */
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
  /** Retry-After, in seconds; null where there is none. */
  retryAfter: number | null
}

/** Whatever came back, to look into. */
export type Json = ReturnType<typeof JSON.parse>

/** Stops the simulation: a rule does not hold. */
export function violation(rule: string, facts: object = {}): never {
  const error = new Error(`${rule}: ${JSON.stringify(facts)}`)
  error.name = 'Violation'
  throw error
}

/** Answered with a refusal: nothing was started, spent or sent. */
export function isRefused({ answer }: Ask): boolean {
  return answer !== null && answer.status >= 400 && answer.status < 500
}

/** A mailbox as limits count it, whatever its spelling; only forms that the actors use. */
export function fold(address: string): string {
  const [name = '', domain = ''] = address.toLowerCase().split('@')
  return `${name.split('+')[0]}@${domain}`
}

import type { ChannelKind } from '../delivery/channel.ts'
import type { Event, EventType } from '../event.ts'
import type { CodeDigest } from '../keyring.ts'
import type { Chosen } from '../learning/chosen.ts'
import type { Page } from '../stores.ts'
import type { CodeFormat } from './code.ts'
import type { BudgetWindow, LimitName, LimitRow } from './limits.ts'
import type { Mode, Status, Verification, VerificationKey } from './verification.ts'

export type VerificationStore = {
  /**
   * In one transaction: replays a stored Idempotency-Key, else takes every limit, reserves the budget
   * and stores verification and delivery. A refusal by a limit changes nothing; a refusal by the
   * budget takes the limits and writes an event.
   */
  start(command: StartCommand): Promise<StartResult>
  /**
   * Spends one attempt and judges it in one statement, or spends none and answers `refused` with
   * the verification as it was then: unknown (null), not pending, expired, exhausted, forgotten, a
   * code of another length or format, or none of `digests` under the key that the row names. A
   * stored Idempotency-Key spends nothing. An approval also clears digest and address.
   */
  chargeAttempt(command: AttemptCommand): Promise<AttemptResult>
  /**
   * Counts a resend and queues its delivery, if one is due; null when none is. Through another
   * channel than the latest message's it ends the deliveries of other channels.
   */
  claimResend(command: ResendCommand): Promise<Moved | null>
  /** Pending verifications whose next channel is due, or whose time a wrong clock has written. */
  dueFallBacks(query: { now: number; limit: number }): Promise<Verification[]>
  /**
   * Moves a pending verification on to its next channel, and ends the deliveries of other channels.
   * Null when it is over or was moved meanwhile: then nothing changes, but that it falls back no more.
   */
  fallBack(command: FallBackCommand): Promise<Moved | null>
  /** Ends a pending, unexpired verification and its deliveries; null when there is none. */
  cancel(command: VerificationKey & { now: number; event: EventType }): Promise<Verification | null>
  get(key: VerificationKey): Promise<Verification | null>
  /** The verification of a shareable key, if `/otp` started it; the original API names no app. */
  findShareable(id: string): Promise<VerificationKey | null>
  /** Newest first, by id. */
  list(query: VerificationQuery): Promise<Page<Verification>>
  /**
   * The sealed address of the recipient with this number, and the variables if there are any; null once
   * cleared.
   */
  sealed(query: VerificationKey & { recipient: number }): Promise<Sealed | null>
  /**
   * Expires every pending verification of every app, with an event each, and clears digests and
   * addresses; how many.
   */
  expirePending(command: { now: number; event: EventType }): Promise<number>
}

/** What is sealed of a verification until it ends. */
export type Sealed = { recipient: Uint8Array; variables: Uint8Array | null }

export type CodeVariant = {
  format: CodeFormat
  length: number
  generation: number
  digest: Uint8Array
}

/** The fields that differ, or are always the same, at a start. */
type Begun =
  | ('status' | 'forgotten' | 'attemptsSpent' | 'resendsSpent' | 'delivery')
  | ('codeFormat' | 'codeLength' | 'generation')
  | ('channel' | 'to' | 'route' | 'fallBackAt' | 'checkAt' | 'checkedAt')

export type NewVerification = Omit<Verification, Begun>

/** A recipient of a start. */
export type NewRecipient = {
  index: Uint8Array
  masked: string
  sealed: Uint8Array
  /** The first row also names the recipient's latest verification. */
  limits: LimitRow[]
}

export type StartCommand = {
  verification: NewVerification
  /** In the order in which the route names them. */
  recipients: NewRecipient[]
  /** The channels, each with its recipient and where its messages begin. */
  route: NewStop[]
  /** The wait before the next channel follows by itself; null for none. */
  fallBackMs: number | null
  /** The wait before each check, in ms; null for none. */
  checkDelaysMs: number[] | null
  variablesSealed: Uint8Array | null
  /** Stored if the budget allows it; else the long one, or nothing where that is null. */
  short: CodeVariant
  /** `ask`: it is made only when it is needed. Then nothing is written: `long_needed`. */
  long: CodeVariant | null | 'ask'
  /** Of the app; those of recipients are theirs. */
  limits: LimitRow[]
  /** How long a recipient's row is kept after its latest verification. */
  recipientKeptMs: number
  budget: BudgetWindow[]
  /** The event to write when the budget is spent. */
  budgetEvent: { type: EventType; data: Event['data'] }
  /** Through the first channel that remains; the lease is for the first of all. */
  delivery: Omit<NewDelivery, 'channel' | 'endpointId' | 'chosen'>
  idempotency: KeptRequest | null
}

export type NewStop = Pick<NewDelivery, 'channel' | 'endpointId' | 'chosen'> & {
  recipient: number
}

/** An Idempotency-Key: the same fingerprint gets the same answer, another one is refused. */
export type KeptRequest = {
  key: Uint8Array
  fingerprint: Uint8Array
  /** Keys that were stored before this time are ignored. */
  since: number
}

export type NewDelivery = {
  id: string
  channel: ChannelKind
  endpointId: string | null
  /** Why this endpoint; absent where the app's route does not learn. */
  chosen?: Chosen | null
  createdAt: number
  /** Leased to this node until then; null where no lane has room, so that any node may claim it. */
  lease: { node: string; until: number } | null
}

export type StartResult =
  | { outcome: 'started'; verification: Verification }
  | { outcome: 'limited'; limit: LimitName; retryAt: number }
  | { outcome: 'budget_exhausted' }
  | { outcome: 'long_needed' }
  /** `verification` as it was right after its start. */
  | { outcome: 'replayed'; verification: Verification }
  | { outcome: 'key_reused' }

export type AttemptCommand = VerificationKey & {
  format: CodeFormat
  length: number
  /** The code's digest under every live key. */
  digests: CodeDigest[]
  now: number
  events: { approved: EventType; exhausted: EventType }
  idempotency: KeptRequest | null
  /** As `recallByKey` gave it: where the app has changed since, nothing is done. Null for any app. */
  asOf: number | null
}

export type AttemptResult =
  | { outcome: 'judged'; verification: Verification }
  /** `verification` as it was right after the attempt, which was at `at`. */
  | { outcome: 'replayed'; verification: Verification; at: number }
  | { outcome: 'key_reused' }
  | { outcome: 'refused'; verification: Verification | null }
  | { outcome: 'app_changed' }

export type ResendCommand = VerificationKey & {
  now: number
  /** The wait between two; a `resend_at` beyond it was written by a wrong clock. */
  resendAfterMs: number
} & Move

/** A new delivery, through the latest or another channel of the route. */
export type Move = {
  delivery: NewDelivery
  /** Another channel follows it, so that the time of the next fall-back is set. */
  hasNext: boolean
  /** How the deliveries end that it stops. */
  stopped: { detail: string; event: EventType }
}

/** `stopped`: the deliveries that were ended. */
export type Moved = { verification: Verification; stopped: string[] }

export type FallBackCommand = VerificationKey & {
  now: number
  /** As it was read: another one was written by somebody who has moved it since. */
  fallBackAt: number
  /** Null where no channel is left. */
  move: Move | null
}

export type VerificationQuery = {
  appId: string
  mode: Mode
  /** Only one recipient's; `key` names their limit row, `index` the exact address. */
  recipient?: { index: Uint8Array; key: Uint8Array }
  status?: Status
  now: number
  limit: number
  /** The last id of the previous page. */
  cursor: string | null
}

import type { App, AppKey, EmailChannel, Policy } from './app.ts'
import type { CodeFormat } from './code.ts'
import type { Delivery, DeliveryStatus } from './delivery.ts'
import type { AuditEntry, AuditRecord, Event, EventType } from './event.ts'
import type { WrappedKey } from './keyring.ts'
import type { BudgetWindow, Limit } from './limit.ts'
import type { Status, Verification } from './verification.ts'

/**
 * Every method of a store is atomic and durable: when the promise resolves, the change is on disk;
 * when it rejects, nothing has changed. Any method throws `Problem('store_unavailable')` when the
 * database cannot write (full, read-only, locked too long).
 */
export type VerificationStore = {
  /**
   * Takes every limit, reserves the budget and stores verification and delivery. A limit that
   * refuses leaves everything as it was; a budget that does leaves the limits taken and an event.
   */
  start(command: StartCommand): Promise<StartResult>
  /**
   * Spends one attempt and judges it in one statement; null when there is nothing to spend it on:
   * unknown, not pending, expired, exhausted, or a code of another length or format. A failure is
   * counted against the recipient in the same transaction.
   */
  chargeAttempt(attempt: AttemptCommand): Promise<Verification | null>
  /** Counts a resend and queues its delivery, if one is due; null when none is. */
  claimResend(command: ResendCommand): Promise<{ verification: Verification } | null>
  /** Ends a pending, unexpired verification; null when there is none. */
  cancel(command: { appId: string; id: string; now: number }): Promise<Verification | null>
  get(appId: string, id: string): Promise<Verification | null>
  /** The app that a shareable key belongs to, for the original API, which names no app. */
  findApp(id: string): Promise<App | null>
  /** Newest first. */
  list(query: VerificationQuery): Promise<Page<Verification>>
  /** The sealed address; null once forgotten. */
  sealedRecipient(appId: string, id: string): Promise<Uint8Array | null>
  /** Keeps the answer of a start that carried an Idempotency-Key, to be replayed for 24 hours. */
  keepAnswer(command: { appId: string; key: Uint8Array; answer: string }): Promise<void>
}

export type CodeVariant = {
  format: CodeFormat
  length: number
  generation: number
  digest: Uint8Array
}

/** What a start decides, or what every verification begins with. */
type Begun =
  | ('status' | 'attemptsSpent' | 'resendsSpent' | 'delivery')
  | ('codeFormat' | 'codeLength' | 'generation')

export type StartCommand = {
  verification: Omit<Verification, Begun>
  recipientIndex: Uint8Array
  recipientSealed: Uint8Array
  /** Stored if the budget holds; else the long one, or nothing where that is null. */
  short: CodeVariant
  long: (() => CodeVariant) | null
  limits: Limit[]
  /** `key` is the folded recipient's index within the app. */
  budget: { key: Uint8Array; windows: BudgetWindow[] }
  delivery: NewDelivery
  idempotency: { key: Uint8Array; fingerprint: Uint8Array } | null
}

export type NewDelivery = {
  id: string
  /** Until then the process that queued it hands it over; later any process may. */
  leaseUntil: number
}

export type StartResult =
  | { outcome: 'started'; verification: Verification }
  | { outcome: 'limited'; limit: string; retryAt: number }
  | { outcome: 'budget_exhausted' }
  | { outcome: 'replayed'; verificationId: string; answer: string | null; keptAt: number }
  | { outcome: 'key_reused' }

export type AttemptCommand = {
  appId: string
  id: string
  format: CodeFormat
  length: number
  /** The code's digest under every live key. */
  digests: Uint8Array[]
  now: number
}

export type ResendCommand = {
  appId: string
  id: string
  now: number
  nextResendAt: number
  delivery: NewDelivery
}

export type VerificationQuery = {
  appId: string
  /** One recipient's; `budgetKey` finds the folded neighbours, `index` picks among them. */
  recipient?: { index: Uint8Array; budgetKey: Uint8Array }
  status?: Status
  now: number
  limit: number
  cursor: string | null
}

export type Page<T> = { items: T[]; nextCursor: string | null }

/** The outbox's rows. */
export type DeliveryStore = {
  /** Leases deliveries that are due to this process, oldest first. */
  claimDue(command: { now: number; leaseUntil: number; limit: number }): Promise<Delivery[]>
  /** Gives up every lease; for a process that starts alone on its data directory. */
  releaseAll(): Promise<void>
  /** Writes what became of a try; `retryAt` null ends it. */
  settle(command: SettleCommand): Promise<void>
  /** Ends what can no longer be delivered because its code expired; answers how many. */
  expire(command: { now: number; limit: number }): Promise<number>
  get(appId: string, id: string): Promise<Delivery | null>
}

export type SettleCommand = {
  appId: string
  id: string
  verificationId: string
  status: DeliveryStatus
  detail: string | null
  retryAt: number | null
  now: number
}

export type AppStore = {
  create(command: NewApp, audit: AuditEntry): Promise<'created' | 'secret_key_taken'>
  get(id: string): Promise<App | null>
  /** By SHA-256 of a generated key; revoked keys are unknown. */
  findByKey(hash: Uint8Array): Promise<{ app: App; key: AppKey } | null>
  findBySecretKey(index: Uint8Array): Promise<App | null>
  list(query: { limit: number; cursor: string | null }): Promise<Page<App>>
  update(id: string, change: AppChange, audit: AuditEntry): Promise<App | null>
  /** Deletes the app, its keys, verifications, events and counts; nothing of it answers again. */
  remove(id: string, audit: AuditEntry): Promise<boolean>
  keys(appId: string): Promise<AppKey[]>
  /** At most two active keys of a mode. */
  addKey(key: AppKey, hash: Uint8Array, audit: AuditEntry): Promise<'added' | 'too_many'>
  revokeKey(appId: string, keyId: string, audit: AuditEntry): Promise<boolean>
  /** Data keys wrapped under other keys than `keyId`, for rotation. */
  wrappedOtherwise(keyId: string, limit: number): Promise<{ appId: string; key: WrappedKey }[]>
  rewrap(items: { appId: string; from: WrappedKey; to: WrappedKey }[]): Promise<void>
}

export type NewApp = {
  app: App
  keys: { key: AppKey; hash: Uint8Array }[]
  secretKeyIndex: Uint8Array | null
}

export type AppChange = {
  name?: string
  policy?: Policy
  email?: EmailChannel | null
  updatedAt: number
}

export type LimitStore = {
  /** Takes one from the limit; the time when one is free again if there is none. */
  take(limit: Limit, now: number): Promise<{ taken: true } | { taken: false; retryAt: number }>
}

/** Statistics, events, audit, and small facts about the installation. */
export type RecordStore = {
  stats(query: StatsQuery): Promise<StatsRow[]>
  events(query: EventQuery): Promise<Page<Event>>
  audit(query: { limit: number; cursor: string | null }): Promise<Page<AuditRecord>>
  /** Oldest first, in batches, for verifying the chain. */
  auditAfter(id: number, limit: number): Promise<AuditRecord[]>
  addAudit(entry: AuditEntry): Promise<void>
  /** Raises or clears spray alarms from the last ten minutes' counts; answers what changed. */
  watchSpray(command: { now: number }): Promise<{ appId: string; alarmed: boolean }[]>
  /** Deletes one small batch of what is past its keeping time; answers how many rows went. */
  sweep(command: SweepCommand): Promise<number>
  readFact(name: string): Promise<Uint8Array | null>
  /** Writes all facts at once, if those of `expected` still hold; false when they do not. */
  writeFacts(facts: Facts, expected?: Facts): Promise<boolean>
  /** Throws `store_unavailable` unless a write reaches the disk. */
  ready(): Promise<void>
}

/** Null deletes. */
export type Facts = Record<string, Uint8Array | null>

export type SweepCommand = {
  now: number
  verificationsBefore: number
  limitsBefore: number
  eventsBefore: number
  auditBefore: number
  limit: number
}

export const counterNames = [
  'starts',
  'checks',
  'failures',
  'approvals',
  'cancels',
  'resends',
  'sent',
  'deferred',
  'refused',
  'undeliverable',
] as const
export type CounterName = (typeof counterNames)[number]

export type StatsQuery = { appId: string | null; from: number; to: number; bucketMs: number }
export type StatsRow = { at: number } & Record<CounterName, number>

export type EventQuery = {
  appId: string | null
  type: EventType | null
  limit: number
  cursor: string | null
}

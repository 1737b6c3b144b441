import type { AccountStore } from './account/store.ts'
import type { Alarm, AlarmPlace } from './alarm.ts'
import type { App, AppKey } from './app/app.ts'
import type { DkimKey } from './app/dkim.ts'
import type { Endpoint } from './app/endpoint.ts'
import type { Policy } from './app/policy.ts'
import type { AuditAppend, AuditRecord, AuditState, HeadMoved } from './audit.ts'
import type { BrandChange } from './brand/brand.ts'
import type { EndpointChannel } from './delivery/channel.ts'
import type { DeliveryStore, SpendingStore, SuppressionStore } from './delivery/stores.ts'
import type { Event, EventType } from './event.ts'
import type { FigureStore } from './figures/store.ts'
import type { WrappedKey } from './keyring.ts'
import type { LearningStore } from './learning/store.ts'
import type { PageStore } from './page/store.ts'
import type { BindingStore } from './telegram/store.ts'
import type { TemplateChange, TemplateStore } from './template/store.ts'
import type { LimitName, LimitRow } from './verification/limits.ts'
import type { VerificationStore } from './verification/stores.ts'
import type { WebhookStore } from './webhook/stores.ts'
import type { Webhook } from './webhook/webhook.ts'

/**
 * Every method of a store is atomic and durable: when the promise resolves, the change is on disk.
 * It rejects with `Problem('store_unavailable')` when the change could not be made (disk full,
 * read-only, locked too long) or when that is unknown (a connection lost in a commit): then a check
 * may have spent its attempt and a start may have been stored. Rules and numbers come with the
 * command; a store has none of its own.
 */
export type Stores = {
  verifications: VerificationStore
  deliveries: DeliveryStore
  suppressions: SuppressionStore
  spending: SpendingStore
  bindings: BindingStore
  pages: PageStore
  webhooks: WebhookStore
  apps: AppStore
  accounts: AccountStore
  templates: TemplateStore
  limits: LimitStore
  events: EventStore
  alarms: AlarmStore
  audit: AuditStore
  stats: StatsStore
  inbox: InboxStore
  learning: LearningStore
  figures: FigureStore
  nodes: NodeStore
  meta: MetaStore
  maintenance: MaintenanceStore
}

export type Page<T> = { items: T[]; nextCursor: string | null }

export type AppStore = {
  create(command: NewApp, audit: AuditAppend): Promise<'created' | 'secret_key_taken' | HeadMoved>
  get(id: string): Promise<App | null>
  /** By SHA-256 of a generated key; revoked keys are unknown. */
  findByKey(hash: Uint8Array): Promise<{ app: App; key: AppKey } | null>
  /**
   * Like `findByKey`, from memory. What is then done names `asOf`, and is not done where the app has
   * changed since; null where the answer is never out of date.
   */
  recallByKey(hash: Uint8Array): Promise<{ app: App; key: AppKey; asOf: number | null } | null>
  findBySecretKey(index: Uint8Array): Promise<App | null>
  /** With `name` only those whose name has it, a to z in either case. */
  list(query: { limit: number; cursor: string | null; name?: string | null }): Promise<Page<App>>
  /** The app that has this endpoint. */
  findByEndpoint(endpointId: string): Promise<App | null>
  /** Apps with endpoints of a channel. */
  withEndpoints(channel: EndpointChannel, limit: number): Promise<App[]>
  /** The number of openly registered apps: in all, and from one address. */
  countOpen(from: Uint8Array): Promise<{ all: number; fromAddress: number }>
  /** Null for an unknown app; `changed` when its version is not the expected one. */
  update(id: string, change: AppChange, audit: AuditAppend): Promise<UpdateResult>
  /** Deletes the app and everything of it. */
  remove(id: string, audit: AuditAppend): Promise<boolean | HeadMoved>
  keys(appId: string): Promise<AppKey[]>
  addKey(command: NewKey, audit: AuditAppend): Promise<'added' | 'too_many' | HeadMoved>
  revokeKey(
    command: { appId: string; keyId: string; now: number },
    audit: AuditAppend,
  ): Promise<boolean | HeadMoved>
  /** Apps whose data keys are wrapped under other keys than `keyId`, for a rotation. */
  wrappedOtherwise(keyId: string, limit: number): Promise<App[]>
  /**
   * Writes new data keys of apps and the secrets that are sealed with them; increments versions. An
   * app that has changed since `expectedVersion` stays as it is.
   */
  renewKeys(renewals: KeyRenewal[]): Promise<void>
  /**
   * Replaces the secret of an endpoint by one that was made from it, and makes the app's next version.
   * False where the endpoint has another secret by now, or is gone.
   */
  renewSecret(renewal: SecretRenewal): Promise<boolean>
  /** Switches an endpoint off that its server wants no more; false when it is off, or not there. */
  switchOff(place: { appId: string; endpointId: string; now: number }): Promise<boolean>
}

/** A new data key, with its predecessors, and every secret of the app sealed with it. */
export type KeyRenewal = {
  appId: string
  expectedVersion: number
  dataKey: WrappedKey
  secrets: { endpointId: string; sealed: Uint8Array }[]
  dkim: { id: string; sealed: Uint8Array }[]
  webhooks: { id: string; sealed: Uint8Array; formerSealed: Uint8Array | null }[]
}

export type SecretRenewal = { appId: string; endpointId: string; from: Uint8Array; to: Uint8Array }

export type NewKey = {
  key: AppKey
  hash: Uint8Array
  /** Active keys of a mode that an app may have. */
  activeMax: number
}

export type NewApp = {
  app: App
  keys: Omit<NewKey, 'activeMax'>[]
  secretKeyIndex: Uint8Array | null
  /** The keyed hash of the address that registered it openly; null for an admin. */
  registeredFrom: Uint8Array | null
}

/**
 * Absent fields stay. `endpoints`, `dkim` and `webhooks` are all of the app's; a webhook that stays
 * keeps its messages, and one that is switched on has those due that wait.
 */
export type AppChange = {
  expectedVersion: number
  name?: string
  policy?: Policy
  endpoints?: Endpoint[]
  dkim?: DkimKey[]
  webhooks?: Webhook[]
  /** Alarms that end with it. */
  clears?: AlarmChange[]
  brand?: BrandChange
  template?: TemplateChange
  updatedAt: number
}

export type UpdateResult = App | 'changed' | HeadMoved | null

export type LimitStore = {
  /** Takes one from every rate of a row, or from none. */
  take(row: LimitRow, now: number): Promise<LimitResult>
  /** Remembers a key until a time; for addresses that showed a valid credential. */
  remember(key: Uint8Array, until: number): Promise<void>
  /** `withinMs` is the longest that a key is remembered; a later time was written by a wrong clock. */
  remembers(query: { key: Uint8Array; now: number; withinMs: number }): Promise<boolean>
}

export type LimitResult = { taken: true } | { taken: false; name: LimitName; retryAt: number }

export type EventStore = {
  list(query: EventQuery): Promise<Page<Event>>
  /** The first hundred `storyEvents` of a verification, oldest first. */
  ofVerification(key: { appId: string; verificationId: string }): Promise<Event[]>
  add(event: Omit<Event, 'id'>): Promise<void>
}

export type EventQuery = {
  appId: string | null
  type: EventType | null
  limit: number
  cursor: string | null
}

export type AlarmStore = {
  /** True when it was off; then the event is written too. */
  raise(command: AlarmChange): Promise<boolean>
  /** True when it was on. */
  clear(command: AlarmChange): Promise<boolean>
  /** Newest first. */
  list(query: AlarmQuery): Promise<Page<Alarm>>
}

export type AlarmChange = AlarmPlace & { now: number; event: EventType; data: Event['data'] }
export type AlarmQuery = {
  appId: string | null
  open: boolean
  limit: number
  cursor: string | null
}

export type AuditStore = {
  list(query: { limit: number; cursor: string | null }): Promise<Page<AuditRecord>>
  /** Oldest first, in batches, for verifying the chain. */
  after(id: number, limit: number): Promise<AuditRecord[]>
  state(): Promise<AuditState | null>
  append(append: AuditAppend): Promise<'appended' | HeadMoved>
  /**
   * Runs audited writes of this process one after another, because each moves the head under all
   * others. Rejects with `store_unavailable` where too many wait, or one for more than 10 s.
   */
  inTurn<Result>(write: () => Promise<Result>): Promise<Result>
  /** Deletes the records up to `state.cutId`; how many. */
  cut(command: { expected: number; state: AuditState }): Promise<number | HeadMoved>
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
  'bounced',
  'delivered',
  'failed',
] as const
export type CounterName = (typeof counterNames)[number]

export type StatsStore = {
  read(query: StatsQuery): Promise<StatsRow[]>
  /** Every app with failures since then or with its spray alarm on. */
  failures(query: { since: number }): Promise<AppFailures[]>
}

export type StatsQuery = { appId: string | null; from: number; to: number; bucketMs: number }
export type StatsRow = { at: number } & Record<CounterName, number>
export type AppFailures = { appId: string; checks: number; failures: number; alarmed: boolean }

/** The messages of test keys, without the code, which is derived again when they are read. */
export type InboxStore = {
  /** Keeps the newest `keep` of all apps. */
  add(command: { row: InboxRow; keep: number }): Promise<void>
  /** Newest first. */
  list(query: { appId: string | null; limit: number }): Promise<InboxRow[]>
  /** Deletes the messages of one app or of all; how many. */
  clear(command: { appId: string | null }, audit: AuditAppend): Promise<number | HeadMoved>
}

export type InboxRow = {
  deliveryId: string
  appId: string
  verificationId: string
  recipientSealed: Uint8Array
  variablesSealed: Uint8Array | null
  at: number
}

/** The processes that serve this database. */
export type NodeStore = {
  beat(node: Node): Promise<void>
  leave(id: string): Promise<void>
  /** Deletes those that were last seen before that time. */
  forget(seenBefore: number): Promise<void>
  list(): Promise<Node[]>
}

/**
 * `keysetVersion` is the version of the keyset that the node uses, `nextKeyId` the id of the master key
 * that it holds for the next rotation. `settings` are those that must be the same on every node, by name;
 * absent where there is one node only.
 */
export type Node = {
  id: string
  seenAt: number
  keysetVersion: number
  nextKeyId: string | null
  settings?: Record<string, string>
}

/** Small values of the installation, by name. Null deletes. */
export type MetaStore = {
  read(name: string): Promise<Uint8Array | null>
  /** Writes all values if those of `expected` are unchanged; false when they are not. */
  write(facts: Facts, options?: { expected?: Facts; audit?: AuditAppend }): Promise<boolean>
}
export type Facts = Record<string, Uint8Array | null>

export type MaintenanceStore = {
  /**
   * Deletes one small batch of rows whose keeping time is over. A store may keep verifications and
   * deliveries until all of their day (UTC) is over, and then delete the day as a whole.
   */
  sweep(command: SweepCommand): Promise<{ rows: number; limitsAfter: Uint8Array }>
  /** True for the one node that may run this job until `until`. */
  takeTurn(command: { job: string; node: string; now: number; until: number }): Promise<boolean>
  /** Throws `store_unavailable` unless a write reaches the disk. */
  ready(): Promise<void>
  /** One sentence for each fault of the database; empty without faults. */
  faults(): Promise<string[]>
}

export type SweepCommand = {
  now: number
  /** Written for each verification whose code is forgotten while it is pending. */
  expiredEvent: EventType
  verificationsBefore: number
  eventsBefore: number
  /** For messages of webhooks, those that wait too. */
  messagesBefore: number
  /** For failures of swept verifications and for answers to Idempotency-Keys. */
  failuresBefore: number
  idempotencyBefore: number
  /** For suppressions that ended before it. */
  suppressionsBefore: number
  /** For bindings that ended before it, and for bots that had no update since then. */
  bindingsBefore: number
  /** For reports of codes that nobody asked for. */
  reportsBefore: number
  /** For hosted pages that were to be kept until before it. */
  pagesBefore: number
  /** The first day of what was learned that is kept, and of recipients that were counted. */
  learnedDaysBefore: number
  learnedRecipientsBefore: number
  /** For figures of the overview, by their span. */
  figuresBefore: { spanMs: number; before: number }[]
  /** For tries and refusals of endpoints. */
  refusalsBefore: number
  /** For costs and for counts by country. */
  spendingBefore: number
  /** For accounts that were removed before it. */
  accountsBefore: number
  /** For tries to sign in. */
  triesBefore: number
  /** The key of the limit row to continue after; empty to begin again. */
  limitsAfter: Uint8Array
  limit: number
}

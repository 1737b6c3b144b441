import type { DkimPair } from './app/dkim.ts'
import type { Delivery, DeliveryOutcome, DeliveryStatus, Handover } from './delivery/delivery.ts'
import type { Lane } from './delivery/handover.ts'
import type { Lease } from './delivery/lease.ts'
import type { HttpOut } from './http-out.ts'
import type { Keyring } from './keyring.ts'
import type { Scores } from './learning/scores.ts'
import type { DomainSettings } from './settings.ts'
import type { Stores } from './stores.ts'
import type { Bots } from './telegram/bot.ts'
import type { ParseTemplate } from './template/token.ts'
import type { PhoneNumber } from './verification/phone.ts'

/** Everything the domain needs from the world. A use case takes `Pick<Ports, ...>`. */
export type Ports = Stores & {
  clock: Clock
  timers: Timers
  random: Random
  keyring: Keyring
  pem: Pem
  phones: Phones
  outbox: Outbox
  learned: Learned
  egress: Egress
  dns: Dns
  httpOut: HttpOut
  /** False for a URL that leads nowhere, whatever the DNS says: it is not even asked. */
  mayReach: (url: string) => boolean
  dkimPairs: DkimPairs
  templating: Templating
  passwords: Passwords
  bots: Bots
  settings: DomainSettings
  /** The name of this process among those that serve the database. */
  node: string
}

/** Epoch milliseconds, read once per operation. */
export type Clock = { now(): number }

/**
 * How much later than `now` a time may be that another operation has written: each reads the clock
 * first and waits for the store then, and the clocks of nodes differ a little. What is later still was
 * written by a wrong clock.
 */
export const lateMs = 10_000

/** Waiting, and time that never jumps. */
export type Timers = {
  /** Resolves after `ms`. */
  sleep(ms: number): Promise<void>
  /** Calls back after `ms`, unless the returned function was called before. */
  after(ms: number, callback: () => void): () => void
  /** Calls back once the running turn of the event loop is over. */
  soon(callback: () => void): void
  /** Milliseconds since some moment, never backwards. */
  monotonic(): number
}

/** Cryptographically secure bytes. */
export type Random = { bytes(count: number): Uint8Array }

/** Reads certificates and keys in PEM. */
export type Pem = {
  /** True for one certificate or several, and nothing else. */
  areCertificates(text: string): boolean
  /** The length of an RSA private key in bits; 0 for anything else. */
  rsaKeyBits(text: string): number
}

/** Knows the numbering plans of the world. */
export type Phones = {
  /** The number that the text is, with its country code; null for anything else. */
  read(text: string): PhoneNumber | null
}

/** What apps with a learned route have learned, in memory. */
export type Learned = {
  /** Null before anything was counted. */
  of(appId: string): Scores | null
}

/** The sender, as the use cases see it. */
export type Outbox = {
  /** How long a new message in this lane would wait now, in ms; Infinity when nothing leaves. */
  expectedWaitMs(lane: Lane): number
  /**
   * A place in this node's queue of the lane, to be used by `offer` or given back by `release`.
   * False when there is none: the delivery is then queued without a lease.
   */
  reserve(lane: Lane): boolean
  release(lane: Lane): void
  /** Hands over now what was just queued and leased. Never throws, never waits. */
  offer(delivery: Delivery, handover: Handover): void
  /** Looks for what is due in this lane, because it was queued without a lease. */
  wake(lane: Lane): void
  /**
   * Drops the waiting messages of this verification, and stops those that are being handed over.
   * With `deliveryIds` only these, because the verification has moved on to another message.
   */
  withdraw(verificationId: string, deliveryIds?: string[]): void
  /**
   * The state of the verification's message once a try has ended and no other endpoint is tried
   * at once; null when the wait ends first. With `isEnough` the first state of which it is true.
   */
  settled(
    verificationId: string,
    waitMs: number,
    isEnough?: (state: DeliveryState) => boolean,
  ): Promise<DeliveryState | null>
}

export type DeliveryState = {
  status: DeliveryStatus
  detail: string | null
  /** The server accepted the message, or may have. */
  maybeTaken: boolean
  /** When it is tried again; null when it is not. */
  nextAt: number | null
}

/** Delivers messages of one kind. A failed delivery is an outcome, never an exception. */
export type Channel = {
  /** With a lease it asks that right before the message is sent, whether it still may. */
  deliver(handover: Handover, signal: AbortSignal, lease?: Lease): Promise<DeliveryOutcome>
  /**
   * Delivers once fewer than `width` messages are on their way to the endpoint; until then the
   * message waits in the channel, so that no connection waits for the sender. Null when it was not
   * begun. Absent where nothing is gained.
   */
  queue?(handover: Handover, turn: Turn): Promise<Queued | null>
  /** Drops connections at once. */
  close(): void
}

export type Turn = { width: number; signal: AbortSignal; lease?: Lease }
export type Queued = {
  outcome: DeliveryOutcome
  /** The duration of the hand-over without the wait before it, in ms. */
  tookMs: number
  /** Hand-overs to the same endpoint that were running at its end. */
  others: number
}

/** Keeps people’s passwords. Both take so much time and memory that few are worked on at once. */
export type Passwords = {
  /** Argon2id, as a PHC string. Rejects with `rate_limited` where too many wait. */
  hash(password: string): Promise<string>
  /** A hash that is null takes as long, and is false. Rejects like `hash`. */
  matches(password: string, hash: string | null): Promise<boolean>
  /** True for one of the passwords that many people use. */
  isCommon(password: string): boolean
}

/** What the check of a template needs to know of the renderer. */
export type Templating = {
  parse: ParseTemplate
  /** Whether messages in this language have built-in sentences. */
  hasWords(locale: string): boolean
}

/** Tells whether a mail server of an openly registered app may be contacted. */
export type Egress = {
  /** `public`: every A and AAAA record is; `unknown`: the name has none. */
  reach(host: string): Promise<'public' | 'not_public' | 'unknown'>
}

/** Reads the public DNS. Empty when a name has no such record, null without an answer. */
export type Dns = {
  /** Each record with its strings joined. */
  txt(name: string): Promise<string[] | null>
  /** The hosts, the preferred one first. */
  mx(name: string): Promise<string[] | null>
  /** IPv4 and IPv6. */
  addresses(name: string): Promise<string[] | null>
}

/** What the DNS says about mail from a domain, and what to do about it. */
export type DnsFinding = {
  domain: string
  check: 'mx' | 'spf' | 'dkim' | 'dmarc'
  status: 'ok' | 'warning' | 'failed'
  detail: string
  /** What to do; null where nothing is to be done. */
  next: string | null
  /** A record to put into the DNS. */
  record: { name: string; type: string; value: string } | null
}

export type DkimPairs = {
  /** Makes an RSA key of 2048 bits. */
  make(): Promise<DkimPair>
  /** Reads PEM; null for anything but an RSA key of 2048 to 4096 bits without a passphrase. */
  read(pem: string): DkimPair | null
}

/**
 * Writes JSON lines. The fields are an allow-list: nothing else can be logged, so no code,
 * address, password or key can. `detail` is one line of our own words or a server's reply code.
 */
export type Log = Record<
  'debug' | 'info' | 'warn' | 'error',
  (event: string, fields?: LogFields) => void
>

export type LogFields = {
  requestId?: string
  appId?: string
  keyId?: string
  endpointId?: string
  webhookId?: string
  verificationId?: string
  deliveryId?: string
  method?: string
  /** The route's pattern, never the requested path. */
  route?: string
  status?: number
  /** The code of a refusal. */
  problem?: string
  /** The client's address: IPv4 whole, IPv6 by its /64. */
  client?: string
  outcome?: string
  cause?: string
  alarm?: string
  durationMs?: number
  count?: number
  url?: string
  path?: string
  version?: string
  detail?: string
}

/** Counters, gauges and histograms with closed label sets; no addresses, no ids. */
export type Metrics = {
  count(name: CounterMetric, label: string, by?: number): void
  set(name: GaugeMetric, label: string, value: number): void
  observe(name: HistogramMetric, label: string, seconds: number): void
  /** Prometheus text exposition format 0.0.4. */
  render(): string
}

export type CounterMetric =
  | 'otpmint_http_requests_total'
  | 'otpmint_verifications_started_total'
  | 'otpmint_checks_total'
  | 'otpmint_deliveries_total'
  | 'otpmint_bounces_total'
  | 'otpmint_webhook_tries_total'
  | 'otpmint_limited_total'
  | 'otpmint_swept_rows_total'
  | 'otpmint_log_lost_total'

export type GaugeMetric = 'otpmint_alarms' | 'otpmint_outbox' | 'otpmint_webhook_messages'

export type HistogramMetric = 'otpmint_http_request_seconds' | 'otpmint_delivery_seconds'

import type { Delivery, DeliveryOutcome, DeliveryStatus, Handover } from './delivery.ts'
import type { Keyring } from './keyring.ts'
import type {
  AppStore,
  DeliveryStore,
  LimitStore,
  RecordStore,
  VerificationStore,
} from './stores.ts'

/** Everything the domain needs from the world. A use case takes `Pick<Ports, ...>`. */
export type Ports = {
  clock: Clock
  random: Random
  keyring: Keyring
  verifications: VerificationStore
  deliveries: DeliveryStore
  apps: AppStore
  limits: LimitStore
  records: RecordStore
  outbox: Outbox
  egress: Egress
  settings: DomainSettings
}

/** Epoch milliseconds, read once per operation. */
export type Clock = { now(): number }

/** Cryptographically secure bytes. */
export type Random = { bytes(count: number): Uint8Array }

/** The server's defaults, which an app's policy may make stricter. */
export type DomainSettings = {
  codeLength: number
  ttlSeconds: number
  attemptsMax: number
  resendAfterSeconds: number
  resendsMax: number
  recipientStartSpacingSeconds: number
  recipientStartsPerQuarterHour: number
  recipientStartsPerDay: number
  recipientStartsPerDayAcrossApps: number
  appStartsPerMinute: number
  ipFailuresPerMinute: number
  guessBudgetPerDay: number
  guessBudgetPerMonth: number
}

/** The sender, as the use cases see it. */
export type Outbox = {
  /** Hands over now what was just queued and leased. Never throws, never waits. */
  offer(delivery: Delivery, handover: Handover): void
  /** The delivery's next settled state, or null when the wait ends first. */
  settled(deliveryId: string, waitMs: number): Promise<DeliveryState | null>
}

export type DeliveryState = { status: DeliveryStatus; detail: string | null }

/** A way for messages to leave. A delivery that fails is an outcome, never a throw. */
export type Channel = {
  deliver(handover: Handover, signal: AbortSignal): Promise<DeliveryOutcome>
  /** Waits for nothing; drops connections. */
  close(): void
}

/** Where mail may go. */
export type Egress = {
  /** `public`: every A and AAAA record is; `unknown`: the name has none. */
  reach(host: string): Promise<'public' | 'not_public' | 'unknown'>
}

/**
 * JSON lines. The fields are an allow-list: what is not named here cannot be logged, so no code,
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
  verificationId?: string
  deliveryId?: string
  method?: string
  /** The route's pattern, never the path that was asked for. */
  route?: string
  status?: number
  outcome?: string
  durationMs?: number
  count?: number
  url?: string
  path?: string
  version?: string
  detail?: string
}

/** Counters and histograms with closed label sets; no addresses, no ids. */
export type Metrics = {
  count(name: MetricName, label: string, by?: number): void
  observe(name: HistogramName, label: string, seconds: number): void
  /** Prometheus text exposition format 0.0.4. */
  render(): string
}

export type MetricName =
  | 'otpmint_http_requests_total'
  | 'otpmint_verifications_started_total'
  | 'otpmint_checks_total'
  | 'otpmint_deliveries_total'
  | 'otpmint_limited_total'
  | 'otpmint_swept_rows_total'

export type HistogramName = 'otpmint_http_request_seconds' | 'otpmint_delivery_seconds'

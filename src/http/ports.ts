import type { SessionTimes } from '../domain/account/session.ts'
import type { App } from '../domain/app/app.ts'
import type { EmailEndpoint, Endpoint } from '../domain/app/endpoint.ts'
import type { Actor } from '../domain/audit.ts'
import type { BounceReport } from '../domain/delivery/bounce.ts'
import type { Callback, CallbackResult } from '../domain/delivery/callback.ts'
import type { Handover } from '../domain/delivery/delivery.ts'
import type { DnsFinding, Log, Metrics, Ports } from '../domain/ports.ts'
import type { Backups, Finding, ServerFacts } from '../domain/server.ts'
import type { Recipient } from '../domain/verification/recipient.ts'
import type { Status } from '../domain/verification/verification.ts'
import type { Answer } from '../domain/webhook/schedule.ts'
import type { Webhook } from '../domain/webhook/webhook.ts'
import type { LiveStreams } from './live/live.ts'

/** Everything that the HTTP server needs; runtime.ts assembles it. */
export type HttpPorts = DomainPorts & {
  log: Log
  metrics: Metrics
  /** What happens now, for those that follow it. */
  live: LiveStreams
  /** The messages of test keys, newest first. */
  inbox: {
    list(): Promise<InboxMessage[]>
    /** A message as RFC 5322; null where it is unknown or no mail. */
    source(deliveryId: string): Promise<string | null>
    /** Deletes the messages of one app or of all; how many. Throws `app_not_found`. */
    clear(actor: Actor, which: { appId: string | null }): Promise<number>
  }
  installation: Installation
  /** SHA-256 of the admin token. */
  adminTokenHash: Uint8Array
  http: HttpSettings
  dashboard: DashboardSettings
  /** True when the database takes writes, and keys and clock are right. */
  ready(): Promise<boolean>
  /**
   * Waits until this node is one of those that serve the database, if it may not be: after a silence.
   * Rejects with `store_unavailable`.
   */
  enter?: () => Promise<void> | null
  /** True after SIGTERM: not ready any more, while running requests are finished. */
  stopping(): boolean
  /** Tests an endpoint, and with a recipient sends a real message; a refusal is a result. */
  testDelivery(
    app: App,
    endpoint: Endpoint,
    message: ({ recipient: Recipient } & Pick<Handover, 'locale' | 'variables'>) | null,
  ): Promise<TestDelivery>
  /** Posts a test message to a webhook, once. */
  testWebhook(app: App, webhook: Webhook): Promise<Answer>
  /** What the DNS says about the From domains of an app. */
  testDns(app: App): Promise<DnsFinding[]>
  /** Tests the login at an endpoint; null on success, else the reason. */
  tryLogin(app: App, endpoint: EmailEndpoint): Promise<string | null>
  /** What a returned message says; null for any other. */
  readBounce(raw: Uint8Array): Promise<BounceReport | null>
  /** Verifies and takes what a gateway tells about an endpoint. */
  takeCallback(callback: Callback): Promise<CallbackResult>
  /** What a gateway gets that checks the address of its callbacks; null for any other request. */
  answerChallenge(challenge: { endpointId: string; query: URLSearchParams }): Promise<string | null>
  /** Signs the proofs of hosted pages. */
  proofs: ProofSigner
  /** Called for a request with X-Forwarded-For while no proxy is trusted; doctor reports it. */
  seeForwarded?: () => void
  /** The address of the peer; for tests without a socket. */
  peerAddress?: (request: Request) => string | null
}

/** JWTs with the claims of `domain/page/proof.ts`, and the public keys as JWKs. */
export type ProofSigner = {
  sign(claims: Record<string, string | number>): Promise<string>
  publicKeys(): Promise<object[]>
}

type DomainPorts = Pick<
  Ports,
  | ('verifications' | 'deliveries' | 'suppressions' | 'webhooks' | 'apps' | 'limits' | 'pages')
  | ('events' | 'alarms' | 'audit' | 'stats' | 'templates' | 'templating' | 'mayReach')
  | ('clock' | 'timers' | 'random' | 'keyring' | 'pem' | 'outbox' | 'egress' | 'settings' | 'node')
  | (
      | 'accounts'
      | 'passwords'
      | 'dns'
      | 'dkimPairs'
      | 'phones'
      | 'bindings'
      | 'bots'
      | 'learned'
      | 'learning'
      | 'figures'
    )
>

/** What this process says about itself and about what it runs on. */
export type Installation = {
  describe(): Promise<ServerFacts>
  /** Checks everything, and connects to every endpoint of one app or of all; one at a time. */
  examine(appId: string | null): Promise<Finding[]>
  /** Null where the database is backed up by tools of its own. */
  backups: Backups | null
  /** How long records of the audit log are kept. */
  auditKeptMs: number
}

export type HttpSettings = {
  openRegistration: boolean
  developerMode: boolean
  /** The public URL of this server; null if not set. */
  publicUrl: string | null
  /** CIDRs of proxies whose X-Forwarded-For is believed. */
  trustedProxies: string[]
}

export type DashboardSettings = {
  /** Its public https URL behind a proxy; null without one. */
  url: string | null
  /** Its listener has a loopback address. */
  isLocal: boolean
  times: SessionTimes
  /** Where links to it lead, without a slash at the end; null where it is off. */
  linkBase(): string | null
}

/** A message that a test key sent, as the inbox page shows it. */
export type InboxMessage = {
  deliveryId: string
  appId: string
  verificationId: string
  /** Null for an app without a name. */
  appName: string | null
  to: string
  /** As a BCP 47 tag. */
  language: string
  subject: string
  text: string
  html: string
  code: string
  reference: string
  at: number
  expiresAt: number
  /** The status of its verification. */
  status: Status
}

export type TestDelivery = {
  /** Null when no message was to be sent. */
  status: 'sent' | 'deferred' | 'refused' | null
  /** The server's words. */
  detail: string | null
  /** In order; the first that is not ok is where it ended. */
  steps: { name: string; ok: boolean; detail: string | null }[]
}

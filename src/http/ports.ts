import type { App } from '../domain/app/app.ts'
import type { Endpoint } from '../domain/app/endpoint.ts'
import type { Log, Metrics, Ports } from '../domain/ports.ts'
import type { Recipient } from '../domain/verification/recipient.ts'
import type { Status } from '../domain/verification/verification.ts'

/** Everything that the HTTP side needs; runtime.ts puts it together. */
export type HttpPorts = DomainPorts & {
  log: Log
  metrics: Metrics
  /** What test keys sent, newest first, each rendered anew. */
  inbox: { list(): Promise<InboxMessage[]> }
  /** SHA-256 of the admin token. */
  adminTokenHash: Uint8Array
  http: HttpSettings
  /** True when the database takes writes and the keys are the right ones. */
  ready(): Promise<boolean>
  /** True from SIGTERM on: no longer ready, though what runs is finished. */
  stopping(): boolean
  /** Sends a real message through one endpoint; never throws for what the other side says. */
  testDelivery(app: App, endpoint: Endpoint, recipient: Recipient): Promise<TestDelivery>
  /** Logs in at an endpoint and ends; null when that went well, else why not. */
  tryLogin(app: App, endpoint: Endpoint): Promise<string | null>
  /** Called for a request with X-Forwarded-For where no proxy is trusted, for doctor to tell. */
  seeForwarded?: () => void
  /** Where a request came from; for tests, where there is no socket. */
  peerAddress?: (request: Request) => string | null
}

type DomainPorts = Pick<
  Ports,
  | ('verifications' | 'deliveries' | 'apps' | 'limits' | 'events' | 'alarms' | 'audit' | 'stats')
  | ('clock' | 'timers' | 'random' | 'keyring' | 'outbox' | 'egress' | 'settings' | 'node')
>

export type HttpSettings = {
  openRegistration: boolean
  developerMode: boolean
  /** Where the world reaches this server; null where nobody said. */
  publicUrl: string | null
  /** CIDRs of proxies whose X-Forwarded-For is believed. */
  trustedProxies: string[]
}

/** A message that a test key sent, as the inbox page shows it. */
export type InboxMessage = {
  deliveryId: string
  /** Null for an app without a name. */
  appName: string | null
  to: string
  subject: string
  text: string
  html: string
  code: string
  reference: string
  at: number
  expiresAt: number
  /** Of its verification: `approved` is shown as used. */
  status: Status
}

export type TestDelivery = {
  status: 'sent' | 'deferred' | 'refused'
  /** The server's words. */
  detail: string | null
  /** In order; the first that is not ok is where it ended. */
  steps: { name: string; ok: boolean; detail: string | null }[]
}

import type { App } from '../domain/app.ts'
import type { Log, Metrics, Ports } from '../domain/ports.ts'

/** Everything the HTTP side needs; runtime.ts puts it together. */
export type HttpPorts = Ports & {
  log: Log
  metrics: Metrics
  inbox: { list(): InboxMessage[] }
  /** SHA-256 of the admin token. */
  adminTokenHash: Uint8Array
  http: HttpSettings
  /** The database takes writes and the keys are the right ones. */
  ready(): Promise<boolean>
  /** From SIGTERM on: no longer ready, though what runs is finished. */
  stopping(): boolean
  /** Sends a real message through the app's mail server; never throws for what the server says. */
  testDelivery(app: App, recipient: string): Promise<TestDelivery>
  /** Where a request came from, for tests, where there is no socket. */
  peerAddress?: (request: Request) => string | null
}

export type HttpSettings = {
  openRegistration: boolean
  developerMode: boolean
  /** Where the world reaches this server; null where nobody said. */
  publicUrl: string | null
  /** CIDRs of proxies whose X-Forwarded-For is believed. */
  trustedProxies: string[]
}

/** A message that a test key sent, as the inbox page shows it. Newest first. */
export type InboxMessage = {
  deliveryId: string
  appName: string
  to: string
  subject: string
  text: string
  code: string
  reference: string
  at: number
  expiresAt: number
}

export type TestDelivery = {
  status: 'sent' | 'deferred' | 'refused'
  /** The server's words. */
  detail: string | null
  steps: { name: string; ok: boolean; detail: string | null }[]
}

import { createEgress } from '../../src/channels/egress.ts'
import type { MailNetwork } from '../../src/channels/email/dial.ts'
import { createEmailChannel } from '../../src/channels/email/email.ts'
import { createMailer } from '../../src/channels/email/mailer.ts'
import type { App } from '../../src/domain/app/app.ts'
import { type Endpoint, sealSecret } from '../../src/domain/app/endpoint.ts'
import type { Policy } from '../../src/domain/app/policy.ts'
import type { SmtpSettings } from '../../src/domain/app/smtp-fields.ts'
import type { DeliveryOutcome, Handover } from '../../src/domain/delivery/delivery.ts'
import { lifeLeft } from '../../src/domain/delivery/life.ts'
import type { Channel, Timers } from '../../src/domain/ports.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { systemClock, systemRandom, systemTimers } from '../../src/system.ts'
import { smtpSettings } from '../support/commands.ts'
import { dnsOf } from '../support/dns.ts'
import { noHttpOut } from '../support/http.ts'

export const keyring = createKeyring(firstKeyset(new Uint8Array(32).fill(7)), systemRandom)
export const noon = Date.UTC(2026, 5, 15, 12)

/** What an endpoint's access tokens need; none is asked for with a password. */
export const tokenPorts = {
  keyring,
  clock: systemClock,
  timers: systemTimers,
  apps: { renewSecret: async () => true },
  httpOut: noHttpOut,
}

type AppParts = {
  id?: string
  name?: string | null
  policy?: Policy
  version?: number
  registeredBy?: App['registeredBy']
  email?: Partial<SmtpSettings>
  password?: string
}

/** An app with one mail server, named after the app. */
export function appWith(parts: AppParts = {}): App {
  const { id = 'app-1', name = 'Acme', policy = {}, version = 1, registeredBy = 'admin' } = parts
  const dataKey = keyring.newDataKey(id)
  const times = { createdAt: noon, updatedAt: noon }
  const app: App = {
    ...{
      id,
      name,
      registeredBy,
      policy,
      endpoints: [],
      dkim: [],
      webhooks: [],
      dataKey,
      version,
      ...times,
    },
    hasSecretKey: false,
    brand: null,
    templates: [],
    sprayAlarmSince: null,
    hasSuppressions: false,
  }
  const settings = smtpSettings({
    host: '127.0.0.1',
    port: 25,
    security: 'none',
    user: parts.password === undefined ? null : 'codes',
    from: 'codes@acme.test',
    fromName: name,
    ...parts.email,
  })
  return { ...app, endpoints: [endpointOf(app, settings, parts.password)] }
}

/** An endpoint of the app. */
export function endpointOf(
  app: App,
  settings: SmtpSettings,
  password?: string,
  id = `${app.id}-mail`,
): Endpoint {
  const place = { id, settings }
  const secret = password === undefined ? 'none' : { set: password }
  const secretSealed = sealSecret({ keyring }, app, place, { secret, current: null })
  const times = { createdAt: noon, updatedAt: noon }
  return { ...place, appId: app.id, channel: 'email', rank: 1, secretSealed, off: null, ...times }
}

let handovers = 0

/** A hand-over through the app's first endpoint. */
export function handoverOf(app: App, parts: Partial<Handover> & { to?: string } = {}): Handover {
  const { to = 'ada@example.com', ...rest } = parts
  return {
    deliveryId: `delivery-${++handovers}`,
    app,
    endpoint: app.endpoints[0] ?? null,
    verificationId: 'verification-1',
    mode: 'live',
    channel: 'email',
    route: ['email'],
    recipient: { kind: 'email', address: to },
    code: '483920',
    codeFormat: 'numeric',
    reference: 'KX47',
    locale: null,
    variables: null,
    createdAt: noon,
    expiresAt: noon + 600_000,
    ...rest,
  }
}

/** A hand-over as the text of its message needs it, with this much of its life left. */
export function messageOf(handover: Handover, leftMs = 600_000) {
  return { ...handover, life: lifeLeft(leftMs, 0) }
}

/** Timers whose monotonic clock and long waits the test moves; short waits are real. */
export function movableTimers(): Timers & { advance(ms: number): void } {
  let skipped = 0
  return {
    ...systemTimers,
    monotonic: () => systemTimers.monotonic() + skipped,
    advance: (ms) => {
      skipped += ms
    },
  }
}

/** Timers that wait only a fraction of the given time. */
export function quickTimers(times: number): Timers {
  return {
    ...systemTimers,
    sleep: (ms) => systemTimers.sleep(ms / times),
    after: (ms, callback) => systemTimers.after(ms / times, callback),
  }
}

/** An email channel in this thread, and a short way to send one message. */
export function openChannel(network: Partial<MailNetwork & { connectionsMax: number }> = {}) {
  const timers = movableTimers()
  const clock = systemClock
  const options = {
    egress: createEgress({ dns: dnsOf() }),
    clock,
    timers,
    connectionsMax: 100,
    ...network,
  }
  const channel: Channel = createEmailChannel(tokenPorts, createMailer(options))
  return {
    advance: timers.advance,
    send: (app: App, parts: Parameters<typeof handoverOf>[1] = {}): Promise<DeliveryOutcome> =>
      channel.deliver(handoverOf(app, parts), new AbortController().signal),
    deliver: channel.deliver,
    close: channel.close,
  }
}

import { createEgress } from '../../src/channels/egress.ts'
import { createEmailChannel } from '../../src/channels/email.ts'
import type { MailNetwork } from '../../src/channels/smtp-options.ts'
import { type App, type EmailChannel, type Policy, passwordPlace } from '../../src/domain/app.ts'
import type { DeliveryOutcome, Handover } from '../../src/domain/delivery.ts'
import type { Channel } from '../../src/domain/ports.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'

export const keyring = createKeyring(firstKeyset(new Uint8Array(32).fill(7)))
export const noon = Date.UTC(2026, 5, 15, 12)

type AppParts = {
  id?: string
  name?: string
  policy?: Policy
  email?: Partial<Omit<EmailChannel, 'passwordSealed'>>
  password?: string
}

export function appWith({ id = 'app-1', name = 'Acme', policy = {}, ...rest }: AppParts = {}): App {
  const dataKey = keyring.newDataKey(id)
  const endpoint = {
    host: '127.0.0.1',
    port: 25,
    security: 'none' as const,
    user: rest.password === undefined ? null : 'codes',
    from: 'codes@acme.test',
    fromName: name,
    publicOnly: false,
    updatedAt: noon,
    ...rest.email,
  }
  const place = passwordPlace(id, endpoint)
  const passwordSealed =
    rest.password === undefined ? null : keyring.seal(id, dataKey, place, rest.password)
  const email = { ...endpoint, passwordSealed }
  return { id, name, policy, email, dataKey, createdAt: noon, updatedAt: noon, alarmAt: null }
}

let handovers = 0

export function handoverOf(app: App, parts: Partial<Handover> = {}): Handover {
  return {
    deliveryId: `delivery-${++handovers}`,
    app,
    recipient: 'ada@example.com',
    code: '483920',
    codeFormat: 'numeric',
    reference: 'KX47',
    locale: null,
    createdAt: noon,
    expiresAt: noon + 600_000,
    ...parts,
  }
}

/** An email channel with a clock that moves when told, and a short way to send one message. */
export function openChannel(network: Partial<MailNetwork> = {}) {
  let now = noon
  const channel: Channel = createEmailChannel({
    keyring,
    clock: { now: () => now },
    egress: createEgress(),
    ...network,
  })
  return {
    advance: (ms: number) => {
      now += ms
    },
    send: (app: App, parts: Partial<Handover> = {}): Promise<DeliveryOutcome> =>
      channel.deliver(handoverOf(app, parts), new AbortController().signal),
    deliver: channel.deliver,
    close: channel.close,
  }
}

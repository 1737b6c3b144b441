import type { ChannelKind } from '../domain/delivery/channel.ts'
import type { Channel, Ports } from '../domain/ports.ts'
import { createEmailChannel } from './email/email.ts'
import { createMailThread } from './email/mail-thread.ts'
import { createInboxChannel } from './inbox.ts'
import { createPhoneChannel } from './phone/phone.ts'
import { createTelegramChannel } from './telegram/telegram.ts'
import { withTurns } from './turns.ts'
import { createWebhookChannel } from './webhook.ts'
import { withWording } from './worded.ts'
import { createWordingReader } from './wording.ts'

export type ChannelPorts = Pick<
  Ports,
  'keyring' | 'apps' | 'templates' | 'bindings' | 'inbox' | 'clock' | 'timers' | 'httpOut'
> & {
  /** Connections at a time over all endpoints. */
  connectionsMax: number
  /** Where gateways report to; null where that is not known. */
  publicUrl: string | null
  /** What links in mails begin with; null where browsers cannot reach this server. */
  linkBase?: string | null
}

/** The channels that are requests over HTTP, by the kind of endpoint. */
export const httpChannels = {
  webhook: createWebhookChannel,
  telegram: createTelegramChannel,
  twilio: createPhoneChannel,
  vonage: createPhoneChannel,
  sns: createPhoneChannel,
  whatsapp: createPhoneChannel,
  telegram_gateway: createPhoneChannel,
}
export type HttpKind = keyof typeof httpChannels

function overHttp(create: (ports: ChannelPorts) => Channel): (ports: ChannelPorts) => Channel {
  return (ports) => withTurns(create(ports), ports)
}

/** The implementation of each channel; domain/delivery/channel.ts has their rules. */
const registry: Record<ChannelKind, (ports: ChannelPorts) => Channel> = {
  email: (ports) =>
    withWording(createWordingReader(ports), createEmailChannel(ports, createMailThread(ports))),
  webhook: overHttp(httpChannels.webhook),
  sms: overHttp(createPhoneChannel),
  whatsapp: overHttp(createPhoneChannel),
  telegram_gateway: overHttp(createPhoneChannel),
  telegram: overHttp(httpChannels.telegram),
  inbox: createInboxChannel,
}

/** Creates every channel and starts the mail thread. */
export function createChannels(ports: ChannelPorts): Record<ChannelKind, Channel> {
  const entries = Object.entries(registry).map(([kind, create]) => [kind, create(ports)])
  return Object.fromEntries(entries) as Record<ChannelKind, Channel>
}

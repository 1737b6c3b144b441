import type { RecipientKind } from '../verification/recipient.ts'

/** A way for messages to leave: the recipients it takes, and whether an app sets up endpoints. */
type ChannelRules = {
  /** An address is of the first kind whose form it has. */
  takes: readonly RecipientKind[]
  hasEndpoints: boolean
  says: string
}

/** The registry of channels; channels/registry.ts has their implementations. */
export const channels = {
  email: { takes: ['email'], hasEndpoints: true, says: 'Mail through the app’s own SMTP servers.' },
  webhook: {
    takes: ['email', 'phone'],
    hasEndpoints: true,
    says: 'A signed request to the admin’s own gateway.',
  },
  sms: {
    takes: ['phone'],
    hasEndpoints: true,
    says: 'A text message through Twilio, Vonage or Amazon SNS.',
  },
  whatsapp: {
    takes: ['phone'],
    hasEndpoints: true,
    says: 'An authentication template of the app’s WhatsApp number.',
  },
  telegram_gateway: {
    takes: ['phone'],
    hasEndpoints: true,
    says: 'Telegram’s own message to a number that uses Telegram.',
  },
  telegram: {
    takes: ['telegram'],
    hasEndpoints: true,
    says: 'A message of the app’s own bot to a person who agreed to it.',
  },
  inbox: {
    takes: ['email', 'phone', 'telegram'],
    hasEndpoints: false,
    says: 'The built-in inbox, for test keys: nothing leaves the machine.',
  },
} as const satisfies Record<string, ChannelRules>

export type ChannelKind = keyof typeof channels
export const channelKinds = Object.keys(channels) as ChannelKind[]

/** The channels that need endpoints of the app. */
export type EndpointChannel = {
  [Kind in ChannelKind]: (typeof channels)[Kind]['hasEndpoints'] extends true ? Kind : never
}[ChannelKind]
export const endpointChannels = channelKinds.filter(
  (kind): kind is EndpointChannel => channels[kind].hasEndpoints,
)

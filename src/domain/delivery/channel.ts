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
    takes: ['email'],
    hasEndpoints: true,
    says: 'A signed request to the admin’s own gateway.',
  },
  inbox: {
    takes: ['email'],
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

import { type App, endpointsOf, usedEndpoints } from '../app/app.ts'
import { routeMax } from '../app/policy.ts'
import { type ChannelKind, channelKinds, channels } from '../delivery/channel.ts'
import type { Ports } from '../ports.ts'
import { invalidField, Problem } from '../problem.ts'
import type { PhoneRules } from './phone.ts'
import { allowedRecipient, foldRecipient, type Recipient, readRecipient } from './recipient.ts'
import type { Mode } from './verification.ts'

export type RouteRequest = {
  app: App
  mode: Mode
  /** Names of channels, or one; null for the app's own route. */
  channel: unknown
  /** One recipient for all channels, or one for each by its name. */
  to: unknown
  /** The caller's name of `to`. */
  toField: string
  /** For telephone numbers. */
  rules: PhoneRules
}

/** Channels in order, each with the number of its recipient. */
export type ReadRoute = {
  route: { channel: ChannelKind; recipient: number }[]
  recipients: Recipient[]
}

/**
 * Reads the channels of a start and the recipient of each. A test key's messages never leave the
 * machine: whatever was asked for, its one channel is the inbox. Channels whose endpoints are all
 * switched off are left out. Throws `invalid_request`,
 * `channel_not_configured`.
 */
export function readRoute(
  ports: Pick<Ports, 'phones'>,
  { app, mode, channel, to, toField, rules }: RouteRequest,
): ReadRoute {
  const kinds = readChannels(channel ?? app.policy.channels ?? 'email')
  if (mode === 'live') {
    if (kinds.includes('inbox')) {
      throw invalidField('channel', 'inbox needs a test key')
    }
    if (kinds.some((kind) => endpointsOf(app, kind).length === 0)) {
      throw new Problem('channel_not_configured')
    }
  }
  const addressed = addresses(kinds, to, toField).filter(({ kind }) => {
    return mode === 'test' || usedEndpoints(app, kind).length > 0
  })
  if (addressed.length === 0) throw new Problem('channel_not_configured')
  const recipients: Recipient[] = []
  const route = addressed.map(({ kind, text, field }) => {
    const named = readRecipient(channels[kind].takes, text, field)
    const recipient = allowedRecipient(ports, named, rules, field)
    return { channel: kind, recipient: numberOf(recipients, recipient, field) }
  })
  const [first] = recipients
  if (mode === 'live' || !first) return { route, recipients }
  return { route: [{ channel: 'inbox', recipient: 0 }], recipients: [first] }
}

function readChannels(input: unknown): ChannelKind[] {
  const names: unknown[] = Array.isArray(input) ? input : [input]
  const isRight = names.length >= 1 && names.length <= routeMax && names.every(isChannel)
  if (!isRight || new Set(names).size < names.length) {
    const reason = `must be a channel, or a list of 1 to ${routeMax}, none of them twice`
    throw invalidField('channel', reason)
  }
  return names as ChannelKind[]
}

function isChannel(name: unknown): boolean {
  return channelKinds.some((kind) => kind === name)
}

type Addressed = { kind: ChannelKind; text: unknown; field: string }

/** What `to` says for each channel. */
function addresses(kinds: ChannelKind[], to: unknown, field: string): Addressed[] {
  if (typeof to !== 'object' || to === null || Array.isArray(to)) {
    return kinds.map((kind) => ({ kind, text: to, field }))
  }
  const texts: Record<string, unknown> = { ...to }
  const others = Object.keys(texts).some((name) => !kinds.some((kind) => kind === name))
  if (others) throw invalidField(field, `must name only channels of the route: ${kinds.join(', ')}`)
  return kinds.map((kind) => {
    const place = `${field}.${kind}`
    if (!Object.hasOwn(texts, kind)) throw invalidField(place, 'is missing')
    return { kind, text: texts[kind], field: place }
  })
}

/** The number of this recipient, who is added when new. */
function numberOf(recipients: Recipient[], recipient: Recipient, field: string): number {
  const folded = foldRecipient(recipient)
  const number = recipients.findIndex((known) => foldRecipient(known) === folded)
  if (number < 0) return recipients.push(recipient) - 1
  if (recipients[number]?.address === recipient.address) return number
  throw invalidField(field, 'must not spell a recipient of another channel differently')
}

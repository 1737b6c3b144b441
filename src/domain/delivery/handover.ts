import { type App, recipientPlace, usedEndpoints, variablesPlace } from '../app/app.ts'
import { type Chosen, inChosenOrder } from '../learning/chosen.ts'
import { linkSecret } from '../page/page.ts'
import type { Ports } from '../ports.ts'
import type { Variables } from '../template/variables.ts'
import { deriveCode } from '../verification/code.ts'
import { type Recipient, recipientOf } from '../verification/recipient.ts'
import type { NewDelivery } from '../verification/stores.ts'
import { statusOf, type Verification } from '../verification/verification.ts'
import type { Route } from './after-try.ts'
import { type ChannelKind, channels } from './channel.ts'
import type { Delivery, Handover } from './delivery.ts'

/** The queue of one endpoint of one app; null for a channel without endpoints. */
export type Lane = { appId: string; channel: ChannelKind; endpointId: string | null }

/** These channels, each with the app's endpoints as they were chosen, else by rank. */
export function routeOf(app: App, route: ChannelKind[], chosen: Chosen | null): Route {
  return route.map((channel) => {
    const ids = usedEndpoints(app, channel).map(({ id }) => id)
    const endpoints = inChosenOrder(ids, chosen)
    return { channel, endpoints: channels[channel].hasEndpoints ? endpoints : [null] }
  })
}

/** The lanes of a channel, in the order in which they are tried. */
export function lanesOf(app: App, channel: ChannelKind, chosen: Chosen | null): Lane[] {
  return routeOf(app, [channel], chosen).flatMap(({ endpoints }) =>
    endpoints.map((endpointId) => ({ appId: app.id, channel, endpointId })),
  )
}

/** Where a new delivery starts: at the first endpoint of its channel, if there is one. */
export function firstLane(app: App, channel: ChannelKind, chosen: Chosen | null): Lane {
  return lanesOf(app, channel, chosen)[0] ?? { appId: app.id, channel, endpointId: null }
}

/** A delivery as it is just after it was queued. */
export function queuedDelivery(
  verification: Verification,
  { id, channel, endpointId, chosen = null, createdAt }: NewDelivery,
): Delivery {
  const { appId, mode, expiresAt } = verification
  const place = { id, appId, mode, verificationId: verification.id, channel, endpointId }
  return { ...place, chosen, status: 'queued', detail: null, tries: 0, createdAt, expiresAt }
}

type Message = {
  app: App
  verification: Verification
  delivery: Pick<Delivery, 'id' | 'channel' | 'endpointId' | 'createdAt'>
  recipient: Recipient
  variables: Variables | null
  /** Derived again when absent, with the same result. */
  code?: string | undefined
}

/** The message of a delivery, for the endpoint that the delivery names. */
export function handover({ keyring }: Pick<Ports, 'keyring'>, message: Message): Handover {
  const { app, verification, delivery, recipient, variables } = message
  const { id, mode, codeKeyId, generation, codeFormat, codeLength } = verification
  const place = { appId: app.id, verificationId: id, generation }
  return {
    deliveryId: delivery.id,
    app,
    endpoint: app.endpoints.find((endpoint) => endpoint.id === delivery.endpointId) ?? null,
    verificationId: id,
    mode,
    channel: delivery.channel,
    route: verification.route.map(({ channel }) => channel),
    recipient,
    code: message.code ?? deriveCode(keyring, codeKeyId, place, codeFormat, codeLength),
    codeFormat,
    reference: verification.reference,
    reportSecret: app.policy.reportLink ? linkSecret(keyring, 'report', verification) : null,
    locale: verification.locale,
    variables,
    createdAt: delivery.createdAt,
    expiresAt: verification.expiresAt,
  }
}

/**
 * True when the recipient of a live message is suppressed. Asks the app as it is now, since the first
 * suppression may be younger than the message; an app without any needs no further look.
 */
export async function isSuppressed(
  {
    apps,
    suppressions,
    keyring,
    clock,
  }: Pick<Ports, 'apps' | 'suppressions' | 'keyring' | 'clock'>,
  { app, mode, recipient }: Handover,
): Promise<boolean> {
  if (mode !== 'live' || !(await apps.get(app.id))?.hasSuppressions) return false
  const recipientIndex = keyring.recipientIndex(app.id, recipient.address)
  return suppressions.has({ appId: app.id, recipientIndex, now: clock.now() })
}

/** Reads the message of a delivery; null when it is not to be sent any more. */
export async function readHandover(
  ports: Pick<Ports, 'apps' | 'verifications' | 'deliveries' | 'keyring' | 'clock'>,
  delivery: Delivery,
): Promise<Handover | null> {
  const { apps, verifications, deliveries, keyring, clock } = ports
  const { appId, mode, verificationId: id, channel } = delivery
  const [app, verification] = await Promise.all([
    apps.get(appId),
    verifications.get({ appId, mode, id }),
  ])
  if (!app || !verification) return null
  if (statusOf(verification, clock.now()) !== 'pending') return null
  if (!keyring.hasCodeKey(verification.codeKeyId)) return null
  // With another channel it may have been stopped.
  if (verification.route.length > 1 && !(await deliveries.isOpen(delivery.id))) return null
  const opened = await openMessage(ports, { app, verification, channel })
  return opened && handover(ports, { app, verification, delivery, ...opened })
}

type Sealing = { app: App; verification: Verification; channel: ChannelKind }

/**
 * Opens the address of a channel and the variables of a verification; null where they were cleared,
 * or where their key is gone, because the clock was ahead by more than a week in two rotations.
 */
export async function openMessage(
  { verifications, keyring }: Pick<Ports, 'verifications' | 'keyring'>,
  { app, verification, channel }: Sealing,
): Promise<{ recipient: Recipient; variables: Variables | null } | null> {
  const { appId, mode, id, route } = verification
  const stop = route.find((each) => each.channel === channel)
  if (!stop) return null
  const sealed = await verifications.sealed({ appId, mode, id, recipient: stop.recipient })
  if (!sealed) return null
  try {
    const place = recipientPlace(id, stop.recipient)
    const address = keyring.open(app.id, app.dataKey, place, sealed.recipient)
    const variables =
      sealed.variables && keyring.open(app.id, app.dataKey, variablesPlace(id), sealed.variables)
    return { recipient: recipientOf(address), variables: variables && JSON.parse(variables) }
  } catch {
    return null
  }
}

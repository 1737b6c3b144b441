import { type App, usedEndpoints } from '../app/app.ts'
import type { ChannelKind } from '../delivery/channel.ts'
import type { Ports } from '../ports.ts'
import { callingCodeOf } from '../verification/phone.ts'
import type { Recipient } from '../verification/recipient.ts'
import type { ReadRoute } from '../verification/route.ts'
import { seededUniform } from './beta.ts'
import { type Candidate, knownPercent, sampleGroups } from './choice.ts'
import type { Chosen, Option } from './chosen.ts'
import { armsOf, type Scores } from './scores.ts'

type Choosing = { app: App; routed: ReadRoute; seed: string }

/** A route in the order in which it is tried, and why; null where the app's route does not learn. */
export type ChosenRoute = ReadRoute & { chosen: Chosen | null }

/**
 * Puts the channels of a start, and the endpoints of each, in the order that was followed by most
 * approvals of recipients like these. Before anything is known it is the order of the ranks. The same
 * seed and scores give the same order.
 */
export function chooseRoute(
  { learned, phones }: Pick<Ports, 'learned' | 'phones'>,
  { app, routed, seed }: Choosing,
): ChosenRoute {
  const isLearned = app.policy.learnedRoute && routed.route[0]?.channel !== 'inbox'
  if (!isLearned) return { ...routed, chosen: null }
  const scores = learned.of(app.id)
  const groups: Chosen['groups'] = {}
  for (const { channel, recipient } of routed.route) {
    groups[channel] = groupOf(phones, routed.recipients[recipient])
  }
  const stops = routed.route.map(({ channel }) =>
    candidatesOf(app, channel, { scores, group: groups[channel] ?? '' }),
  )
  const ordered = sampleGroups(stops, seededUniform(seed))
  const options = ordered.flat().map(toOption)
  const kinds = ordered.flatMap(([first]) => first?.channel ?? [])
  return { ...inOrder(routed, kinds), chosen: { groups, options } }
}

/** The domain of an e-mail address; the country of a telephone number, or its calling code. */
function groupOf(phones: Ports['phones'], recipient: Recipient | undefined): string {
  if (!recipient) return ''
  const { kind, address } = recipient
  if (kind === 'email') return address.slice(address.lastIndexOf('@') + 1)
  if (kind === 'phone') return phones.read(address)?.country ?? callingCodeOf(address)
  return kind
}

type Stop = Candidate & { channel: ChannelKind }

function candidatesOf(
  app: App,
  channel: ChannelKind,
  { scores, group }: { scores: Scores | null; group: string },
): Stop[] {
  const arms = scores ? armsOf(scores, group) : {}
  return usedEndpoints(app, channel).map(({ id: endpointId, settings: { cost } }) => {
    return { channel, endpointId, arm: arms[endpointId], cost: cost ?? null }
  })
}

function toOption({ channel, endpointId, arm, cost }: Stop): Option {
  return { channel, endpointId, approvedPercent: knownPercent(arm), cost }
}

/** The route with its channels in this order, and its recipients as that names them. */
function inOrder({ route, recipients }: ReadRoute, kinds: ChannelKind[]): ReadRoute {
  const stops = kinds.flatMap((kind) => route.find(({ channel }) => channel === kind) ?? [])
  const numbers = [...new Set(stops.map(({ recipient }) => recipient))]
  return {
    route: stops.map((stop) => ({ ...stop, recipient: numbers.indexOf(stop.recipient) })),
    recipients: numbers.flatMap((number) => recipients[number] ?? []),
  }
}

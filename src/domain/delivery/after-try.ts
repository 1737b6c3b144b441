import type { AlarmKind } from '../alarm.ts'
import type { ChannelKind } from './channel.ts'
import type { DeliveryOutcome, DeliveryStatus, RefusalCause, Try } from './delivery.ts'

/** The channels that a verification may use, in order, each with its endpoints by rank. */
export type Route = { channel: ChannelKind; endpoints: (string | null)[] }[]

/** What follows a try, and the delivery's new status. */
export type Next = { status: DeliveryStatus; alarm: AlarmKind | null } & (
  | { next: 'end' }
  /** The same delivery again through this endpoint; `at` is now for a fail-over. */
  | { next: 'try'; endpointId: string | null; at: number }
  /** A new delivery through the next channel of the route. */
  | { next: 'channel'; channel: ChannelKind; endpointId: string | null }
)

/** Waits before an endpoint is tried again, within the code's life. */
export const retryDelaysMs = [15_000, 45_000, 120_000, 240_000] as const
const ambiguousWaitMs = 60_000
/** The longest wait that a server may ask for. */
export const retryAfterMaxMs = 900_000
/** The most hand-overs of one delivery that may have been accepted. */
const acceptedMax = 2

const alarmOf: Partial<Record<RefusalCause, AlarmKind>> = {
  login: 'login_refused',
  server: 'server_refused',
  policy: 'policy_refused',
  message: 'message_refused',
  gone: 'endpoint_off',
}

type Situation = {
  route: Route
  channel: ChannelKind
  /** Those before this outcome, oldest first. */
  tries: Pick<Try, 'endpointId' | 'status' | 'ambiguous'>[]
  /** The endpoint of the outcome. */
  endpointId: string | null
  expiresAt: number
  now: number
  /** Uniform in [0, 1): waits are lengthened by up to 20 %. */
  chance: number
}

/**
 * Decides what follows a try. network, busy: the next endpoint at once, and after the last one the
 * first again after the waits. greylisted: the same endpoint after a wait. ambiguous: the same
 * endpoint once, after 60 s. login, server, policy, gone: the next endpoint, and an alarm. message:
 * the next channel, and an alarm. recipient, unsupported, capped: the next channel. cost: the next
 * endpoint, which may cost less or nothing. When no try is left, the next channel too.
 */
export function afterTry(outcome: DeliveryOutcome, situation: Situation): Next {
  if (outcome.status === 'sent') return { next: 'end', status: 'sent', alarm: null }
  const tries = [...situation.tries, asTry(outcome, situation.endpointId)]
  if (outcome.status === 'refused') return afterRefusal(outcome.cause, situation, tries)
  return afterDeferral(outcome, situation, tries) ?? nextChannel(situation, 'undeliverable')
}

function asTry(outcome: DeliveryOutcome, endpointId: string | null): Situation['tries'][number] {
  const ambiguous = outcome.status === 'deferred' && outcome.ambiguous
  return { endpointId, status: outcome.status, ambiguous }
}

function afterDeferral(
  outcome: Extract<DeliveryOutcome, { status: 'deferred' }>,
  situation: Situation,
  tries: Situation['tries'],
): Next | null {
  if (tries.filter(({ ambiguous }) => ambiguous).length >= acceptedMax) return null
  if (outcome.ambiguous) return later(situation, situation.endpointId, ambiguousWaitMs)

  const asked = outcome.retryAfterMs
  if (outcome.cause === 'greylisted') return again(situation, tries, situation.endpointId, asked)
  return failOver(situation, tries, asked)
}

function afterRefusal(cause: RefusalCause, situation: Situation, tries: Situation['tries']): Next {
  const alarm = alarmOf[cause] ?? null
  const isEndpoints = ['login', 'server', 'policy', 'cost', 'gone'].includes(cause)
  const next = isEndpoints ? failOver(situation, tries, null) : null
  return { ...(next ?? nextChannel(situation, 'refused')), alarm }
}

/** The next endpoint at once, or the first one after a wait; null when none is left. */
function failOver(
  situation: Situation,
  tries: Situation['tries'],
  asked: number | null,
): Next | null {
  const { route, channel, endpointId } = situation
  const endpoints = route.find((stop) => stop.channel === channel)?.endpoints ?? []
  const refused = new Set(
    tries.filter(({ status }) => status === 'refused').map((each) => each.endpointId),
  )
  const behind = endpoints.slice(endpoints.indexOf(endpointId) + 1)
  const next = behind.find((id) => !refused.has(id))
  if (next !== undefined) return later(situation, next, 0)
  const first = endpoints.find((id) => !refused.has(id))
  return first === undefined ? null : again(situation, tries, first, asked)
}

/** The same endpoint after the wait of this round, or the wait that the server asked for. */
function again(
  situation: Situation,
  tries: Situation['tries'],
  endpointId: string | null,
  asked: number | null,
): Next | null {
  const counts = Map.groupBy(tries, (each) => each.endpointId)
  const rounds = Math.max(...[...counts.values()].map((all) => all.length))
  const delay = retryDelaysMs[rounds - 1]
  if (delay === undefined) return null
  const wait = asked === null ? delay * (1 + 0.2 * situation.chance) : asked
  return later(situation, endpointId, Math.min(Math.round(wait), retryAfterMaxMs))
}

/** Null at the code's expiry or later. */
function later(
  { now, expiresAt }: Situation,
  endpointId: string | null,
  waitMs: number,
): Next | null {
  const at = now + waitMs
  if (at >= expiresAt) return null
  return { next: 'try', status: 'deferred', endpointId, at, alarm: null }
}

function nextChannel(
  { route, channel, now, expiresAt }: Situation,
  status: 'refused' | 'undeliverable',
): Next {
  const stop = stopAfter(route, channel)
  if (!stop || now >= expiresAt) return { next: 'end', status, alarm: null }
  const [endpointId = null] = stop.endpoints
  return { next: 'channel', status, channel: stop.channel, endpointId, alarm: null }
}

/** The next channel of the route that has an endpoint; null when there is none. */
export function stopAfter(route: Route, channel: ChannelKind): Route[number] | null {
  const here = route.findIndex((stop) => stop.channel === channel)
  if (here < 0) return null
  return route.slice(here + 1).find(({ endpoints }) => endpoints.length > 0) ?? null
}

import { alarmChange } from '../alarm.ts'
import type { Actor } from '../audit.ts'
import type { EndpointChannel } from '../delivery/channel.ts'
import { type Field, mustBe } from '../field.ts'
import { newId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { type FieldError, Problem, refuseIfAny } from '../problem.ts'
import type { AlarmChange } from '../stores.ts'
import { type App, endpointsMax, endpointsOf } from './app.ts'
import {
  draftEndpoint,
  type Endpoint,
  type EndpointKind,
  endpointKinds,
  unreachable,
} from './endpoint.ts'
import { type EndpointInput, given } from './endpoint-fields.ts'
import { changeApp, type ManagePorts } from './manage.ts'

type EndpointPorts = ManagePorts & Pick<Ports, 'mayReach'>

export const enabledField = {
  type: 'boolean',
  wire: 'enabled',
  says: 'Whether it is on; nothing goes through one that is off.',
} as const satisfies Field & { wire: string }

export type EndpointFields = {
  /** 1 is tried first; by default a new one is last. */
  rank?: unknown
  /** Whether it is on. */
  enabled?: unknown
  /** Of its kind. */
  input?: EndpointInput | undefined
  mistakes?: FieldError[]
}

/**
 * Adds an endpoint. Throws `app_not_found`, `too_many_endpoints` beyond ten of a channel or one bot,
 * `invalid_request` with every mistake.
 */
export async function addEndpoint(
  ports: EndpointPorts,
  actor: Actor,
  { appId, kind, ...fields }: EndpointFields & { appId: string; kind: EndpointKind },
): Promise<Endpoint> {
  const id = newId(ports.random)
  const app = await changeApp(ports, actor, { id: appId, action: 'endpoint.add' }, (current) => {
    const { input = {} } = fields
    const mistakes = [...(fields.mistakes ?? []), ...unreachable(ports, kind, input)]
    const request = { kind, input, current: null, mistakes, id }
    const endpoint = draftEndpoint(ports, current, request)
    const rank = readRank(fields.rank, mistakes)
    const enabled = readEnabled(fields.enabled, mistakes)
    refuseIfAny(mistakes)
    if (!endpoint) throw new Problem('invalid_request')
    if (enabled === false) endpoint.off = 'admin'
    const siblings = endpointsOf(current, endpoint.channel)
    refuseFull(siblings, endpointKinds[kind].most)
    const endpoints = ranked(current, placed(siblings, endpoint, rank ?? endpointsMax))
    return { change: { endpoints }, detail: `endpoint ${id}` }
  })
  return found(app, id)
}

/**
 * Changes the given fields; a new rank shifts the others. Throws `app_not_found`,
 * `endpoint_not_found`, `secret_required` for a new destination, `invalid_request`.
 */
export async function updateEndpoint(
  ports: EndpointPorts,
  actor: Actor,
  { appId, id, ...fields }: EndpointFields & { appId: string; id: string },
): Promise<Endpoint> {
  const app = await changeApp(ports, actor, { id: appId, action: 'endpoint.update' }, (current) => {
    const before = found(current, id)
    const { input } = fields
    const { kind } = before.settings
    const mistakes = [...(fields.mistakes ?? []), ...unreachable(ports, kind, input ?? {})]
    const request = { kind, input: input ?? {}, current: before, mistakes }
    const draft = input ? draftEndpoint(ports, current, request) : before
    const rank = readRank(fields.rank, mistakes) ?? before.rank
    const enabled = readEnabled(fields.enabled, mistakes)
    refuseIfAny(mistakes)
    if (!draft) throw new Problem('invalid_request')
    const { endpoint, clears } = switched(draft, enabled, ports.clock.now())
    const siblings = endpointsOf(current, before.channel).filter((other) => other.id !== id)
    const endpoints = ranked(current, placed(siblings, endpoint, rank))
    const changed = [
      ...Object.keys(given(input ?? {})),
      ...(rank === before.rank ? [] : ['rank']),
      ...(endpoint.off === before.off ? [] : ['enabled']),
    ]
    const detail = `endpoint ${id} ${changed.join(' ')}`.trim()
    return { change: { endpoints, clears }, detail }
  })
  return found(app, id)
}

/**
 * Ranks the named endpoints first, in this order, and the others of their channel after them. Throws
 * `app_not_found`, `endpoint_not_found`.
 */
export async function orderEndpoints(
  ports: ManagePorts,
  actor: Actor,
  { appId, ids }: { appId: string; ids: string[] },
): Promise<Endpoint[]> {
  const action = { id: appId, action: 'endpoint.update' } as const
  const { endpoints } = await changeApp(ports, actor, action, (current) => {
    const named = [...new Set(ids)].map((id) => found(current, id))
    const others = current.endpoints.filter((endpoint) => !named.includes(endpoint))
    const inOrder = [...named, ...others]
    const channels = [...new Set(inOrder.map(({ channel }) => channel))]
    const endpoints = channels.flatMap((channel) =>
      inOrder
        .filter((endpoint) => endpoint.channel === channel)
        .map((endpoint, index) => ({ ...endpoint, rank: index + 1 })),
    )
    return { change: { endpoints }, detail: `order ${named.map(({ id }) => id).join(' ')}` }
  })
  return endpoints
}

/** Removes an endpoint with its secret. Throws `app_not_found`, `endpoint_not_found`. */
export async function removeEndpoint(
  ports: ManagePorts,
  actor: Actor,
  { appId, id }: { appId: string; id: string },
): Promise<void> {
  await changeApp(ports, actor, { id: appId, action: 'endpoint.remove' }, (current) => {
    const { channel } = found(current, id)
    const kept = endpointsOf(current, channel).filter((other) => other.id !== id)
    return { change: { endpoints: ranked(current, kept, channel) }, detail: `endpoint ${id}` }
  })
}

/** The endpoint of this id. Throws `endpoint_not_found`. */
export function found(app: App, id: string): Endpoint {
  const endpoint = app.endpoints.find((candidate) => candidate.id === id)
  if (!endpoint) throw new Problem('endpoint_not_found')
  return endpoint
}

function refuseFull(siblings: Endpoint[], most = endpointsMax): void {
  if (siblings.length < most) return
  if (most === endpointsMax) throw new Problem('too_many_endpoints')
  const detail = 'The app has one already: change it, or remove it first'
  throw new Problem('too_many_endpoints', { detail })
}

function readRank(value: unknown, mistakes: FieldError[]): number | undefined {
  if (value === undefined) return undefined
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= endpointsMax) {
    return Number(value)
  }
  mistakes.push({ field: 'rank', reason: `must be a whole number from 1 to ${endpointsMax}` })
  return undefined
}

function readEnabled(value: unknown, mistakes: FieldError[]): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  mistakes.push({ field: enabledField.wire, reason: mustBe(enabledField) })
  return undefined
}

/** Switching it on ends the alarm that it is off. */
function switched(
  endpoint: Endpoint,
  enabled: boolean | undefined,
  now: number,
): { endpoint: Endpoint; clears: AlarmChange[] } {
  if (enabled === undefined || enabled === (endpoint.off === null)) return { endpoint, clears: [] }
  const { appId, id: endpointId } = endpoint
  const place = { kind: 'endpoint_off', appId, endpointId } as const
  const clears = enabled ? [alarmChange('cleared', place, now)] : []
  return { endpoint: { ...endpoint, off: enabled ? null : 'admin', updatedAt: now }, clears }
}

/** The endpoint at its rank among its siblings, or last where there are fewer. */
function placed(siblings: Endpoint[], endpoint: Endpoint, rank: number): Endpoint[] {
  return siblings.toSpliced(rank - 1, 0, endpoint)
}

/** All endpoints of the app, with those of one channel replaced and ranked from 1. */
function ranked(
  app: App,
  endpoints: Endpoint[],
  channel: EndpointChannel = endpoints[0]?.channel ?? 'email',
): Endpoint[] {
  const others = app.endpoints.filter((endpoint) => endpoint.channel !== channel)
  return [...others, ...endpoints.map((endpoint, index) => ({ ...endpoint, rank: index + 1 }))]
}

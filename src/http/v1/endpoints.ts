import { type App, endpointsOf } from '../../domain/app/app.ts'
import { type Endpoint, type EndpointKind, kindsOf } from '../../domain/app/endpoint.ts'
import { rotateSecret } from '../../domain/app/endpoint-rotation.ts'
import { addEndpoint, found, removeEndpoint, updateEndpoint } from '../../domain/app/endpoints.ts'
import { findApp } from '../../domain/app/manage.ts'
import { effectivePolicy } from '../../domain/app/policy.ts'
import { channels, type EndpointChannel, endpointChannels } from '../../domain/delivery/channel.ts'
import { readLocale } from '../../domain/language.ts'
import { type FieldError, Problem } from '../../domain/problem.ts'
import { readVariables } from '../../domain/template/variables.ts'
import { allowedRecipient, readRecipient } from '../../domain/verification/recipient.ts'
import { presentEndpoint, presentRotated } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import type { TestDeliveryRequest } from './components/app.ts'
import { kindsGiven, settingsInput } from './input.ts'

type OfApp = AdminCall & { params: { id: string } }
type One = AdminCall & { params: { id: string; endpoint_id: string } }

export async function list(ports: RoutePorts, { params }: OfApp): Promise<Reply> {
  const { endpoints } = await findApp(ports, params.id)
  return json({ items: endpoints.map(presentEndpoint) })
}

export async function add(
  ports: RoutePorts,
  { actor, params, draft: { fields, mistakes } }: OfApp & { draft: Draft },
): Promise<Reply> {
  const kind = kindOf(fields, mistakes)
  const input = settingsInput(kind, fields[kind], mistakes)
  const { rank, enabled } = fields
  const place = { appId: params.id, kind, rank, enabled }
  return json(presentEndpoint(await addEndpoint(ports, actor, { ...place, input, mistakes })), 201)
}

/** The kind of a new endpoint, by the settings that it has; adds what is wrong to `mistakes`. */
function kindOf({ channel, ...fields }: Draft['fields'], mistakes: FieldError[]): EndpointKind {
  const isChannel = endpointChannels.some((name) => name === channel)
  if (!isChannel) {
    const reason = channel === undefined ? 'is missing' : `must be ${endpointChannels.join(', ')}`
    mistakes.push({ field: 'channel', reason })
  }
  const kinds = isChannel ? kindsOf(channel as EndpointChannel) : kindsGiven(fields)
  const given = kindsGiven(fields)
  const kind = given.find((each) => kinds.includes(each))
  for (const other of given.filter((each) => each !== kind)) {
    mistakes.push({ field: other, reason: 'is not for this endpoint' })
  }
  if (kind !== undefined) return kind
  mistakes.push({ field: kinds.join(' or ') || 'email', reason: 'is missing' })
  throw new Problem('invalid_request', { errors: mistakes })
}

export async function update(
  ports: RoutePorts,
  { actor, params, draft: { fields, mistakes } }: One & { draft: Draft },
): Promise<Reply> {
  const { id: appId, endpoint_id: id } = params
  const { kind } = found(await findApp(ports, appId), id).settings
  for (const other of kindsGiven(fields).filter((given) => given !== kind)) {
    mistakes.push({ field: other, reason: 'is not for this endpoint' })
  }
  const input = settingsInput(kind, fields[kind], mistakes)
  const { rank, enabled } = fields
  const change = { appId, id, rank, enabled, input, mistakes }
  return json(presentEndpoint(await updateEndpoint(ports, actor, change)))
}

export async function rotate(
  ports: RoutePorts,
  { actor, params, draft: { fields, mistakes } }: One & { draft: Draft },
): Promise<Reply> {
  const { id: appId, endpoint_id: id } = params
  const { secret, keep_former_seconds: keepFormerSeconds } = fields
  const rotation = { appId, id, secret, keepFormerSeconds, mistakes }
  return json(presentRotated(await rotateSecret(ports, actor, rotation)))
}

export async function remove(ports: RoutePorts, { actor, params }: One): Promise<Reply> {
  await removeEndpoint(ports, actor, { appId: params.id, id: params.endpoint_id })
  return noContent
}

/** The longest time of a test message, in seconds. */
export const testSeconds = 60

export async function test(
  ports: RoutePorts,
  { params, body, patience }: OfApp & { body: TestDeliveryRequest },
): Promise<Reply> {
  const app = await findApp(ports, params.id)
  const endpoint = endpointFor(app, body.endpoint)
  const { to } = body
  const rules = effectivePolicy(app.policy, ports.settings)
  const recipient =
    to === undefined
      ? null
      : allowedRecipient(ports, readRecipient(channels[endpoint.channel].takes, to), rules)
  const locale = body.locale === undefined ? null : readLocale(body.locale)
  const variables = readVariables(body.variables, app.templates)
  const message = recipient && { recipient, locale, variables }
  patience(testSeconds)
  return json(await ports.testDelivery(app, endpoint, message))
}

function endpointFor(app: App, id: string | undefined): Endpoint {
  if (id !== undefined) return found(app, id)
  const [first] = endpointsOf(app, 'email')
  if (!first) throw new Problem('channel_not_configured')
  return first
}

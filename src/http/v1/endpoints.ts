import { type App, endpointsOf } from '../../domain/app/app.ts'
import { type Endpoint, isEndpointChannel } from '../../domain/app/endpoint.ts'
import { addEndpoint, found, removeEndpoint, updateEndpoint } from '../../domain/app/endpoints.ts'
import { findApp } from '../../domain/app/manage.ts'
import { channels, endpointChannels } from '../../domain/delivery/channel.ts'
import { readLocale } from '../../domain/language.ts'
import { Problem } from '../../domain/problem.ts'
import { readVariables } from '../../domain/template/variables.ts'
import { readRecipient } from '../../domain/verification/recipient.ts'
import { presentEndpoint } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import type { TestDeliveryRequest } from './components/app.ts'
import { emailInput } from './input.ts'

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
  const { channel, rank } = fields
  const isChannel = isEndpointChannel(channel)
  if (!isChannel) {
    const reason = channel === undefined ? 'is missing' : `must be ${endpointChannels.join(' or ')}`
    mistakes.push({ field: 'channel', reason })
  }
  const endpoint = await addEndpoint(ports, actor, {
    appId: params.id,
    channel: isChannel ? channel : 'email',
    rank,
    email: emailInput(fields['email'], mistakes),
    mistakes,
  })
  return json(presentEndpoint(endpoint), 201)
}

export async function update(
  ports: RoutePorts,
  { actor, params, draft: { fields, mistakes } }: One & { draft: Draft },
): Promise<Reply> {
  const endpoint = await updateEndpoint(ports, actor, {
    appId: params.id,
    id: params.endpoint_id,
    rank: fields['rank'],
    email: emailInput(fields['email'], mistakes),
    mistakes,
  })
  return json(presentEndpoint(endpoint))
}

export async function remove(ports: RoutePorts, { actor, params }: One): Promise<Reply> {
  await removeEndpoint(ports, actor, { appId: params.id, id: params.endpoint_id })
  return noContent
}

/** The longest time of a test message, in seconds. */
const testSeconds = 60

export async function test(
  ports: RoutePorts,
  { params, body, patience }: OfApp & { body: TestDeliveryRequest },
): Promise<Reply> {
  const app = await findApp(ports, params.id)
  const endpoint = endpointFor(app, body.endpoint)
  const { to } = body
  const recipient = to === undefined ? null : readRecipient(channels[endpoint.channel].takes, to)
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

import { recordBounce } from '../../domain/delivery/bounce.ts'
import { Problem, secondsUntil } from '../../domain/problem.ts'
import type { Reply } from '../core/api.ts'
import { noContent, text } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { GatewayCall, InboundCall } from './api.ts'

/** Answers the same whatever the message is, so that it tells nothing about verifications. */
export async function bounce(
  ports: RoutePorts,
  { app, raw }: InboundCall & { raw: Uint8Array },
): Promise<Reply> {
  ports.metrics.count('otpmint_bounces_total', await recordBounce(ports, { app, raw }))
  return noContent
}

const unsigned: Reply = {
  status: 401,
  type: '',
  body: null,
  headers: { 'www-authenticate': 'Signature' },
}

/** A missing or wrong signature counts as an unknown credential, and is not told from an unknown id. */
export async function callback(
  ports: RoutePorts,
  {
    request,
    client,
    params,
    raw,
  }: GatewayCall & { params: { endpoint_id: string }; raw: Uint8Array },
): Promise<Reply> {
  const { endpoint_id: endpointId } = params
  const { url, headers } = request
  const result = await ports.takeCallback({ endpointId, url, headers, body: raw })
  if (result.outcome === 'unsigned') {
    await ports.guard.chargeFailure(client())
    return unsigned
  }
  if (result.outcome === 'taken') return noContent
  const retryAfterSeconds = secondsUntil(result.at, ports.clock.now())
  throw new Problem('rate_limited', { limit: 'bot_updates', retryAfterSeconds })
}

/** Answers the gateway that checks whether its callbacks come here, in plain text. */
export async function challenge(
  ports: RoutePorts,
  { request, client, params }: GatewayCall & { params: { endpoint_id: string } },
): Promise<Reply> {
  const query = new URL(request.url).searchParams
  const answer = await ports.answerChallenge({ endpointId: params.endpoint_id, query })
  if (answer !== null) return text(answer)
  await ports.guard.chargeFailure(client())
  return unsigned
}

import { recordBounce } from '../../domain/delivery/bounce.ts'
import type { Reply } from '../core/api.ts'
import { noContent } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { InboundCall } from './api.ts'

/** Answers the same whatever the message is, so that it tells nothing about verifications. */
export async function bounce(
  ports: RoutePorts,
  { app, raw }: InboundCall & { raw: Uint8Array },
): Promise<Reply> {
  ports.metrics.count('otpmint_bounces_total', await recordBounce(ports, { app, raw }))
  return noContent
}

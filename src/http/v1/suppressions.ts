import { listSuppressions, removeSuppression } from '../../domain/delivery/suppressions.ts'
import { presentSuppression } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import { presentPage } from './components/page.ts'

type OfApp = AdminCall & { params: { id: string } }

export async function list(
  ports: RoutePorts,
  { params, query }: OfApp & { query: { limit?: number; cursor?: string } },
): Promise<Reply> {
  const { limit = 20, cursor = null } = query
  const page = await listSuppressions(ports, { appId: params.id, limit, cursor })
  return json(presentPage(page, presentSuppression))
}

export async function remove(
  ports: RoutePorts,
  { actor, params }: AdminCall & { params: { id: string; suppression_id: string } },
): Promise<Reply> {
  const { id: appId, suppression_id: id } = params
  await removeSuppression(ports, actor, { appId, id })
  return noContent
}

export async function removeAddress(
  ports: RoutePorts,
  { actor, params, body }: OfApp & { body: { to: string } },
): Promise<Reply> {
  const { to } = body
  await removeSuppression(ports, actor, { appId: params.id, to })
  return noContent
}

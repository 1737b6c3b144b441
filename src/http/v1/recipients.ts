import {
  confirmBinding,
  getBinding,
  listBindings,
  removeBinding,
  removeBindingOf,
  startBinding,
} from '../../domain/telegram/bindings.ts'
import { presentBinding } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall, AppCall } from './api.ts'
import { presentPage } from './components/page.ts'

type One = AppCall & { params: { id: string } }

const keyOf = ({ app, key, params }: One) => ({ appId: app.id, mode: key.mode, id: params.id })

export async function start(ports: RoutePorts, { app, key }: AppCall): Promise<Reply> {
  const { binding, link } = await startBinding(ports, { app, mode: key.mode })
  return json({ ...presentBinding(binding, ports.clock.now()), link }, 201)
}

export async function get(ports: RoutePorts, call: One): Promise<Reply> {
  return json(presentBinding(await getBinding(ports, keyOf(call)), ports.clock.now()))
}

export async function confirm(ports: RoutePorts, call: One): Promise<Reply> {
  return json(presentBinding(await confirmBinding(ports, keyOf(call)), ports.clock.now()))
}

export async function remove(ports: RoutePorts, call: One): Promise<Reply> {
  await removeBinding(ports, keyOf(call))
  return noContent
}

type OfApp = AdminCall & { params: { id: string } }

export async function list(
  ports: RoutePorts,
  { params, query }: OfApp & { query: { limit?: number; cursor?: string } },
): Promise<Reply> {
  const { limit = 20, cursor = null } = query
  const page = await listBindings(ports, { appId: params.id, limit, cursor })
  const now = ports.clock.now()
  return json(presentPage(page, (binding) => presentBinding(binding, now)))
}

export async function removeOf(
  ports: RoutePorts,
  { actor, params }: AdminCall & { params: { id: string; recipient_id: string } },
): Promise<Reply> {
  await removeBindingOf(ports, actor, { appId: params.id, id: params.recipient_id })
  return noContent
}

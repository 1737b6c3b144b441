import { findApp } from '../../domain/app/manage.ts'
import { updateBrand } from '../../domain/brand/brands.ts'
import { presentBrand } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'

type OfApp = AdminCall & { params: { id: string } }

export async function get(ports: RoutePorts, { params }: OfApp): Promise<Reply> {
  return json(presentBrand((await findApp(ports, params.id)).brand))
}

export async function update(
  ports: RoutePorts,
  { actor, params, draft: { fields, mistakes } }: OfApp & { draft: Draft },
): Promise<Reply> {
  const { color, support, logo } = fields
  const change = { appId: params.id, color, support, logo, mistakes }
  return json(presentBrand(await updateBrand(ports, actor, change)))
}

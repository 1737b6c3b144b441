import type { KeyMode } from '../../domain/app/app.ts'
import { newKey, revokeKey } from '../../domain/app/manage.ts'
import { readProofSecret } from '../../domain/page/proof.ts'
import { presentKey } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'

export async function create(
  ports: RoutePorts,
  { actor, params, body }: AdminCall & { params: { id: string }; body: { mode: KeyMode } },
): Promise<Reply> {
  const { key, text } = await newKey(ports, actor, { appId: params.id, mode: body.mode })
  return json({ ...presentKey(key), key: text }, 201)
}

export async function revoke(
  ports: RoutePorts,
  { actor, params }: AdminCall & { params: { id: string; key_id: string } },
): Promise<Reply> {
  await revokeKey(ports, actor, { appId: params.id, keyId: params.key_id })
  return noContent
}

export async function proofSecret(
  ports: RoutePorts,
  { actor, params }: AdminCall & { params: { id: string } },
): Promise<Reply> {
  return json({ secret: await readProofSecret(ports, actor, params.id) })
}

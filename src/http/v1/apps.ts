import { createApp, deleteApp, findApp, updateApp } from '../../domain/app/manage.ts'
import { presentApp, presentKey } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import { presentPage } from './components/page.ts'
import { policyInput, settingsInput } from './input.ts'

export async function create(
  ports: RoutePorts,
  { actor, draft: { fields, mistakes } }: AdminCall & { draft: Draft },
): Promise<Reply> {
  const { app, keys, liveKey, testKey } = await createApp(ports, actor, {
    name: fields['name'],
    policy: policyInput(fields['policy']),
    email: settingsInput('email', fields['email'], mistakes),
    mistakes,
  })
  const secrets = { live_key: liveKey, test_key: testKey }
  return json({ ...presentApp(app), ...secrets, keys: keys.map(presentKey) }, 201)
}

export async function list(
  { apps }: RoutePorts,
  { query }: { query: { limit?: number; cursor?: string; name?: string } },
): Promise<Reply> {
  const { limit = 20, cursor = null, name = null } = query
  return json(presentPage(await apps.list({ limit, cursor, name }), presentApp))
}

export async function get(
  { apps }: RoutePorts,
  { params }: { params: { id: string } },
): Promise<Reply> {
  const app = await findApp({ apps }, params.id)
  const keys = await apps.keys(app.id)
  return json({ ...presentApp(app), keys: keys.map(presentKey) })
}

export async function update(
  ports: RoutePorts,
  { actor, params, draft }: AdminCall & { params: { id: string }; draft: Draft },
): Promise<Reply> {
  const { fields, mistakes } = draft
  const policy = policyInput(fields['policy'])
  const change = { id: params.id, name: fields['name'], policy, mistakes }
  return json(presentApp(await updateApp(ports, actor, change)))
}

export async function remove(
  ports: RoutePorts,
  { actor, params }: AdminCall & { params: { id: string } },
): Promise<Reply> {
  await deleteApp(ports, actor, params.id)
  return noContent
}

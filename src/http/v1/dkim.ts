import { addDkimKey, checkDkimKeys, removeDkimKey } from '../../domain/app/dkim-keys.ts'
import { findApp } from '../../domain/app/manage.ts'
import { presentCheckedDkim, presentDkim } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'

type OfApp = AdminCall & { params: { id: string } }

export async function list(ports: RoutePorts, { params }: OfApp): Promise<Reply> {
  const { dkim } = await findApp(ports, params.id)
  return json({ items: dkim.map((key) => presentDkim(key, dkim)) })
}

export async function add(
  ports: RoutePorts,
  { actor, params, draft: { fields, mistakes } }: OfApp & { draft: Draft },
): Promise<Reply> {
  const { domain, selector, private_key: privateKey } = fields
  const input = { appId: params.id, domain, selector, privateKey, mistakes }
  const key = await addDkimKey(ports, actor, input)
  return json(presentDkim(key, [key]), 201)
}

/** The longest time of a check, in seconds. */
const checkSeconds = 20

export async function check(ports: RoutePorts, { actor, params, patience }: OfApp): Promise<Reply> {
  patience(checkSeconds)
  const checked = await checkDkimKeys(ports, actor, params.id)
  return json({ items: presentCheckedDkim(checked) })
}

export async function testDns(ports: RoutePorts, { params, patience }: OfApp): Promise<Reply> {
  const app = await findApp(ports, params.id)
  patience(checkSeconds)
  return json({ items: await ports.testDns(app) })
}

export async function remove(
  ports: RoutePorts,
  { actor, params }: AdminCall & { params: { id: string; dkim_id: string } },
): Promise<Reply> {
  await removeDkimKey(ports, actor, { appId: params.id, id: params.dkim_id })
  return noContent
}

import {
  endSession as end,
  type Invited,
  inviteAccount,
  linkAccount,
  listSessions,
  removeAccount,
  updateAccount,
} from '../../domain/account/accounts.ts'
import { linkUrl } from '../../domain/account/link.ts'
import { presentAccount, presentSessionRow } from '../../present/accounts.ts'
import { timestamp } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'

type OfAccount = AdminCall & { params: { id: string } }
type Fields = { name: string; role: string }

export async function list({ accounts }: RoutePorts): Promise<Reply> {
  return json({ items: (await accounts.list()).map(presentAccount) })
}

export async function invite(
  ports: RoutePorts,
  { actor, body }: AdminCall & { body: Fields },
): Promise<Reply> {
  return json(presentInvited(ports, await inviteAccount(ports, actor, body)), 201)
}

export async function update(
  ports: RoutePorts,
  { actor, params, body }: OfAccount & { body: Partial<Fields> },
): Promise<Reply> {
  return json(presentAccount(await updateAccount(ports, actor, { ...body, id: params.id })))
}

export async function remove(ports: RoutePorts, { actor, params }: OfAccount): Promise<Reply> {
  await removeAccount(ports, actor, params)
  return noContent
}

export async function link(ports: RoutePorts, { actor, params }: OfAccount): Promise<Reply> {
  return json(presentInvited(ports, await linkAccount(ports, actor, params.id)), 201)
}

export async function sessions(ports: RoutePorts, { params }: OfAccount): Promise<Reply> {
  const found = await listSessions(ports, ports.dashboard.times, params.id)
  return json({ items: found.map(presentSessionRow) })
}

export async function endSession(
  ports: RoutePorts,
  { actor, params }: AdminCall & { params: { id: string; session_id: string } },
): Promise<Reply> {
  await end(ports, actor, { accountId: params.id, id: params.session_id })
  return noContent
}

function presentInvited({ dashboard }: RoutePorts, { account, link: made }: Invited) {
  const base = dashboard.linkBase()
  return {
    ...presentAccount(account),
    link: base === null ? null : linkUrl(base, made.text),
    link_expires_at: timestamp(made.link.expiresAt),
  }
}

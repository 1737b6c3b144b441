import { Problem } from '../../domain/problem.ts'
import { presentInboxItem, presentInboxMessage } from '../../present/inbox.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { InboxMessage } from '../ports.ts'
import type { AdminCall } from './api.ts'

type ListQuery = { app?: string; search?: string; limit?: number; cursor?: string }

export async function list(
  { inbox, clock }: RoutePorts,
  { query }: { query: ListQuery },
): Promise<Reply> {
  const { app, search = '', limit = 20, cursor } = query
  const found = (await inbox.list())
    .filter(({ appId }) => app === undefined || appId === app)
    .filter((message) => isFound(message, search.trim().toLowerCase()))
  // A message that was cleared in the meantime begins the list again.
  const start = found.findIndex(({ deliveryId }) => deliveryId === cursor) + 1
  const items = found.slice(start, start + limit)
  const hasMore = found.length > start + limit
  const now = clock.now()
  return json({
    items: items.map((message) => presentInboxItem(message, now)),
    next_cursor: hasMore ? (items.at(-1)?.deliveryId ?? null) : null,
  })
}

export async function get(
  { inbox, clock }: RoutePorts,
  { params }: { params: { id: string } },
): Promise<Reply> {
  const message = (await inbox.list()).find(({ deliveryId }) => deliveryId === params.id)
  if (!message) throw new Problem('message_not_found')
  return json(presentInboxMessage(message, await inbox.source(params.id), clock.now()))
}

export async function clear(
  { inbox }: RoutePorts,
  { actor, query }: AdminCall & { query: { app?: string } },
): Promise<Reply> {
  await inbox.clear(actor, { appId: query.app ?? null })
  return noContent
}

function isFound({ to, subject, code, reference, appName }: InboxMessage, text: string): boolean {
  return [to, subject, code, reference, appName ?? ''].some((field) => {
    return field.toLowerCase().includes(text)
  })
}

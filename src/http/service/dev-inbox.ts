import { t } from 'elysia'
import { type Operation, type Route, type RoutePorts, routesOf } from '../core/route.ts'
import { createAssets } from '../dashboard/assets.ts'
import { assetReply } from '../dashboard/files.ts'
import * as messages from '../v1/inbox.ts'
import * as docs from '../v1/operations/inbox.ts'
import { service } from './api.ts'
import { list, listInbox } from './inbox.ts'
import { page, part } from './page.ts'

const route = routesOf(service)

const tag = 'Pages'
const description = 'In developer mode only: the same as for the admin, without a credential.'

const inboxPart: Operation = {
  ...part('inboxPart'),
  params: { file: t.String({ description: 'The name of the file.' }) },
}
const listMessages = { ...docs.listTestMessages, id: 'listDevMessages', tag, description }
const getMessage = { ...docs.getTestMessage, id: 'getDevMessage', tag, description }
const clearMessages = { ...docs.clearTestMessages, id: 'clearDevMessages', tag, description }

/**
 * The inbox of developer mode, with the messages of test keys: the test inbox of the dashboard as a
 * page of its own, and what it asks for. Nobody signs in; `admit` keeps out who is not on this machine.
 */
export function devInboxRoutes(): Route[] {
  const { find } = createAssets()
  const file = (_: RoutePorts, { request }: { request: Request }) => assetReply(find, request)
  return [
    route('GET', '/dev/inbox', 'anybody', page('inboxPage', 'The inbox'), file),
    route('GET', '/ui/:file', 'anybody', inboxPart, file),
    route('GET', '/dev/inbox.json', 'anybody', listInbox, list),
    route('GET', '/dev/inbox/messages', 'anybody', listMessages, messages.list),
    route('GET', '/dev/inbox/messages/:id', 'anybody', getMessage, messages.get),
    route('DELETE', '/dev/inbox/messages', 'anybody', clearMessages, (ports, call) =>
      messages.clear(ports, { ...call, actor: { who: 'open', requestId: call.requestId } }),
    ),
  ]
}

import { findApp } from '../../domain/app/manage.ts'
import type { ChannelKind } from '../../domain/delivery/channel.ts'
import {
  cancelAsAdmin,
  resendAsAdmin,
  searchAsAdmin,
} from '../../domain/verification/administer.ts'
import { listVerifications } from '../../domain/verification/list.ts'
import { readStory } from '../../domain/verification/story.ts'
import type { Mode, Status } from '../../domain/verification/verification.ts'
import { presentStory } from '../../present/story.ts'
import { presentVerification } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import { presentPage } from './components/page.ts'

type OfApp = AdminCall & { params: { id: string } }
type Filter = { mode?: Mode; status?: Status; limit?: number; cursor?: string }
type One = AdminCall & {
  params: { id: string; verification_id: string }
  query: { mode?: Mode }
}

export async function list(
  ports: RoutePorts,
  { params, query }: OfApp & { query: Filter },
): Promise<Reply> {
  await findApp(ports, params.id)
  const page = await listVerifications(ports, requestOf(params.id, query))
  return json(presentPage(page, presenter(ports)))
}

export async function search(
  ports: RoutePorts,
  { actor, params, body }: OfApp & { body: Filter & { to: string } },
): Promise<Reply> {
  const request = { ...requestOf(params.id, body), to: body.to }
  return json(presentPage(await searchAsAdmin(ports, actor, request), presenter(ports)))
}

export async function get(ports: RoutePorts, call: One): Promise<Reply> {
  await findApp(ports, call.params.id)
  return json(presentStory(await readStory(ports, placeOf(call)), ports.clock.now()))
}

export async function resend(
  ports: RoutePorts,
  { body, ...call }: One & { body: { channel?: ChannelKind } },
): Promise<Reply> {
  const request = { ...placeOf(call), channel: body.channel }
  return json(presenter(ports)(await resendAsAdmin(ports, call.actor, request)))
}

export async function cancel(ports: RoutePorts, call: One): Promise<Reply> {
  return json(presenter(ports)(await cancelAsAdmin(ports, call.actor, placeOf(call))))
}

function requestOf(appId: string, { mode = 'live', status, limit = 20, cursor = null }: Asked) {
  return { appId, mode, status, limit, cursor }
}

type Asked = Omit<Filter, 'cursor'> & { cursor?: string | null }

function placeOf({ params, query: { mode = 'live' } }: One) {
  return { appId: params.id, mode, id: params.verification_id }
}

function presenter({ clock }: Pick<RoutePorts, 'clock'>) {
  const now = clock.now()
  return (verification: Parameters<typeof presentVerification>[0]) => {
    return presentVerification(verification, now)
  }
}

import { findApp } from '../../domain/app/manage.ts'
import { invalidField } from '../../domain/problem.ts'
import { readTime } from '../../domain/time.ts'
import { listMessages, replayMessages } from '../../domain/webhook/replay.ts'
import { isSuccess } from '../../domain/webhook/schedule.ts'
import {
  addWebhook,
  foundWebhook,
  listWebhooks,
  removeWebhook,
  rotateWebhookSecret,
  updateWebhook,
} from '../../domain/webhook/webhooks.ts'
import { presentMessage, presentWebhook } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import { presentPage } from './components/page.ts'

type OfApp = AdminCall & { params: { id: string } }
type One = AdminCall & { params: { id: string; webhook_id: string } }

const placeOf = ({ params }: One) => ({ appId: params.id, id: params.webhook_id })

export async function list(ports: RoutePorts, { params }: OfApp): Promise<Reply> {
  const found = await listWebhooks(ports, params.id)
  return json({ items: found.map(({ webhook, state }) => presentWebhook(webhook, { state })) })
}

export async function add(
  ports: RoutePorts,
  { actor, params, draft }: OfApp & { draft: Draft },
): Promise<Reply> {
  const added = await addWebhook(ports, actor, { appId: params.id, ...inputOf(draft) })
  return json(presentWebhook(added.webhook, added), 201)
}

export async function update(ports: RoutePorts, call: One & { draft: Draft }): Promise<Reply> {
  const input = { ...placeOf(call), ...inputOf(call.draft) }
  const updated = await updateWebhook(ports, call.actor, input)
  return json(presentWebhook(updated.webhook, updated))
}

function inputOf({ fields, mistakes }: Draft) {
  const { url, types, enabled, secret, test_events: testEvents } = fields
  return { url, types, enabled, secret, testEvents, mistakes }
}

export async function remove(ports: RoutePorts, call: One): Promise<Reply> {
  await removeWebhook(ports, call.actor, placeOf(call))
  return noContent
}

/** The longest time of a test message, in seconds. */
const testSeconds = 20

export async function test(ports: RoutePorts, { params, patience }: One): Promise<Reply> {
  const app = await findApp(ports, params.id)
  const webhook = foundWebhook(app, params.webhook_id)
  patience(testSeconds)
  const { code, detail } = await ports.testWebhook(app, webhook)
  return json({
    delivered: isSuccess(code),
    ...(code !== null && { code }),
    ...(detail !== null && { detail }),
  })
}

export async function rotate(ports: RoutePorts, call: One & { draft: Draft }): Promise<Reply> {
  const { fields, mistakes } = call.draft
  const { secret, keep_former_seconds: keepFormerSeconds } = fields
  const input = { ...placeOf(call), secret, keepFormerSeconds, mistakes }
  const rotated = await rotateWebhookSecret(ports, call.actor, input)
  return json(presentWebhook(rotated.webhook, rotated))
}

export async function messages(
  ports: RoutePorts,
  call: One & { query: { status?: 'dead'; limit?: number; cursor?: string } },
): Promise<Reply> {
  const { status, limit = 20, cursor = null } = call.query
  const query = { ...placeOf(call), isDeadOnly: status === 'dead', limit, cursor }
  return json(presentPage(await listMessages(ports, query), presentMessage))
}

type ReplayBody = { message?: string; from?: string; to?: string; only_dead?: boolean }

/** The longest time of a replay, in seconds. */
const replaySeconds = 60

export async function replay(ports: RoutePorts, call: One & { body: ReplayBody }): Promise<Reply> {
  call.patience(replaySeconds)
  const input = { ...placeOf(call), ...whichOf(call.body) }
  const { count, isFull } = await replayMessages(ports, call.actor, input)
  return json({ replayed: count, complete: !isFull })
}

function whichOf({ message, from, to, only_dead: isDeadOnly = true }: ReplayBody) {
  if (message !== undefined) {
    const range = from === undefined ? (to === undefined ? null : 'to') : 'from'
    if (range !== null) throw invalidField(range, 'is not for one message')
    return { message }
  }
  if (from === undefined) throw invalidField('message', 'is missing, or from is')
  const end = to === undefined ? undefined : readTime('to', to)
  return { from: readTime('from', from), to: end, isDeadOnly }
}

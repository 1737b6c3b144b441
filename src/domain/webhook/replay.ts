import { entry, findApp } from '../app/manage.ts'
import { type Actor, audited } from '../audit.ts'
import type { Ports } from '../ports.ts'
import { invalidField, Problem } from '../problem.ts'
import type { Page } from '../stores.ts'
import type { Message } from './message.ts'
import { foundWebhook } from './webhooks.ts'

type ReplayPorts = Pick<Ports, 'apps' | 'webhooks' | 'audit' | 'keyring' | 'clock'>

/** One message by its id, or those of events from `from` up to `to`, which is now if absent. */
export type ReplayInput = { appId: string; id: string } & (
  | { message: string }
  | { from: number; to?: number | undefined; isDeadOnly: boolean }
)

const batch = 500

/**
 * Sends messages again, with the same ids, as if they were new: one by its id, or those of a time,
 * oldest first. `isFull`: so many wait that not all of them could be added. Throws `app_not_found`,
 * `webhook_not_found`, `message_not_found`, `invalid_request`.
 */
export async function replayMessages(
  ports: ReplayPorts,
  actor: Actor,
  input: ReplayInput,
): Promise<{ count: number; isFull: boolean }> {
  const { appId, id: webhookId } = input
  foundWebhook(await findApp(ports, appId), webhookId)
  const now = ports.clock.now()
  const place = { appId, webhookId, now, limit: batch }
  if ('message' in input) {
    const which = { id: input.message }
    const { count, isFull } = await ports.webhooks.replay({ ...place, which })
    if (count === 0 && !isFull) throw new Problem('message_not_found')
    await record(ports, actor, input, `message ${input.message}`)
    return { count, isFull }
  }
  const { from, to = now, isDeadOnly } = input
  if (from >= to) throw invalidField('from', 'must be before to')
  let [count, isFull, after] = [0, false, null as string | null]
  do {
    const which = { from, to, isDeadOnly, after }
    const replayed = await ports.webhooks.replay({ ...place, which })
    count += replayed.count
    ;({ isFull, after } = replayed)
  } while (after !== null)
  await record(ports, actor, input, `${count} messages`)
  return { count, isFull }
}

async function record(
  ports: ReplayPorts,
  actor: Actor,
  { appId, id }: ReplayInput,
  what: string,
): Promise<void> {
  const made = entry(ports, actor, 'webhook.replay', appId, `webhook ${id} ${what}`)
  await audited(ports, made, (append) => ports.audit.append(append))
}

/** The messages of a webhook, newest first. Throws `app_not_found`, `webhook_not_found`. */
export async function listMessages(
  ports: Pick<Ports, 'apps' | 'webhooks'>,
  {
    appId,
    id,
    ...query
  }: { appId: string; id: string; isDeadOnly: boolean; limit: number; cursor: string | null },
): Promise<Page<Message>> {
  foundWebhook(await findApp(ports, appId), id)
  const { isDeadOnly, limit, cursor } = query
  const status = isDeadOnly ? 'dead' : null
  return ports.webhooks.list({ appId, webhookId: id, status, limit, cursor })
}

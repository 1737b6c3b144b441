import { alarmChange } from '../../domain/alarm.ts'
import type { Event } from '../../domain/event.ts'
import {
  isToldOf,
  messageId,
  type Told,
  toldOf,
  tooManyWait,
  waitingMax,
} from '../../domain/webhook/message.ts'
import type { WebhookPlace } from '../../domain/webhook/stores.ts'
import type { Webhook } from '../../domain/webhook/webhook.ts'
import { toVerification, type VerificationRow, verificationColumns } from '../verification-row.ts'
import type { AlarmRows } from './alarms.ts'
import type { Tell } from './events.ts'
import type { Session } from './lanes.ts'

type Listener = (place: WebhookPlace) => void

export type Teller = {
  events: Tell
  /** Tells the listeners of these webhooks, once the transaction is over. */
  wake(session: Session, places: WebhookPlace[]): void
  listen(listener: Listener): void
}

export function createTell({ alarms }: { alarms: Pick<AlarmRows, 'raise'> }): Teller {
  const listeners: Listener[] = []

  function wake(session: Session, places: WebhookPlace[]): void {
    const apps = new Map(places.map(({ appId, webhookId }) => [webhookId, appId]))
    session.onCommit(() => {
      for (const [webhookId, appId] of apps) {
        for (const listener of listeners) listener({ appId, webhookId })
      }
    })
  }

  async function events(session: Session, events: Event[]): Promise<void> {
    const told = await readTold(session, events)
    if (told.length === 0) return
    const webhooks = await lockWebhooks(session, told)
    const messages = told.flatMap((one) => messagesOf(one, webhooks))
    if (messages.length === 0) return
    await session.run(write, { messages: JSON.stringify(messages) })
    const off = new Set(webhooks.flatMap(({ id, offSince }) => (offSince === null ? [] : [id])))
    wake(
      session,
      messages.filter(({ dueAt, webhookId }) => dueAt !== null && !off.has(webhookId)),
    )
    const late = new Map(
      messages.flatMap((one) => (one.dueAt === null ? [[one.webhookId, one]] : [])),
    )
    for (const { appId, webhookId: endpointId, at } of late.values()) {
      const alarm = { kind: 'webhook_backlog', appId, endpointId } as const
      await alarms.raise(session, alarmChange('raised', alarm, at))
    }
  }

  return { events, wake, listen: (listener) => void listeners.push(listener) }
}

type ToldEvent = { event: Event; appId: string; told: Told }

/** What is told of events, with their verifications as they are now. */
async function readTold(session: Session, events: Event[]): Promise<ToldEvent[]> {
  const ids = events.flatMap(({ verificationId }) => verificationId ?? [])
  const rows =
    ids.length === 0
      ? []
      : await session.query<VerificationRow>(
          `select ${verificationColumns} from verifications where id = any($ids::text[])`,
          { ids },
        )
  const verifications = new Map(rows.map((row) => [`${row.appId} ${row.id}`, row]))
  return events.flatMap((event) => {
    const { appId, verificationId } = event
    const row = verifications.get(`${appId} ${verificationId}`)
    const told = toldOf(event, row ? toVerification(row) : null)
    return told && appId !== null ? { event, appId, told } : []
  })
}

type Hook = Pick<Webhook, 'id' | 'types' | 'testEvents' | 'offSince'> & {
  appId: string
  waiting: number
}

/**
 * Locks all webhooks of the apps: a message that is one too many raises an alarm, which other webhooks
 * of the app are told of in this transaction too.
 */
async function lockWebhooks(session: Session, told: ToldEvent[]): Promise<Hook[]> {
  const rows = await session.query<Omit<Hook, 'types'> & { types: string }>(
    `select id, app_id, types, test_events, off_since, waiting from webhooks
    where app_id = any($appIds::text[]) order by id for update`,
    { appIds: [...new Set(told.map(({ appId }) => appId))] },
  )
  return rows.map((row) => ({ ...row, types: JSON.parse(row.types) }))
}

type NewMessage = WebhookPlace & {
  id: string
  type: string
  verificationId: string | null
  body: string
  status: 'waiting' | 'dead'
  detail: string | null
  dueAt: number | null
  at: number
}

/** The messages of an event; counts them in `waiting`. */
function messagesOf({ event, appId, told }: ToldEvent, webhooks: Hook[]): NewMessage[] {
  const { at, verificationId } = event
  const { type, body } = told
  return webhooks
    .filter((webhook) => webhook.appId === appId && isToldOf(webhook, told))
    .map((webhook) => {
      const isLate = webhook.waiting >= waitingMax
      if (!isLate) webhook.waiting++
      return {
        ...{ appId, webhookId: webhook.id, id: messageId(at, event.id), type, body, at },
        ...{ verificationId, status: isLate ? 'dead' : 'waiting', dueAt: isLate ? null : at },
        detail: isLate ? tooManyWait : null,
      }
    })
}

// The webhooks are locked, so that both parts see them as they were read.
const write = `
  with new as materialized (
    select * from rows from (jsonb_to_recordset($messages::jsonb) as ("appId" text,
      "webhookId" text, id text, type text, "verificationId" text, body text, status text,
      detail text, "dueAt" bigint, at bigint)) with ordinality),
  added as (
    insert into webhook_messages (app_id, webhook_id, id, type, verification_id, body, status,
      detail, due_at, created_at)
    select "appId", "webhookId", id, type, "verificationId", body, status, detail, "dueAt", at
    from new order by ordinality),
  sums as (
    select "webhookId", count(*) as waiting, min("dueAt") as first from new
    where "dueAt" is not null group by "webhookId")
  update webhooks set waiting = webhooks.waiting + sums.waiting,
    due_at = case when off_since is null then least(due_at, first) end
  from sums where id = "webhookId"`

import type { Database } from 'bun:sqlite'
import { alarmChange } from '../../domain/alarm.ts'
import type { Event } from '../../domain/event.ts'
import type { Timers } from '../../domain/ports.ts'
import {
  isToldOf,
  messageId,
  type Told,
  toldOf,
  tooManyWait,
  waitingMax,
} from '../../domain/webhook/message.ts'
import type { WebhookPlace } from '../../domain/webhook/stores.ts'
import { toldAs, type Webhook } from '../../domain/webhook/webhook.ts'
import { toVerification, type VerificationRow, verificationColumns } from '../verification-row.ts'
import type { AlarmRows } from './alarms.ts'
import type { AppCache } from './apps.ts'
import { createWebhookRows } from './webhooks.ts'

/** Writes the messages of an event, in its transaction. */
export type Tell = (event: Omit<Event, 'id'>, number: number) => void

type Deps = {
  database: Database
  cache: AppCache
  timers: Pick<Timers, 'soon'>
  alarms: Pick<AlarmRows, 'raise'>
}

export function createTell({ database, cache, timers, alarms }: Deps) {
  const rows = createWebhookRows(database)
  const statements = prepare(database)
  const listeners: ((place: WebhookPlace) => void)[] = []
  let changed = new Map<string, WebhookPlace>()

  function verificationOf({ appId, verificationId }: Omit<Event, 'id'>) {
    if (appId === null || verificationId === null) return null
    const row = statements.verification.get({ id: verificationId, appId })
    return row && toVerification(row)
  }

  /** Tells the listeners of the places, once the transaction is over. */
  function wake(place: WebhookPlace): void {
    if (listeners.length === 0) return
    if (changed.size === 0) {
      timers.soon(() => {
        const places = changed
        changed = new Map()
        for (const one of places.values()) for (const listener of listeners) listener(one)
      })
    }
    changed.set(place.webhookId, place)
  }

  function write(webhook: Webhook, event: Omit<Event, 'id'>, { id, told }: Written): void {
    const { at, verificationId } = event
    const place = { appId: event.appId ?? '', webhookId: webhook.id }
    const message = { ...place, id, type: told.type, verificationId, body: told.body, at }
    if (statements.count.run({ id: webhook.id, at, waitingMax }).changes > 0) {
      statements.insert.run({ ...message, status: 'waiting', detail: null, dueAt: at })
      wake(place)
      return
    }
    statements.insert.run({ ...message, status: 'dead', detail: tooManyWait, dueAt: null })
    const alarm = { kind: 'webhook_backlog', appId: place.appId, endpointId: webhook.id } as const
    alarms.raise(alarmChange('raised', alarm, at))
  }

  const event: Tell = (event, number) => {
    const { appId } = event
    const type = toldAs[event.type]
    if (appId === null || type === null) return
    const webhooks = cache.get(`webhooks ${appId}`, () => rows.of(appId)) ?? []
    if (!webhooks.some(({ types }) => types.includes(type))) return
    const told = toldOf(event, verificationOf(event))
    if (!told) return
    const written = { id: messageId(event.at, number), told }
    for (const webhook of webhooks) if (isToldOf(webhook, told)) write(webhook, event, written)
  }

  return {
    event,
    wake,
    listen: (listener: (place: WebhookPlace) => void) => void listeners.push(listener),
  }
}

export type Teller = ReturnType<typeof createTell>

type Written = { id: string; told: Told }

function prepare(database: Database) {
  return {
    verification: database.prepare<VerificationRow, { id: string; appId: string }>(
      `select ${verificationColumns} from verifications where id = $id and app_id = $appId`,
    ),
    // Also the condition under which one more may wait.
    count: database.prepare<null, { id: string; at: number; waitingMax: number }>(`
      update webhooks set waiting = waiting + 1,
        due_at = iif(off_since is null, min(ifnull(due_at, $at), $at), null)
      where id = $id and waiting < $waitingMax`),
    insert: database.prepare<null, NewMessage>(`
      insert into webhook_messages (app_id, webhook_id, id, type, verification_id, body, status,
        detail, due_at, created_at)
      values ($appId, $webhookId, $id, $type, $verificationId, $body, $status,
        $detail, $dueAt, $at)`),
  }
}

type NewMessage = WebhookPlace & {
  id: string
  type: string
  verificationId: string | null
  body: string
  status: string
  detail: string | null
  dueAt: number | null
  at: number
}

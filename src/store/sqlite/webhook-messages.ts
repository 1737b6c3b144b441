import type { Database } from 'bun:sqlite'
import {
  type DueMessage,
  type Message,
  messageId,
  waitingMax,
} from '../../domain/webhook/message.ts'
import type {
  DueQuery,
  MessageQuery,
  MessageResult,
  ReplayCommand,
  Replayed,
  SettledWebhook,
  WebhookPlace,
  WebhookStore,
} from '../../domain/webhook/stores.ts'
import type { WebhookState } from '../../domain/webhook/webhook.ts'
import { alarmOff } from '../../domain/webhook/webhooks.ts'
import { toPage } from '../page.ts'
import { chooseReplayed, type Found } from '../replay.ts'
import type { AlarmRows } from './alarms.ts'
import type { AppCache } from './apps.ts'
import type { Parts } from './parts.ts'
import type { Teller } from './tell.ts'
import { firstDue } from './webhooks.ts'

type Deps = Parts & { alarms: AlarmRows; cache: Pick<AppCache, 'forget'>; tell: Teller }

export function createWebhookStore(deps: Deps): WebhookStore {
  const { database, read, write, tell } = deps
  const leases = createLeases(database)
  const lists = createLists(database)
  const settle = createSettle(deps)
  const replay = createReplay(deps)
  const purge = database.prepare<null, WebhookPlace & { limit: number }>(`
    delete from webhook_messages where number in (
      select number from webhook_messages
      where app_id = $appId and webhook_id = $webhookId limit $limit)`)

  return {
    ...{ states: (appId) => read(() => lists.states.all({ appId })) },
    due: ({ after, ...query }) => read(() => leases.due.all({ ...query, after: after ?? '' })),
    lease: (command) => write(() => leases.take.get(command)),
    releaseLeases: (node) => write(() => void leases.release.run({ node })),
    dueMessages: (query) => read(() => lists.due.all(query)),
    settle: ({ now, webhooks }) =>
      write(() => {
        for (const webhook of webhooks) settle(webhook, now)
      }),
    list: (query) => read(() => lists.page(query)),
    replay: (command) => write(() => replay(command)),
    purge: (command) => write(() => purge.run(command).changes),
    backlog: () => read(() => lists.backlog.get()?.waiting ?? 0),
    onMessage: tell.listen,
    // There is one node.
    announce: () => {},
    onAnnounced: () => {},
  }
}

/** A time that is further away than any wait was written by a wrong clock. */
const isDue = '(due_at <= $now or due_at > $now + $dueWithinMs)'

function createLeases(database: Database) {
  const isFree = `off_since is null and (leased_by in ('', $node) or leased_until <= $now
    or leased_by not in (select id from nodes where seen_at >= $silentSince))`
  return {
    due: database.prepare<WebhookPlace, DueQuery & { after: string; limit: number }>(`
      select app_id as appId, id as webhookId from webhooks
      where ${isDue} and id > $after and ${isFree} order by id limit $limit`),
    take: database.prepare<
      Pick<WebhookState, 'failingSince'>,
      DueQuery & WebhookPlace & { until: number }
    >(`
      update webhooks set leased_by = $node, leased_until = $until
      where id = $webhookId and app_id = $appId and ${isFree}
      returning failing_since as failingSince`),
    release: database.prepare<null, { node: string }>(
      "update webhooks set leased_by = '', leased_until = 0 where leased_by = $node",
    ),
  }
}

function createLists(database: Database) {
  const columns = `
    id, webhook_id as webhookId, type, verification_id as verificationId, status, tries,
    due_at as nextAt, code, detail, created_at as createdAt`
  const ofWebhook = 'app_id = $appId and webhook_id = $webhookId and id < $before'
  const page = (condition: string) =>
    database.prepare<Message, WebhookPlace & { before: string; limit: number }>(`
      select ${columns} from webhook_messages where ${ofWebhook} ${condition}
      order by id desc limit $limit`)
  const [all, dead] = [page(''), page("and status = 'dead'")]

  return {
    states: database.prepare<WebhookState, { appId: string }>(`
      select id, waiting, failing_since as failingSince from webhooks where app_id = $appId`),
    due: database.prepare<DueMessage, Parameters<WebhookStore['dueMessages']>[0]>(`
      select id, type, tries, body from webhook_messages
      where webhook_id = $webhookId and app_id = $appId and ${isDue}
      order by due_at limit $limit`),
    page({ status, limit, cursor, ...place }: MessageQuery) {
      const query = { ...place, before: cursor ?? afterAll, limit: limit + 1 }
      return toPage((status === 'dead' ? dead : all).all(query), limit)
    },
    backlog: database.prepare<{ waiting: number }, []>(
      'select coalesce(sum(waiting), 0) as waiting from webhooks',
    ),
  }
}

/** Behind every id. */
const afterAll = '~'

/** Counts messages out, and finds the next that is due. */
function prepareRefresh(database: Database) {
  return database.prepare<{ waiting: number }, { id: string; ended: number }>(`
    update webhooks set waiting = max(0, waiting - $ended),
      due_at = iif(off_since is null, (${firstDue}), null)
    where id = $id returning waiting`)
}

function createSettle({ database, alarms, cache }: Deps) {
  const refresh = prepareRefresh(database)
  const result = database.prepare<null, WebhookPlace & MessageResult>(`
    update webhook_messages set status = $status, tries = $tries, code = $code, detail = $detail,
      due_at = $at
    where app_id = $appId and webhook_id = $webhookId and id = $id and due_at is not null`)
  const health = database.prepare<null, { id: string; failingSince: number | null }>(`
    update webhooks set failing_since = $failingSince
    where id = $id and failing_since is not $failingSince`)
  const off = database.prepare<null, { id: string; now: number; cause: string }>(`
    update webhooks set off_since = $now, off_cause = $cause
    where id = $id and off_since is null`)
  const nextVersion = database.prepare<null, { appId: string }>(
    'update apps set version = version + 1 where id = $appId',
  )

  return (webhook: SettledWebhook, now: number): void => {
    const { appId, webhookId, results, failingSince } = webhook
    let ended = 0
    for (const one of results) {
      const { changes } = result.run({ appId, webhookId, ...one })
      if (one.status !== 'waiting') ended += changes
    }
    health.run({ id: webhookId, failingSince })
    if (webhook.off && off.run({ id: webhookId, now, cause: webhook.off.cause }).changes > 0) {
      nextVersion.run({ appId })
      cache.forget()
      alarms.raise(webhook.off.alarm)
    }
    const state = refresh.get({ id: webhookId, ended })
    const isCalm = state !== null && ended > 0 && state.waiting <= waitingMax / 2
    if (isCalm) alarms.clear(alarmOff(appId, webhookId, 'webhook_backlog', now))
  }
}

function createReplay({ database, tell }: Deps) {
  const refresh = prepareRefresh(database)
  const ofWebhook = 'app_id = $appId and webhook_id = $webhookId'
  const room = database.prepare<{ waiting: number }, WebhookPlace>(`
    select waiting from webhooks where app_id = $appId and id = $webhookId`)
  const one = database.prepare<Found, WebhookPlace & { id: string }>(`
    select id, status from webhook_messages where ${ofWebhook} and id = $id`)
  const some = (condition: string) =>
    database.prepare<Found, WebhookPlace & { from: string; to: string; limit: number }>(`
      select id, status from webhook_messages
      where ${ofWebhook} and id > $from and id < $to and ${condition} order by id limit $limit`)
  const [dead, ended] = [some("status = 'dead'"), some("status <> 'waiting'")]
  const again = database.prepare<null, WebhookPlace & { id: string; now: number }>(`
    update webhook_messages set status = 'waiting', tries = 0, code = null, detail = null,
      due_at = $now
    where ${ofWebhook} and id = $id`)

  function find({ which, limit, ...command }: ReplayCommand): Found[] {
    const place = { appId: command.appId, webhookId: command.webhookId }
    if ('id' in which) return one.all({ ...place, id: which.id })
    const { from, to, isDeadOnly, after } = which
    const range = { from: after ?? messageId(from, 0), to: messageId(to, 0), limit }
    return (isDeadOnly ? dead : ended).all({ ...place, ...range })
  }

  return (command: ReplayCommand): Replayed => {
    const { appId, webhookId, now } = command
    const place = { appId, webhookId }
    const left = waitingMax - (room.get(place)?.waiting ?? waitingMax)
    const { ids, added, replayed } = chooseReplayed(find(command), left, command)
    for (const id of ids) again.run({ ...place, id, now })
    if (ids.length > 0) {
      refresh.get({ id: webhookId, ended: -added })
      tell.wake(place)
    }
    return replayed
  }
}

/** Deletes the oldest messages that were written before a time; how many. */
export function createMessageSweep(database: Database) {
  const refresh = prepareRefresh(database)
  const oldest = `select number from (
    select number, created_at from webhook_messages order by number limit $limit)
    where created_at < $before`
  const waiting = database.prepare<{ id: string; ended: number }, Before>(`
    select webhook_id as id, count(*) as ended from webhook_messages
    where number in (${oldest}) and due_at is not null group by webhook_id`)
  const remove = database.prepare<null, Before>(
    `delete from webhook_messages where number in (${oldest})`,
  )

  return (command: Before): { changes: number } => {
    const ended = waiting.all(command)
    const { changes } = remove.run(command)
    for (const one of ended) refresh.get(one)
    return { changes }
  }
}

type Before = { before: number; limit: number }

import {
  type DueMessage,
  type Message,
  messageId,
  waitingMax,
} from '../../domain/webhook/message.ts'
import type {
  DueQuery,
  MessageQuery,
  ReplayCommand,
  Replayed,
  SettledWebhook,
  SettleWebhooks,
  WebhookPlace,
  WebhookStore,
} from '../../domain/webhook/stores.ts'
import type { WebhookState } from '../../domain/webhook/webhook.ts'
import { alarmOff } from '../../domain/webhook/webhooks.ts'
import { toPage } from '../page.ts'
import { chooseReplayed, type Found } from '../replay.ts'
import type { AlarmRows } from './alarms.ts'
import type { Database } from './database.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'
import type { Teller } from './tell.ts'
import type { Wake } from './wake.ts'
import { firstDue } from './webhooks.ts'

type Deps = Pick<Parts, 'database'> & {
  alarms: AlarmRows
  tell: Teller
  wake: Wake['webhooks']
}

/**
 * Whoever writes messages or counts them locks their webhook first, so that its sums and the time that
 * it is due are those of all its messages.
 */
export function createWebhookStore({ database, alarms, tell, wake }: Deps): WebhookStore {
  return {
    states: (appId) =>
      database.read<WebhookState>(
        'select id, waiting, failing_since from webhooks where app_id = $appId',
        { appId },
      ),
    ...createLeases(database),
    dueMessages: (query) => database.read<DueMessage>(dueMessages, query),
    settle: (command) => database.transaction((session) => settle(session, alarms, command)),
    list: (query) => listMessages(database, query),
    replay: (command) => database.transaction((session) => replay(session, tell, command)),
    purge: (command) =>
      database.run(
        `
        delete from webhook_messages where number = any(array(
          select number from webhook_messages
          where app_id = $appId and webhook_id = $webhookId limit $limit for update skip locked))`,
        command,
      ),
    async backlog() {
      const [row] = await database.read<{ waiting: number }>(
        'select coalesce(sum(waiting), 0)::bigint as waiting from webhooks',
      )
      return row?.waiting ?? 0
    },
    onMessage: tell.listen,
    announce: wake.announce,
    onAnnounced: wake.listen,
  }
}

/** A time that is further away than any wait was written by a wrong clock. */
const isDue = '(due_at <= $now or due_at > $now::bigint + $dueWithinMs::bigint)'

const dueMessages = `
  select id, type, tries, body from webhook_messages
  where webhook_id = $webhookId and app_id = $appId and ${isDue}
  order by due_at limit $limit`

function createLeases(database: Database): Pick<WebhookStore, 'due' | 'lease' | 'releaseLeases'> {
  const isFree = `off_since is null and (leased_by in ('', $node) or leased_until <= $now
    or leased_by not in (select id from nodes where seen_at >= $silentSince))`
  return {
    due: ({ after, ...query }) =>
      database.read<WebhookPlace>(
        `
        select app_id, id as webhook_id from webhooks
        where ${isDue} and id > $after and ${isFree} order by id limit $limit`,
        { ...query, after: after ?? '' },
      ),
    async lease({ dueWithinMs: _, ...command }: DueQuery & WebhookPlace & { until: number }) {
      const [leased] = await database.write<Pick<WebhookState, 'failingSince'>>(
        `
        update webhooks set leased_by = $node, leased_until = $until
        where id = $webhookId and app_id = $appId and ${isFree}
        returning failing_since`,
        command,
      )
      return leased ?? null
    },
    async releaseLeases(node) {
      await database.run(
        "update webhooks set leased_by = '', leased_until = 0 where leased_by = $node",
        { node },
      )
    },
  }
}

async function listMessages(
  database: Database,
  { status, limit, cursor, ...place }: MessageQuery,
): ReturnType<WebhookStore['list']> {
  const rows = await database.read<Message>(
    `
    select id, webhook_id, type, verification_id, status, tries, due_at as next_at, code, detail,
      created_at
    from webhook_messages
    where app_id = $appId and webhook_id = $webhookId and id < $before
      ${status === 'dead' ? "and status = 'dead'" : ''}
    order by id desc limit $limit`,
    { ...place, before: cursor ?? afterAll, limit: limit + 1 },
  )
  return toPage(rows, limit)
}

/** Behind every id. */
const afterAll = '~'

/** Locks webhooks; answers those that are there. */
function lock(session: Session, ids: string[]): Promise<WebhookRow[]> {
  return session.query<WebhookRow>(
    `select id, app_id, waiting, off_since from webhooks where id = any($ids::text[])
    order by id for update`,
    { ids },
  )
}

type WebhookRow = { id: string; appId: string; waiting: number; offSince: number | null }

/**
 * Counts messages out of locked webhooks, and finds the next ones that are due; how many wait in each.
 */
function refresh(
  session: Session,
  ended: { id: string; ended: number }[],
): Promise<Pick<WebhookRow, 'id' | 'appId' | 'waiting'>[]> {
  return session.query(
    `
    update webhooks set waiting = greatest(0, waiting - ended), due_at = case when off_since is null
      then (${firstDue}) end
    from jsonb_to_recordset($ended::jsonb) as counted (place text, ended bigint)
    where id = place returning id, app_id, waiting`,
    { ended: JSON.stringify(ended.map(({ id, ended }) => ({ place: id, ended }))) },
  )
}

async function settle(
  session: Session,
  alarms: AlarmRows,
  { now, webhooks }: SettleWebhooks,
): Promise<void> {
  const locked = await lockForSettle(session, webhooks)
  const known = webhooks.filter(({ appId, webhookId }) => locked.get(webhookId)?.appId === appId)
  if (known.length === 0) return
  const ended = await writeResults(session, known)
  await writeHealth(session, known)
  for (const { appId, webhookId, off } of known) {
    if (!off || locked.get(webhookId)?.offSince !== null) continue
    await switchOff(session, { appId, webhookId, now, cause: off.cause })
    await alarms.raise(session, off.alarm)
  }
  const counts = known.map(({ webhookId: id }) => ({ id, ended: ended.get(id) ?? 0 }))
  for (const { id, appId, waiting } of await refresh(session, counts)) {
    const isCalm = (ended.get(id) ?? 0) > 0 && waiting <= waitingMax / 2
    if (isCalm) await alarms.clear(session, alarmOff(appId, id, 'webhook_backlog', now))
  }
}

/**
 * Locks the apps of webhooks that are switched off, then all webhooks of the apps, which may be told of
 * an alarm.
 */
async function lockForSettle(
  session: Session,
  webhooks: SettledWebhook[],
): Promise<Map<string, WebhookRow>> {
  const appIds = [...new Set(webhooks.map(({ appId }) => appId))]
  const changed = [...new Set(webhooks.flatMap(({ appId, off }) => (off ? [appId] : [])))]
  if (changed.length > 0) {
    await session.query(
      'select from apps where id = any($changed::text[]) order by id for no key update',
      { changed },
    )
  }
  const rows = await session.query<WebhookRow>(
    `select id, app_id, waiting, off_since from webhooks where app_id = any($appIds::text[])
    order by id for update`,
    { appIds },
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** How many messages of each webhook have ended with it. */
async function writeResults(
  session: Session,
  webhooks: SettledWebhook[],
): Promise<Map<string, number>> {
  const results = webhooks.flatMap(({ appId, webhookId, results }) =>
    results.map((result) => ({ appId, webhookId, ...result })),
  )
  const rows = await session.query<{ webhookId: string; status: Message['status'] }>(
    `
    update webhook_messages as message set status = result.status, tries = result.tries,
      code = result.code, detail = result.detail, due_at = result.at
    from jsonb_to_recordset($results::jsonb) as result ("appId" text, "webhookId" text, id text,
      status text, tries bigint, code bigint, detail text, at bigint)
    where message.app_id = "appId" and message.webhook_id = "webhookId"
      and message.id = result.id and due_at is not null
    returning message.webhook_id, message.status`,
    { results: JSON.stringify(results) },
  )
  const ended = new Map<string, number>()
  for (const { webhookId, status } of rows) {
    if (status !== 'waiting') ended.set(webhookId, (ended.get(webhookId) ?? 0) + 1)
  }
  return ended
}

async function writeHealth(session: Session, webhooks: SettledWebhook[]): Promise<void> {
  await session.run(
    `
    update webhooks set failing_since = "failingSince"
    from jsonb_to_recordset($webhooks::jsonb) as health ("webhookId" text, "failingSince" bigint)
    where id = "webhookId" and failing_since is distinct from "failingSince"`,
    {
      webhooks: JSON.stringify(
        webhooks.map(({ webhookId, failingSince }) => ({ webhookId, failingSince })),
      ),
    },
  )
}

async function switchOff(
  session: Session,
  { appId, webhookId, now, cause }: WebhookPlace & { now: number; cause: string },
): Promise<void> {
  await session.run(
    'update webhooks set off_since = $now, off_cause = $cause where id = $webhookId',
    { webhookId, now, cause },
  )
  await session.run('update apps set version = version + 1, stamp = stamp + 1 where id = $appId', {
    appId,
  })
}

async function replay(
  session: Session,
  { wake }: Teller,
  command: ReplayCommand,
): Promise<Replayed> {
  const { appId, webhookId, now } = command
  const place = { appId, webhookId }
  const [webhook] = await lock(session, [webhookId])
  const room = webhook?.appId === appId ? waitingMax - webhook.waiting : 0
  const found = await findEnded(session, command)
  const { ids, added, replayed } = chooseReplayed(found, room, command)
  if (ids.length > 0) {
    await session.run(
      `
      update webhook_messages set status = 'waiting', tries = 0, code = null, detail = null,
        due_at = $now
      where app_id = $appId and webhook_id = $webhookId and id = any($ids::text[])`,
      { ...place, ids, now },
    )
    await refresh(session, [{ id: webhookId, ended: -added }])
    wake(session, [place])
  }
  return replayed
}

function findEnded(
  session: Session,
  { which, limit, appId, webhookId }: ReplayCommand,
): Promise<Found[]> {
  const ofWebhook = 'app_id = $appId and webhook_id = $webhookId'
  if ('id' in which) {
    return session.query(
      `select id, status from webhook_messages where ${ofWebhook} and id = $id`,
      {
        ...{ appId, webhookId, id: which.id },
      },
    )
  }
  const { from, to, isDeadOnly, after } = which
  return session.query(
    `
    select id, status from webhook_messages
    where ${ofWebhook} and id > $from and id < $to
      and ${isDeadOnly ? "status = 'dead'" : "status <> 'waiting'"}
    order by id limit $limit`,
    { appId, webhookId, from: after ?? messageId(from, 0), to: messageId(to, 0), limit },
  )
}

/** Deletes the oldest messages that were written before a time; how many. */
export async function sweepMessages(
  session: Session,
  { before, limit }: { before: number; limit: number },
): Promise<number> {
  const oldest = await session.query<{ number: number; webhookId: string }>(
    `
    select number, webhook_id from (
      select number, webhook_id, created_at from webhook_messages order by number limit $limit)
      as oldest
    where created_at < $before`,
    { before, limit },
  )
  if (oldest.length === 0) return 0
  await lock(session, [...new Set(oldest.map(({ webhookId }) => webhookId))])
  const rows = await session.query<{ webhookId: string; isWaiting: boolean }>(
    `delete from webhook_messages where number = any($numbers::bigint[])
    returning webhook_id, due_at is not null as is_waiting`,
    { numbers: oldest.map(({ number }) => number) },
  )
  const ended = new Map<string, number>()
  for (const { webhookId, isWaiting } of rows) {
    if (isWaiting) ended.set(webhookId, (ended.get(webhookId) ?? 0) + 1)
  }
  if (ended.size > 0)
    await refresh(
      session,
      [...ended].map(([id, ended]) => ({ id, ended })),
    )
  return rows.length
}

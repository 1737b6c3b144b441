import { countrySlotMs } from '../../domain/delivery/spending.ts'
import { idAt } from '../../domain/id.ts'
import type { MaintenanceStore, SweepCommand } from '../../domain/stores.ts'
import { dayMs, hourMs } from '../../domain/verification/limits.ts'
import { type ExpiredRow, expiredColumns, expiredEvent, forgotten } from '../verification-row.ts'
import type { Database } from './database.ts'
import type { AddEvents } from './events.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'
import { createPartitions, deleteVerifications } from './retire.ts'
import { sweepMessages } from './webhook-messages.ts'

/** The keeping time of inbox messages and of nodes that are gone. */
const inboxKeptMs = dayMs
const nodesKeptMs = dayMs

type Deps = Pick<Parts, 'database' | 'timers'> & { addEvents: AddEvents }
type Before = { before: number; limit: number }

/**
 * Deletes rows whose keeping time is over, at most `limit` rows of each kind a call and each kind in a
 * transaction of its own, so that no lock is held for long. First clears the address and the digest of
 * expired verifications. What lies in the partition of a day goes with it, when all of the day is over.
 */
export function createSweep({ database, timers, addEvents }: Deps): MaintenanceStore['sweep'] {
  const partitions = createPartitions({ database, timers })

  return async (command) => {
    const { now, limit } = command
    await partitions.make(now)
    let rows = await database.transaction((session) => forget(session, addEvents, command))
    const old = { before: command.verificationsBefore, limit }
    rows += await database.transaction((session) => sweepVerifications(session, old))
    rows += await database.transaction((session) => sweepDeliveries(session, old))
    rows += await partitions.retire(old)
    rows += await database.transaction((session) =>
      sweepMessages(session, { before: command.messagesBefore, limit }),
    )
    for (const [statement, before] of plain(command)) {
      rows += await database.run(statement, { before, limit })
    }
    for (const span of command.figuresBefore) {
      rows += await database.run(removeFigures, { ...span, limit })
    }
    const limits = await sweepLimits(database, command)
    return { rows: rows + limits.rows, limitsAfter: limits.after }
  }
}

/** Clears digest and address of expired verifications, and tells it of those that were pending. */
async function forget(
  session: Session,
  addEvents: AddEvents,
  { now, limit, expiredEvent: type }: SweepCommand,
): Promise<number> {
  const rows = await session.query<ExpiredRow & { wasPending: boolean; route: string | null }>(
    `update verifications set ${forgotten}
    where id = any(array(select id from verifications
      where code_digest is not null and expires_at <= $now
      order by expires_at limit $limit for update skip locked))
    returning ${expiredColumns}, attempts_spent < attempts_max as was_pending, route`,
    { now, limit },
  )
  const ids = rows.flatMap(({ id, route }) => (route === null ? [] : [id]))
  if (ids.length > 0) {
    await session.run(
      `update verification_recipients set recipient_sealed = null
      where verification_id = any($ids::text[])`,
      { ids },
    )
  }
  const expired = rows.filter(({ wasPending }) => wasPending)
  await addEvents(
    session,
    expired.map((row) => expiredEvent(row, type, now)),
  )
  return rows.length
}

/** Of the default partition: others are dropped as a whole. */
async function sweepVerifications(session: Session, { before, limit }: Before): Promise<number> {
  const rows = await session.query<{ id: string }>(
    `select id from verifications_default where id < $before
    order by id limit $limit for update skip locked`,
    { before: idAt(before), limit },
  )
  await deleteVerifications(
    session,
    rows.map(({ id }) => id),
  )
  return rows.length
}

async function sweepDeliveries(session: Session, { before, limit }: Before): Promise<number> {
  const rows = await session.query<{ id: string }>(
    `select id from deliveries_default where id < $before
    order by id limit $limit for update skip locked`,
    { before: idAt(before), limit },
  )
  if (rows.length === 0) return 0
  const tries = await session.run(
    `with sent as (delete from deliveries where id = any($ids::text[]))
    delete from delivery_tries where delivery_id = any($ids::text[])`,
    { ids: rows.map(({ id }) => id) },
  )
  return rows.length + tries
}

/** Statements that delete by one time each. Rows that are in use wait for the next call. */
function plain(command: SweepCommand): [statement: string, before: number][] {
  const { now, eventsBefore, bindingsBefore, spendingBefore } = command
  const minutesOf = (at: number) => Math.floor(at / 60_000)
  return [
    [remove('guess_failures', 'hour'), Math.floor(command.failuresBefore / hourMs)],
    [remove('answers', 'kept_at'), command.idempotencyBefore],
    [remove('events', 'at'), eventsBefore],
    [remove('app_minutes', 'minute'), minutesOf(eventsBefore)],
    [remove('suppressions', 'until'), command.suppressionsBefore],
    [remove('bindings', 'expires_at'), bindingsBefore],
    [remove('bots', 'at'), bindingsBefore],
    [remove('pages', 'kept_until'), command.pagesBefore],
    [remove('page_reports', 'at'), command.reportsBefore],
    [remove('endpoint_minutes', 'minute'), minutesOf(command.refusalsBefore)],
    [remove('app_costs', 'day'), Math.floor(spendingBefore / dayMs)],
    [remove('app_countries', 'slot'), Math.floor(spendingBefore / countrySlotMs)],
    [remove('learned_days', 'day'), command.learnedDaysBefore],
    [remove('learned_recipients', 'day'), command.learnedRecipientsBefore],
    [remove('alarms', 'until'), eventsBefore],
    [removeOldest('inbox', 'at'), now - inboxKeptMs],
    [remove('nodes', 'seen_at'), now - nodesKeptMs],
    // At the end of a session and of a link, as the domain has it.
    [remove('sessions', 'expires_at'), now + 1],
    [remove('links', 'expires_at'), now + 1],
    [remove('sign_ins', 'at'), command.triesBefore],
    [remove('accounts', 'removed_at'), command.accountsBefore],
  ]
}

/** In order, so by an index where there is one: a plan without it reads the whole table. */
const remove = (table: string, column: string) => `
  delete from ${table} where ctid = any(array(
    select ctid from ${table} where ${column} < $before
    order by ${column} limit $limit for update skip locked))`

const removeFigures = `
  delete from figures where ctid = any(array(
    select ctid from figures where span_ms = $spanMs and at < $before
    order by at limit $limit for update skip locked))`

/** For a table whose ids grow with time, without an index by it. */
const removeOldest = (table: string, column: string) => `
  delete from ${table} where id = any(array(
    select id from (select id, ${column} from ${table} order by id limit $limit) as oldest
    where ${column} < $before))`

/** Reads the limits by key, because every start would have to update an index by age. */
async function sweepLimits(
  database: Database,
  { limitsAfter: from, limit, now }: SweepCommand,
): Promise<{ rows: number; after: Uint8Array }> {
  const keys = await database.read<{ key: Uint8Array }>(
    'select key from limits where key > $from order by key limit $limit',
    { from, limit },
  )
  const last = keys.at(-1)
  if (!last) return { rows: 0, after: new Uint8Array(0) }
  const rows = await database.run(
    `delete from limits where ctid = any(array(
      select ctid from limits where key > $from and key <= $to and kept_until <= $now
      for update skip locked))`,
    { from, to: last.key, now },
  )
  return { rows, after: last.key }
}

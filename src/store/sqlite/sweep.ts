import type { Database } from 'bun:sqlite'
import { countrySlotMs } from '../../domain/delivery/spending.ts'
import type { SweepCommand } from '../../domain/stores.ts'
import { dayMs, hourMs } from '../../domain/verification/limits.ts'
import { type ExpiredRow, expiredColumns, expiredEvent, forgotten } from '../verification-row.ts'
import { pragma } from './database.ts'
import type { AddEvent } from './events.ts'
import { createMessageSweep } from './webhook-messages.ts'

/** The keeping time of inbox messages and of nodes that are gone. */
const inboxKeptMs = dayMs
const nodesKeptMs = dayMs
/** The file is shrunk while more than one page in so many is free. */
const freeShare = 4

/**
 * Deletes rows whose keeping time is over, at most `limit` rows of each kind a call, so that no
 * commit is long. First clears the address and the digest of expired verifications.
 */
export function createSweep(
  database: Database,
  addEvent: AddEvent,
): (command: SweepCommand) => { rows: number; limitsAfter: Uint8Array } {
  const steps = prepareSteps(database)
  const forget = createForget(database, addEvent)
  const sweepLimits = createLimitSweep(database)
  const messages = createMessageSweep(database)
  const figures = database.prepare<null, Before & { spanMs: number }>(`
    delete from figures where (app_id, span_ms, at, part, value) in (
      select app_id, span_ms, at, part, value from figures
      where span_ms = $spanMs and at < $before limit $limit)`)

  return (command) => {
    const { now, limit, verificationsBefore, eventsBefore, failuresBefore } = command
    const verifications = { before: verificationsBefore, limit }
    const events = { before: eventsBefore, limit }
    // Failures stay counted when their verification is deleted.
    steps.keepFailures.run(verifications)
    steps.keepFurtherFailures.run(verifications)
    const limits = sweepLimits(command)
    const rows = [
      { changes: forget(command) },
      steps.furtherRecipients.run(verifications),
      steps.verifications.run(verifications),
      steps.tries.run(verifications),
      steps.deliveries.run(verifications),
      steps.failures.run({ before: Math.floor(failuresBefore / hourMs), limit }),
      steps.answers.run({ before: command.idempotencyBefore, limit }),
      steps.events.run(events),
      messages({ before: command.messagesBefore, limit }),
      steps.minutes.run({ before: Math.floor(eventsBefore / 60_000), limit }),
      steps.suppressions.run({ before: command.suppressionsBefore, limit }),
      steps.bindings.run({ before: command.bindingsBefore, limit }),
      steps.pages.run({ before: command.pagesBefore, limit }),
      steps.reports.run({ before: command.reportsBefore, limit }),
      steps.bots.run({ before: command.bindingsBefore, limit }),
      steps.endpointMinutes.run({ before: Math.floor(command.refusalsBefore / 60_000), limit }),
      steps.costs.run({ before: Math.floor(command.spendingBefore / dayMs), limit }),
      steps.countries.run({ before: Math.floor(command.spendingBefore / countrySlotMs), limit }),
      steps.learnedDays.run({ before: command.learnedDaysBefore, limit }),
      steps.learnedRecipients.run({ before: command.learnedRecipientsBefore, limit }),
      ...command.figuresBefore.map((span) => figures.run({ ...span, limit })),
      steps.alarms.run(events),
      steps.inbox.run({ before: now - inboxKeptMs, limit }),
      steps.nodes.run({ before: now - nodesKeptMs, limit }),
      steps.sessions.run({ before: now, limit }),
      steps.links.run({ before: now, limit }),
      steps.signIns.run({ before: command.triesBefore, limit }),
      steps.accounts.run({ before: command.accountsBefore, limit }),
    ].reduce((sum, { changes }) => sum + changes, limits.rows)
    shrink(database, limit)
    return { rows, limitsAfter: limits.after }
  }
}

/** Clears digest and address of expired verifications, and tells it of those that were pending. */
function createForget(database: Database, addEvent: AddEvent): (command: SweepCommand) => number {
  const forget = database.prepare<ForgottenRow, Before>(`
    update verifications set ${forgotten}
    where id in (select id from verifications
      where code_digest is not null and expires_at <= $before limit $limit)
    returning ${expiredColumns}, attempts_spent < attempts_max as "wasPending", route`)
  const forgetFurther = database.prepare<null, { id: string }>(`
    update verification_recipients set recipient_sealed = null where verification_id = $id`)

  return ({ now, limit, expiredEvent: type }) => {
    const rows = forget.all({ before: now, limit })
    for (const row of rows) {
      if (row.wasPending) addEvent(expiredEvent(row, type, now))
      if (row.route !== null) forgetFurther.run(row)
    }
    return rows.length
  }
}

type ForgottenRow = ExpiredRow & { wasPending: 0 | 1; route: string | null }

/** Reads the limits by key, because every start would have to update an index by age. */
function createLimitSweep(database: Database) {
  const keys = database.prepare<{ key: Uint8Array }, { from: Uint8Array; limit: number }>(
    'select key from limits where key > $from order by key limit $limit',
  )
  const remove = database.prepare<null, { from: Uint8Array; to: Uint8Array; now: number }>(
    'delete from limits where key > $from and key <= $to and kept_until <= $now',
  )

  return ({ limitsAfter: from, limit, now }: SweepCommand): { rows: number; after: Uint8Array } => {
    const last = keys.all({ from, limit }).at(-1)
    if (!last) return { rows: 0, after: new Uint8Array(0) }
    return { rows: remove.run({ from, to: last.key, now }).changes, after: last.key }
  }
}

/** Gives free pages back to the file system. */
function shrink(database: Database, pagesMax: number): void {
  const free = Number(pragma(database, 'pragma freelist_count'))
  const all = Number(pragma(database, 'pragma page_count'))
  if (free * freeShare > all) database.run(`pragma incremental_vacuum(${pagesMax})`)
}

type Before = { before: number; limit: number }

// Each inner select reads by age (a timed id or an index) and stops at the limit.
function prepareSteps(database: Database) {
  const oldest = (table: string) => `
    select id from (select id, created_at from ${table} order by id limit $limit)
    where created_at < $before`
  const prepare = (sql: string) => database.prepare<null, Before>(sql)
  const keepFailures = (key: string, join: string) => `
    insert into guess_failures (recipient_key, hour, failures)
    select ${key}, expires_at / ${hourMs}, sum(attempts_spent - (status = 'approved'))
    from verifications ${join} where id in (${oldest('verifications')})
      and code_format = 'numeric' and attempts_spent > (status = 'approved')
    group by 1, 2
    on conflict (recipient_key, hour) do update set failures = failures + excluded.failures`

  return {
    keepFailures: prepare(keepFailures('recipient_key', '')),
    keepFurtherFailures: prepare(
      keepFailures(
        'further.recipient_key',
        'join verification_recipients as further on verification_id = id',
      ),
    ),
    furtherRecipients: prepare(`
      delete from verification_recipients where verification_id in (${oldest('verifications')})`),
    verifications: prepare(`delete from verifications where id in (${oldest('verifications')})`),
    tries: prepare(`delete from delivery_tries where delivery_id in (${oldest('deliveries')})`),
    deliveries: prepare(`delete from deliveries where id in (${oldest('deliveries')})`),
    failures: prepare(`
      delete from guess_failures where (recipient_key, hour) in (
        select recipient_key, hour from guess_failures where hour < $before limit $limit)`),
    answers: prepare(`
      delete from answers where key in (
        select key from answers where kept_at < $before limit $limit)`),
    events: prepare(`
      delete from events where id in (select id from events where at < $before limit $limit)`),
    minutes: prepare(`
      delete from app_minutes where (app_id, minute) in (
        select app_id, minute from app_minutes where minute < $before limit $limit)`),
    costs: prepare(`
      delete from app_costs where (app_id, day) in (
        select app_id, day from app_costs where day < $before limit $limit)`),
    countries: prepare(`
      delete from app_countries where (app_id, country, slot) in (
        select app_id, country, slot from app_countries where slot < $before limit $limit)`),
    suppressions: prepare(`
      delete from suppressions where id in (
        select id from suppressions where until < $before limit $limit)`),
    bindings: prepare(`
      delete from bindings where id in (
        select id from bindings where expires_at < $before limit $limit)`),
    pages: prepare(`
      delete from pages where verification_id in (
        select verification_id from pages where kept_until < $before limit $limit)`),
    reports: prepare(`
      delete from page_reports where verification_id in (
        select verification_id from page_reports where at < $before limit $limit)`),
    bots: prepare(`
      delete from bots where (app_id, bot) in (
        select app_id, bot from bots where at < $before limit $limit)`),
    sessions: prepare(`
      delete from sessions where id in (
        select id from sessions where expires_at <= $before limit $limit)`),
    links: prepare(`
      delete from links where token_hash in (
        select token_hash from links where expires_at <= $before limit $limit)`),
    signIns: prepare(`
      delete from sign_ins where key in (
        select key from sign_ins where at < $before limit $limit)`),
    accounts: prepare(`
      delete from accounts where id in (
        select id from accounts where removed_at < $before limit $limit)`),
    endpointMinutes: prepare(`
      delete from endpoint_minutes where (app_id, endpoint_id, minute) in (
        select app_id, endpoint_id, minute from endpoint_minutes
        where minute < $before limit $limit)`),
    learnedDays: prepare(`
      delete from learned_days where (app_id, day, recipient_group, endpoint_id) in (
        select app_id, day, recipient_group, endpoint_id from learned_days
        where day < $before limit $limit)`),
    learnedRecipients: prepare(`
      delete from learned_recipients where (app_id, day, recipient_key) in (
        select app_id, day, recipient_key from learned_recipients
        where day < $before limit $limit)`),
    alarms: prepare(`
      delete from alarms where id in (
        select id from alarms where until < $before limit $limit)`),
    inbox: prepare(`
      delete from inbox where id in (
        select id from (select id, at from inbox order by id limit $limit) where at < $before)`),
    nodes: prepare(`
      delete from nodes where id in (select id from nodes where seen_at < $before limit $limit)`),
  }
}

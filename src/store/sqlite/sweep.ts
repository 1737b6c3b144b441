import type { Database } from 'bun:sqlite'
import { dayMs, hourMs } from '../../domain/limit.ts'
import type { SweepCommand } from '../../domain/stores.ts'
import { anchorValue } from './journal.ts'

/**
 * Deletes what is past its keeping time, at most `limit` rows of each kind a call, so that no
 * commit is long. First of all it forgets the address and the digest of what has expired.
 */
export function createSweep(database: Database) {
  const steps = prepareSweep(database)
  // Limits have no index by age, which every start would have to keep: they are walked by key.
  let limitsFrom: Uint8Array = new Uint8Array(0)

  function sweepLimits({ now, limit }: SweepCommand): number {
    const chunk = steps.limitKeys.all({ from: limitsFrom, limit })
    const last = chunk.at(-1)
    if (!last) {
      limitsFrom = new Uint8Array(0)
      return 0
    }
    const { changes } = steps.limits.run({ from: limitsFrom, to: last.key, now })
    limitsFrom = last.key
    return changes
  }

  /** What failed against a recipient stays counted when the verification goes. */
  function sweepVerifications({ verificationsBefore: before, limit }: SweepCommand): number {
    steps.keepFailures.run({ before, limit, hourMs })
    return steps.verifications.run({ before, limit }).changes
  }

  function sweepAudit({ auditBefore, limit }: SweepCommand): number {
    const last = steps.auditOld.get({ before: auditBefore, limit })
    if (!last) return 0
    steps.anchor.run({ value: anchorValue(last.id, last.link) })
    return steps.audit.run({ to: last.id }).changes
  }

  return (command: SweepCommand): number => {
    const { now, verificationsBefore, limitsBefore, eventsBefore, limit } = command
    const hour = Math.floor(limitsBefore / hourMs)
    return (
      steps.forget.run({ now, limit }).changes +
      sweepVerifications(command) +
      steps.deliveries.run({ before: verificationsBefore, limit }).changes +
      steps.idempotency.run({ before: now - dayMs, limit }).changes +
      steps.failures.run({ hour, limit }).changes +
      steps.events.run({ before: eventsBefore, limit }).changes +
      steps.minutes.run({ minute: Math.floor(eventsBefore / 60_000), limit }).changes +
      sweepLimits(command) +
      sweepAudit(command)
    )
  }
}

type Before = { before: number; limit: number }

const oldVerifications = `
  select seq from (select seq, created_at from verifications order by seq limit $limit)
  where created_at < $before`

// Each inner select reads in the order of age (rowid, timed id, index) and stops at `limit`.
function prepareSweep(database: Database) {
  return {
    forget: database.prepare<null, { now: number; limit: number }>(`
      update verifications set recipient_sealed = null, code_digest = null
      where seq in (select seq from verifications
        where recipient_sealed is not null and expires_at <= $now limit $limit)`),
    keepFailures: database.prepare<null, Before & { hourMs: number }>(`
      insert into guess_failures (budget_key, hour, failures)
      select budget_key, expires_at / $hourMs, sum(attempts_spent - (status = 'approved'))
      from verifications where seq in (${oldVerifications})
        and code_format = 'numeric' and attempts_spent > (status = 'approved')
      group by 1, 2
      on conflict (budget_key, hour) do update set failures = failures + excluded.failures`),
    verifications: database.prepare<null, Before>(
      `delete from verifications where seq in (${oldVerifications})`,
    ),
    deliveries: database.prepare<null, Before>(`
      delete from deliveries where id in (
        select id from (select id, created_at from deliveries order by id limit $limit)
        where created_at < $before)`),
    idempotency: database.prepare<null, Before>(`
      delete from idempotency where key in
        (select key from idempotency where kept_at < $before limit $limit)`),
    failures: database.prepare<null, { hour: number; limit: number }>(`
      delete from guess_failures where (budget_key, hour) in
        (select budget_key, hour from guess_failures where hour < $hour limit $limit)`),
    events: database.prepare<null, Before>(`
      delete from events where id in (
        select id from (select id, at from events order by id limit $limit)
        where at < $before)`),
    minutes: database.prepare<null, { minute: number; limit: number }>(`
      delete from app_minutes where (app_id, minute) in
        (select app_id, minute from app_minutes where minute < $minute limit $limit)`),
    limitKeys: database.prepare<{ key: Uint8Array }, { from: Uint8Array; limit: number }>(
      'select key from limits where key > $from order by key limit $limit',
    ),
    limits: database.prepare<null, { from: Uint8Array; to: Uint8Array; now: number }>(
      'delete from limits where key > $from and key <= $to and arrival_at <= $now',
    ),
    auditOld: database.prepare<{ id: number; link: Uint8Array }, Before>(`
      select id, link from
        (select id, at, link from audit order by id limit $limit)
      where at < $before order by id desc limit 1`),
    audit: database.prepare<null, { to: number }>('delete from audit where id <= $to'),
    anchor: database.prepare<null, { value: Uint8Array }>(
      "insert or replace into facts (name, value) values ('audit_anchor', $value)",
    ),
  }
}

import { idAt } from '../../domain/id.ts'
import type { Timers } from '../../domain/ports.ts'
import { Problem } from '../../domain/problem.ts'
import { dayMs, hourMs } from '../../domain/verification/limits.ts'
import type { Database } from './database.ts'
import type { Session } from './lanes.ts'
import {
  dayOf,
  daysAhead,
  dropPartition,
  listPartitions,
  makePartitions,
  type Partition,
} from './partitions.ts'

type Deps = { database: Database; timers: Pick<Timers, 'monotonic'> }
type Range = { before: number; limit: number }

/** So long nothing is tried again after a table could not be locked, for example beside a backup. */
const heldMs = 600_000
/** Rows of an old partition are read faster than others are deleted. */
const readFactor = 10

/**
 * Makes the partitions of the next days, and drops those of days that are over altogether; either
 * needs a lock that everything waits behind, so it waits little itself and tries again later.
 */
export function createPartitions({ database, timers }: Deps) {
  const retire = createRetire(database)
  const [unlessMakingIsHeld, unlessRetiringIsHeld] = [holdBack(timers), holdBack(timers)]
  let madeOn: number | null = null

  return {
    make: (now: number) =>
      unlessMakingIsHeld(async () => {
        const day = dayOf(now)
        if (madeOn === day) return 0
        await makePartitions(database, { from: day, to: day + daysAhead })
        madeOn = day
        return 0
      }),
    /** Does one step with what is older than `before`; how many rows were read or dropped. */
    retire: (range: Range) => unlessRetiringIsHeld(() => retire(range)),
  }
}

/** Does nothing for a while after the database could not do it. */
function holdBack(timers: Deps['timers']) {
  let heldUntil = Number.NEGATIVE_INFINITY

  return async (work: () => Promise<number>): Promise<number> => {
    if (timers.monotonic() < heldUntil) return 0
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      heldUntil = timers.monotonic() + heldMs
      return 0
    }
  }
}

function createRetire(database: Database): (range: Range) => Promise<number> {
  /** How far the verifications of a day were read; another node begins again, which finds less. */
  let read = { day: 0, after: '' }

  async function readDay(day: number, limit: number): Promise<number> {
    if (read.day !== day) read = { day, after: idAt(day * dayMs) }
    const { seen, last } = await database.transaction((session) =>
      keepFailuresOf(session, { after: read.after, end: idAt((day + 1) * dayMs), limit }),
    )
    if (last !== null) read = { day, after: last }
    return seen
  }

  async function drop(partition: Partition): Promise<number> {
    const dropped = await dropPartition(database, partition)
    // A code of that day has come since it was read: it is forgotten first, and the day read again.
    if (dropped === null) read = { day: 0, after: '' }
    return dropped === null ? 0 : Math.max(1, dropped)
  }

  return async ({ before, limit }) => {
    const old = (await listPartitions(database))
      .filter(({ day }) => (day + 1) * dayMs <= before)
      .sort((a, b) => a.day - b.day || (a.table < b.table ? 1 : -1))
    const kept = new Set<number>()
    for (const { table, day } of old) {
      // The further recipients of a day go after its verifications.
      if (kept.has(day) && table === 'verification_recipients') continue
      if (table === 'verifications') {
        if (await hasCodes(database, day)) {
          kept.add(day)
          continue
        }
        const seen = await readDay(day, limit)
        if (seen > 0) return seen
      }
      const dropped = await drop({ table, day })
      if (dropped > 0) return table === 'verifications' ? 1 : dropped
      kept.add(day)
    }
    return 0
  }
}

/** Whether a code of that day is not forgotten, which the sweep does first; in order, so by an index. */
async function hasCodes(database: Database, day: number): Promise<boolean> {
  const found = await database.read(
    `select from verifications
    where id >= $from and id < $end and code_digest is not null order by expires_at limit 1`,
    { from: idAt(day * dayMs), end: idAt((day + 1) * dayMs) },
  )
  return found.length > 0
}

/**
 * Deletes verifications that have wrong codes, the oldest first, in the transaction that counts these
 * elsewhere. What is behind them in a recipient's chain has none any more.
 */
async function keepFailuresOf(
  session: Session,
  { after, end, limit }: { after: string; end: string; limit: number },
): Promise<{ seen: number; last: string | null }> {
  const some = await count(session, { after, end, limit: limit * readFactor })
  if (some.last === null) return some
  const failed = await session.query<{ id: string }>(
    `select id from verifications
    where id > $after and id <= $last and code_format = 'numeric' and attempts_spent > ${rightOnes}
    order by id limit $limit for update`,
    { after, last: some.last, limit },
  )
  const ids = failed.map(({ id }) => id)
  await deleteVerifications(session, ids)
  const last = ids.at(-1)
  // There may be more of them: those behind the last one are read in the next step.
  return ids.length < limit || last === undefined ? some : { seen: limit, last }
}

async function count(
  session: Session,
  range: { after: string; end: string; limit: number },
): Promise<{ seen: number; last: string | null }> {
  const [some] = await session.query<{ seen: number; last: string | null }>(
    `select count(*) as seen, max(id) as last from (
      select id from verifications where id > $after and id < $end order by id limit $limit) as rows`,
    range,
  )
  return some ?? { seen: 0, last: null }
}

const rightOnes = "(status = 'approved')::int"

/** Deletes verifications that are locked, and counts their wrong codes for their recipients. */
export async function deleteVerifications(session: Session, ids: string[]): Promise<void> {
  if (ids.length === 0) return
  const failures = (key: string, join: string) => `
    select ${key} as recipient_key, expires_at / ${hourMs} as hour,
      attempts_spent - ${rightOnes} as failures
    from verifications ${join}
    where id = any($ids::text[]) and code_format = 'numeric' and attempts_spent > ${rightOnes}`
  await session.run(
    `insert into guess_failures (recipient_key, hour, failures)
    select recipient_key, hour, sum(failures) from (
      ${failures('recipient_key', '')}
      union all
      ${failures('further.recipient_key', 'join verification_recipients as further on verification_id = id')}
    ) as swept
    group by 1, 2 order by 1, 2
    on conflict (recipient_key, hour) do update set
      failures = guess_failures.failures + excluded.failures`,
    { ids },
  )
  await session.run(
    `with further as (
      delete from verification_recipients where verification_id = any($ids::text[]))
    delete from verifications where id = any($ids::text[])`,
    { ids },
  )
}

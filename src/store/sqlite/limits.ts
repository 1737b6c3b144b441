import type { Database } from 'bun:sqlite'
import { dayMs, hourMs, type Limit } from '../../domain/limit.ts'
import type { LimitStore, StartCommand } from '../../domain/stores.ts'
import type { Writer } from './group-commit.ts'

export type Limits = ReturnType<typeof createLimits>

/** The statements of rates and budgets, to be run inside a write of somebody else's. */
export function createLimits(database: Database) {
  const takeOne = database.prepare<null, GcraParameters>(`
    insert into limits (key, arrival_at) values ($key, $now + $step)
    on conflict (key) do update set arrival_at = max(arrival_at, $now) + $step
      where max(arrival_at, $now) + $step <= $now + $window`)
  const arrival = database.prepare<{ arrival_at: number }, { key: Uint8Array }>(
    'select arrival_at from limits where key = $key',
  )
  // What a short code can still cost its recipient, or has: all its attempts while it lives, the
  // failed ones after. Counted until its life and the window are over, so never too short.
  const spentOn = database.prepare<{ failures: number }, Since>(`
    with recursive chain as (${chainFrom('$seq')})
    select coalesce(sum(case when status = 'pending' and expires_at > $now then attempts_max
      else attempts_spent - (status = 'approved') end), 0) as failures
    from chain where expires_at > $since and code_format = 'numeric'`)
  const spentEarlier = database.prepare<{ failures: number }, { key: Uint8Array; hour: number }>(`
    select coalesce(sum(failures), 0) as failures from guess_failures
    where budget_key = $key and hour >= $hour`)

  const head = database.prepare<{ latest_seq: number | null }, { key: Uint8Array }>(
    'select latest_seq from limits where key = $key',
  )
  const setHead = database.prepare<null, { key: Uint8Array; seq: number; until: number }>(`
    insert into limits (key, arrival_at, latest_seq) values ($key, $until, $seq)
    on conflict (key) do update set arrival_at = $until, latest_seq = $seq`)

  return {
    /** The time when one is free again, or null when one was taken. */
    take(limit: Limit, now: number): number | null {
      const step = Math.ceil(limit.windowMs / limit.max)
      // A whole number of steps, so that the burst is exactly `max` however the window divides.
      const window = step * limit.max
      const { changes } = takeOne.run({ key: limit.key, now, step, window })
      if (changes > 0) return null
      return (arrival.get({ key: limit.key })?.arrival_at ?? now) + step - window
    },
    /** The latest verification of the recipient whose budget this is. */
    latest: (key: Uint8Array): number | null => head.get({ key })?.latest_seq ?? null,
    setLatest(key: Uint8Array, seq: number, now: number): void {
      setHead.run({ key, seq, until: now + latestKeptMs })
    },
    /** True when a short code's attempts fit into every window beside what is spent and open. */
    fits(budget: StartCommand['budget'], latest: number | null, attempts: number, now: number) {
      const { key, windows } = budget
      return windows.every(({ max, windowMs }) => {
        const since = now - windowMs
        const spent =
          latest === null ? 0 : (spentOn.get({ key, seq: latest, now, since })?.failures ?? 0)
        const earlier = spentEarlier.get({ key, hour: hourOf(since) })?.failures ?? 0
        return spent + earlier + attempts <= max
      })
    },
  }
}

/** Longer than any verification is kept, as long as limits are (security.md G2). */
const latestKeptMs = 31 * dayMs

/**
 * The verifications of the recipient with this budget, from the one with this `seq` back. A number
 * that was swept may be given again, to anybody's: a link holds within a budget and backwards only.
 */
export function chainFrom(seq: string): string {
  return `
    select * from verifications where seq = ${seq} and budget_key = $key
    union all
    select earlier.* from chain join verifications as earlier on earlier.seq = chain.earlier_seq
      and earlier.seq < chain.seq and earlier.budget_key = $key`
}

/** Whole hours, the oldest counted in full: a sum over them is never too small. */
function hourOf(at: number): number {
  return Math.floor(at / hourMs)
}

type Since = { key: Uint8Array; seq: number; now: number; since: number }
type GcraParameters = { key: Uint8Array; now: number; step: number; window: number }

export function createLimitStore(writer: Writer, limits: Limits): LimitStore {
  return {
    take: (limit, now) =>
      writer.write(() => {
        const retryAt = limits.take(limit, now)
        return retryAt === null ? { taken: true as const } : { taken: false as const, retryAt }
      }),
  }
}

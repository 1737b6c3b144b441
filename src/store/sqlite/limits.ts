import type { Database } from 'bun:sqlite'
import type { Limit } from '../../domain/limit.ts'
import { hourMs } from '../../domain/limit.ts'
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
    select coalesce(sum(case when status = 'pending' and expires_at > $now then attempts_max
      else attempts_spent - (status = 'approved') end), 0) as failures
    from verifications
    where budget_key = $key and expires_at > $since and code_format = 'numeric'`)
  const spentEarlier = database.prepare<{ failures: number }, { key: Uint8Array; hour: number }>(`
    select coalesce(sum(failures), 0) as failures from guess_failures
    where budget_key = $key and hour >= $hour`)

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
    /** True when a short code's attempts fit into every window beside what is spent and open. */
    fits({ key, windows }: StartCommand['budget'], attempts: number, now: number): boolean {
      return windows.every(({ max, windowMs }) => {
        const since = now - windowMs
        const spent = spentOn.get({ key, now, since })?.failures ?? 0
        const earlier = spentEarlier.get({ key, hour: hourOf(since) })?.failures ?? 0
        return spent + earlier + attempts <= max
      })
    },
  }
}

/** Whole hours, the oldest counted in full: a sum over them is never too small. */
export function hourOf(at: number): number {
  return Math.floor(at / hourMs)
}

type Since = { key: Uint8Array; now: number; since: number }
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

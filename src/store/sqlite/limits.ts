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
  const failuresSince = database.prepare<{ failures: number }, { key: Uint8Array; hour: number }>(`
    select coalesce(sum(failures), 0) as failures from guess_failures
    where budget_key = $key and hour >= $hour`)
  const openAttempts = database.prepare<{ open: number }, { key: Uint8Array; now: number }>(`
    select coalesce(sum(attempts_max - attempts_spent), 0) as open from verifications
    where budget_key = $key and expires_at > $now
      and status = 'pending' and code_format = 'numeric'`)
  const addFailure = database.prepare<null, { key: Uint8Array; hour: number }>(`
    insert into guess_failures (budget_key, hour, failures) values ($key, $hour, 1)
    on conflict (budget_key, hour) do update set failures = failures + 1`)

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
      const reserved = (openAttempts.get({ key, now })?.open ?? 0) + attempts
      return windows.every(({ max, windowMs }) => {
        // Whole hours, the oldest counted in full: the sum is never too small.
        const hour = Math.floor((now - windowMs) / hourMs)
        return (failuresSince.get({ key, hour })?.failures ?? 0) + reserved <= max
      })
    },
    fail(key: Uint8Array, now: number): void {
      addFailure.run({ key, hour: Math.floor(now / hourMs) })
    },
  }
}

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

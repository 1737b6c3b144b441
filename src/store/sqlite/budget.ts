import type { Database } from 'bun:sqlite'
import { type BudgetWindow, hourMs } from '../../domain/verification/limits.ts'
import { chainFrom } from '../verification-row.ts'

export type Budgets = ReturnType<typeof createBudgets>

type Recipient = { key: Uint8Array; latestId: string | null; now: number }

/** Counts the spent guess budget: wrong codes, and open attempts of live short codes. */
export function createBudgets(database: Database) {
  // A live short code counts with all its attempts, a dead one with its wrong codes. They count
  // until its life and the window are over, so never too short.
  const stored = database.prepare<
    { expires_at: number; guesses: number },
    { key: Uint8Array; latestId: string; now: number; since: number }
  >(`
    with recursive chain as (${chainFrom('$latestId', columns)} where earlier.created_at > $since)
    select expires_at, case
      when status = 'pending' and code_digest is not null and expires_at > $now then attempts_max
      else attempts_spent - (status = 'approved') end as guesses
    from chain where code_format = 'numeric'`)
  const swept = database.prepare<
    { hour: number; failures: number },
    { key: Uint8Array; hour: number }
  >('select hour, failures from guess_failures where recipient_key = $key and hour >= $hour')

  return {
    /** The spent attempts for each window; `keptMs` is how far back attempts may count. */
    spent({ key, latestId, now }: Recipient, windows: BudgetWindow[], keptMs: number): number[] {
      if (latestId === null) return windows.map(() => 0)
      const since = now - keptMs
      const codes = stored.all({ key, latestId, now, since })
      const failures = swept.all({ key, hour: hourOf(since) })
      return windows.map(({ windowMs }) => {
        const start = now - windowMs
        return (
          sum(codes.map(({ expires_at, guesses }) => (expires_at > start ? guesses : 0))) +
          sum(failures.map((each) => (each.hour >= hourOf(start) ? each.failures : 0)))
        )
      })
    },
  }
}

const columns = [
  'expires_at',
  'status',
  'code_format',
  'code_digest',
  'attempts_spent',
  'attempts_max',
]

/** Failures are stored by whole hours; the oldest counts in full, so that no sum is too small. */
function hourOf(at: number): number {
  return Math.floor(at / hourMs)
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

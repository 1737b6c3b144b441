import type { Database } from 'bun:sqlite'
import type { Page, VerificationQuery } from '../../domain/stores.ts'
import type { Status, Verification } from '../../domain/verification.ts'
import { chainFrom } from './limits.ts'
import { toVerification, type VerificationRow, verificationColumns } from './rows.ts'

const conditions: Record<Status, string> = {
  pending: "status = 'pending' and attempts_spent < attempts_max and expires_at > $now",
  exhausted: "status = 'pending' and attempts_spent >= attempts_max",
  expired: "status = 'pending' and attempts_spent < attempts_max and expires_at <= $now",
  approved: "status = 'approved'",
  canceled: "status = 'canceled'",
}

const latest = '(select latest_seq from limits where key = $key)'

/** Pages of an app's verifications, the newest first; the cursor is the last row's place. */
export function createListing(database: Database) {
  return {
    list({ appId, recipient, status, now, limit, cursor }: VerificationQuery): Page<Verification> {
      const before = readCursor(cursor)
      const rows = database
        .query<VerificationRow, Record<string, string | number | Uint8Array>>(`
          ${recipient ? `with recursive chain as (${chainFrom(latest)})` : ''}
          select ${verificationColumns} from ${recipient ? 'chain' : 'verifications'}
          where app_id = $appId and seq < $before
            ${recipient ? 'and recipient_index = $index' : ''}
            ${status ? `and ${conditions[status]}` : ''}
          order by seq desc limit $limit`)
        .all({
          appId,
          before,
          limit: limit + 1,
          ...(recipient && { key: recipient.budgetKey, index: recipient.index }),
          ...((status === 'pending' || status === 'expired') && { now }),
        })
      return toPage(rows, limit, (row) => row.seq, toVerification)
    },
  }
}

/** A page of `limit` from rows read one beyond it, to know whether more follow. */
export function toPage<Row, Item>(
  rows: Row[],
  limit: number,
  place: (row: Row) => number | string,
  toItem: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const more = rows.length > limit && last !== undefined
  return { items: shown.map(toItem), nextCursor: more ? String(place(last)) : null }
}

/** A cursor that is none of ours reads as the first page. */
export function readCursor(cursor: string | null): number {
  const value = cursor === null ? Number.NaN : Number(cursor)
  return Number.isSafeInteger(value) && value > 0 ? value : Number.MAX_SAFE_INTEGER
}

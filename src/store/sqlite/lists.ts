import type { Timers } from '../../domain/ports.ts'
import type { VerificationQuery, VerificationStore } from '../../domain/verification/stores.ts'
import type { Status } from '../../domain/verification/verification.ts'
import { toPage } from '../page.ts'
import {
  chainFrom,
  isPending,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from '../verification-row.ts'
import type { Parts } from './parts.ts'

/** `statusOf` of the domain as SQL, as of `$now`. */
const conditions: Record<Status, string> = {
  pending: isPending,
  exhausted: "status = 'pending' and attempts_spent >= attempts_max",
  expired: `status = 'pending' and attempts_spent < attempts_max
    and (code_digest is null or expires_at <= $now)`,
  approved: "status = 'approved'",
  canceled: "status = 'canceled'",
}

const ofRecipient = `id in (
  with recursive chain as
    (${chainFrom('(select latest_id from limits where key = $key)', ['id'])})
  select id from chain) and (recipient_index = $index or exists (
    select 1 from verification_recipients as further
    where further.verification_id = verifications.id and further.recipient_index = $index))`

/** Rows that are searched for a status before other work gets a turn of the event loop. */
const rowsAtOnce = 2000

type Deps = Pick<Parts, 'database' | 'read'> & { timers: Pick<Timers, 'soon'> }
type Values = Record<string, string | number | Uint8Array>

/** Pages of an app's verifications of one mode, the newest first; the cursor is the last id. */
export function createLists({ database, read, timers }: Deps): VerificationStore['list'] {
  const otherWork = () => new Promise<void>((resolve) => timers.soon(resolve))

  /** The next matching rows; with a status only among the next `rowsAtOnce`. */
  function find(query: VerificationQuery, limit: number): VerificationRow[] {
    const { appId, mode, recipient, status, now, cursor } = query
    const needsNow = status === 'pending' || status === 'expired'
    return database
      .query<VerificationRow, Values>(`
        select ${verificationColumns} from (${candidates(query, '*')})
        ${status ? `where ${conditions[status]}` : ''}
        order by id desc limit $limit`)
      .all({
        ...{ appId, mode, limit },
        ...(cursor !== null && { cursor }),
        ...(recipient && { key: recipient.key, index: recipient.index }),
        ...(needsNow && { now }),
      })
  }

  /** The id of the last row that `find` has searched; null when there are no more. */
  function lastSeen({ appId, mode, cursor }: VerificationQuery): string | null {
    const [row] = database
      .query<{ count: number; last: string | null }, Values>(`
        select count(*) as count, min(id) as last from (${candidates({ cursor }, 'id')})`)
      .all({ appId, mode, ...(cursor !== null && { cursor }) })
    return row?.count === rowsAtOnce ? row.last : null
  }

  return async (query) => {
    const rows: VerificationRow[] = []
    let next: VerificationQuery = query
    for (;;) {
      const wanted = query.limit + 1 - rows.length
      rows.push(...(await read(() => find(next, wanted))))
      const isPart = query.status !== undefined && query.recipient === undefined
      const cursor = isPart && rows.length <= query.limit ? await read(() => lastSeen(next)) : null
      if (cursor === null) return toPage(rows.map(toVerification), query.limit)
      next = { ...query, cursor }
      await otherWork()
    }
  }
}

function candidates(
  { recipient, cursor }: Pick<VerificationQuery, 'recipient' | 'cursor'>,
  columns: string,
): string {
  return `
    select ${columns} from verifications
    where app_id = $appId and mode = $mode
      ${cursor === null ? '' : 'and id < $cursor'}
      ${recipient ? `and ${ofRecipient}` : `order by id desc limit ${rowsAtOnce}`}`
}

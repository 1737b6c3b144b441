import type { VerificationQuery, VerificationStore } from '../domain/verification/stores.ts'
import type { Status } from '../domain/verification/verification.ts'
import { toPage } from './page.ts'
import {
  chainFrom,
  isPending,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from './verification-row.ts'

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

/** Rows that are searched for a status before other work gets a turn. */
const rowsAtOnce = 2000

type Values = Record<string, string | number | Uint8Array>

type Deps = {
  read<Row>(text: string, values: Values): Promise<Row[]>
  /** Resolves when other work has had a turn. */
  otherWork(): Promise<void>
}

/** Pages of an app's verifications of one mode, the newest first; the cursor is the last id. */
export function createList({ read, otherWork }: Deps): VerificationStore['list'] {
  /** The next matching rows; with a status only among the next `rowsAtOnce`. */
  function find(query: VerificationQuery, limit: number): Promise<VerificationRow[]> {
    const { appId, mode, recipient, status, now, cursor } = query
    const needsNow = status === 'pending' || status === 'expired'
    const text = `
      select ${verificationColumns} from (${candidates(query, '*')}) as candidates
      ${status ? `where ${conditions[status]}` : ''}
      order by id desc limit $limit`
    return read(text, {
      ...{ appId, mode, limit },
      ...(cursor !== null && { cursor }),
      ...(recipient && { key: recipient.key, index: recipient.index }),
      ...(needsNow && { now }),
    })
  }

  /** The id of the last row that `find` has searched; null when there are no more. */
  async function lastSeen({ appId, mode, cursor }: VerificationQuery): Promise<string | null> {
    const text = `
      select count(*) as count, min(id) as last from (${candidates({ cursor }, 'id')}) as candidates`
    const [row] = await read<{ count: number; last: string | null }>(text, {
      ...{ appId, mode },
      ...(cursor !== null && { cursor }),
    })
    return row?.count === rowsAtOnce ? row.last : null
  }

  return async (query) => {
    const rows: VerificationRow[] = []
    let next: VerificationQuery = query
    for (;;) {
      const wanted = query.limit + 1 - rows.length
      rows.push(...(await find(next, wanted)))
      const isPart = query.status !== undefined && query.recipient === undefined
      const cursor = isPart && rows.length <= query.limit ? await lastSeen(next) : null
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

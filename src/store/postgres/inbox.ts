import type { InboxRow, InboxStore } from '../../domain/stores.ts'
import type { AuditChain } from './audit.ts'
import type { Parts } from './parts.ts'

/** Rows are ordered by insertion, independent of the clock. */
export function createInboxStore(
  { database }: Pick<Parts, 'database'>,
  audit: AuditChain,
): InboxStore {
  return {
    add: ({ row, keep }) =>
      database.transaction(async (session) => {
        await session.run(insert, row)
        await session.run(trim, { keep })
      }),
    clear: ({ appId }, append) =>
      database.transaction(async (session) => {
        if (!(await audit.isNext(session, append))) return 'head_moved'
        const rows = await session.query(clear, { appId })
        await audit.append(session, append)
        return rows.length
      }),
    list: ({ appId, limit }) => database.read<InboxRow>(list, { appId, limit }),
  }
}

// A message that is tried again gets a new number, so that it is the newest.
const insert = `
  insert into inbox (delivery_id, app_id, verification_id, recipient_sealed, variables_sealed, at)
  values ($deliveryId, $appId, $verificationId, $recipientSealed, $variablesSealed, $at)
  on conflict (delivery_id) do update set id = default, app_id = excluded.app_id,
    verification_id = excluded.verification_id, recipient_sealed = excluded.recipient_sealed,
    variables_sealed = excluded.variables_sealed, at = excluded.at`

const trim = `
  delete from inbox where id <= (select id from inbox order by id desc limit 1 offset $keep)`

const clear = `
  delete from inbox where $appId::text is null or app_id = $appId returning id`

const list = `
  select delivery_id, app_id, verification_id, recipient_sealed, variables_sealed, at
  from inbox where $appId::text is null or app_id = $appId
  order by id desc limit $limit`

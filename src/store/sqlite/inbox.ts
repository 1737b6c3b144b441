import type { InboxRow, InboxStore } from '../../domain/stores.ts'
import type { AuditChain } from './audit.ts'
import type { Parts } from './parts.ts'

/** Rows are ordered by insertion, independent of the clock. */
export function createInboxStore({ database, read, write }: Parts, audit: AuditChain): InboxStore {
  const insert = database.prepare<null, InboxRow>(`
    insert or replace into inbox (delivery_id, app_id, verification_id, recipient_sealed,
      variables_sealed, at)
    values ($deliveryId, $appId, $verificationId, $recipientSealed, $variablesSealed, $at)`)
  const trim = database.prepare<null, { keep: number }>(`
    delete from inbox where id <=
      (select id from inbox order by id desc limit 1 offset $keep)`)

  const clear = database.prepare<null, []>('delete from inbox')
  const clearApp = database.prepare<null, { appId: string }>(
    'delete from inbox where app_id = $appId',
  )

  return {
    clear: ({ appId }, append) =>
      write(() => {
        if (!audit.isNext(append)) return 'head_moved'
        const { changes } = appId === null ? clear.run() : clearApp.run({ appId })
        audit.append(append)
        return changes
      }),
    add: ({ row, keep }) =>
      write(() => {
        insert.run(row)
        trim.run({ keep })
      }),
    list: ({ appId, limit }) =>
      read(() =>
        database
          .query<InboxRow, Record<string, string | number>>(`
            select delivery_id as deliveryId, app_id as appId, verification_id as verificationId,
              recipient_sealed as recipientSealed, variables_sealed as variablesSealed, at
            from inbox ${appId === null ? '' : 'where app_id = $appId'}
            order by id desc limit $limit`)
          .all({ limit, ...(appId !== null && { appId }) }),
      ),
  }
}

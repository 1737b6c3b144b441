import type { Database } from 'bun:sqlite'
import type { Session } from '../../domain/account/session.ts'

const columns = `id, account_id as accountId, token_hash as tokenHash, created_at as createdAt,
  seen_at as seenAt, expires_at as expiresAt, confirmed_until as confirmedUntil, client, browser`

/** The statements of sessions; they run within the transactions of accounts. */
export function createSessionRows(database: Database) {
  const insert = database.prepare<null, Session>(`
    insert into sessions (id, account_id, token_hash, created_at, seen_at, expires_at,
      confirmed_until, client, browser)
    values ($id, $accountId, $tokenHash, $createdAt, $seenAt, $expiresAt,
      $confirmedUntil, $client, $browser)`)
  const trim = database.prepare<null, { accountId: string; keep: number }>(`
    delete from sessions where id in (
      select id from sessions where account_id = $accountId
      order by created_at desc, id desc limit -1 offset $keep)`)

  return {
    find: database.prepare<Session, { tokenHash: Uint8Array }>(
      `select ${columns} from sessions where token_hash = $tokenHash`,
    ),
    of: database.prepare<Session, { accountId: string }>(`
      select ${columns} from sessions where account_id = $accountId
      order by created_at desc, id desc`),
    touch: database.prepare<null, { id: string; seenAt: number }>(
      'update sessions set seen_at = max(seen_at, $seenAt) where id = $id',
    ),
    confirm: database.prepare<null, { id: string; confirmedUntil: number }>(
      'update sessions set confirmed_until = $confirmedUntil where id = $id',
    ),
    end: database.prepare<null, { accountId: string; id: string }>(
      'delete from sessions where id = $id and account_id = $accountId',
    ),
    endOf: database.prepare<null, { accountId: string; but: string }>(
      'delete from sessions where account_id = $accountId and id <> $but',
    ),
    add({ session, keep }: { session: Session; keep: number }): void {
      insert.run(session)
      trim.run({ accountId: session.accountId, keep })
    },
  }
}

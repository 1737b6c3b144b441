import type { Account } from '../../domain/account/account.ts'
import type { Link } from '../../domain/account/link.ts'
import type { Session as SignedIn } from '../../domain/account/session.ts'
import type { AccountStore, SaveAccount } from '../../domain/account/store.ts'
import { type AccountRow, toAccount, toAccountRow } from '../account-row.ts'
import type { AuditChain } from './audit.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'
import { beginTry, takeTryBack } from './tries-to-sign-in.ts'

type Deps = Pick<Parts, 'database'> & { audit: AuditChain }

export function createAccountStore({ database, audit }: Deps): AccountStore {
  return {
    ...createReads(database),
    save: (command, append) =>
      database.transaction(async (session) => {
        if (!(await audit.isNext(session, append))) return 'head_moved'
        await save(session, command)
        await audit.append(session, append)
        return 'saved'
      }),
    resealSecondStep: async ({ accountId, from, to }) => {
      await database.run(to ? reseal : drop, { accountId, from, ...to })
    },
    addLink: (command, append) =>
      database.transaction(async (session) => {
        if (!(await audit.isNext(session, append))) return 'head_moved'
        await addLink(session, command)
        await audit.append(session, append)
        return 'added'
      }),
    touchSession: async (command) => {
      await database.run(
        'update sessions set seen_at = greatest(seen_at, $seenAt) where id = $id',
        command,
      )
    },
    confirmSession: async (command) => {
      await database.run(
        'update sessions set confirmed_until = $confirmedUntil where id = $id',
        command,
      )
    },
    endSession: (command, append) =>
      database.transaction(async (session) => {
        if (!(await audit.isNext(session, append))) return 'head_moved'
        const ended = await session.run(
          'delete from sessions where id = $id and account_id = $accountId',
          command,
        )
        if (ended > 0) await audit.append(session, append)
        return ended > 0
      }),
    beginTry: (command) => database.transaction((session) => beginTry(session, command)),
    takeTryBack: (command) => database.transaction((session) => takeTryBack(session, command)),
  }
}

const columns = `id, name, role, password_hash, password_is_long, second_step_key_id,
  second_step_key, second_step_sealed, second_step_used, created_at, signed_in_at, removed_at`
const sessionColumns =
  'id, account_id, token_hash, created_at, seen_at, expires_at, confirmed_until, client, browser'

type Reads = Pick<AccountStore, 'list' | 'names' | 'findLink' | 'findSession' | 'sessions'>

function createReads(database: Parts['database']): Reads {
  return {
    async list() {
      const rows = await database.read<AccountRow>(
        `select ${columns} from accounts where removed_at is null order by created_at, id`,
      )
      return rows.map(toAccount)
    },
    names: (ids) =>
      database.read<Pick<Account, 'id' | 'name'>>(
        'select id, name from accounts where id = any($ids::text[])',
        { ids },
      ),
    async findLink(tokenHash) {
      const [link] = await database.read<Link>(
        `select token_hash, account_id, created_at, expires_at from links
        where token_hash = $tokenHash`,
        { tokenHash },
      )
      return link ?? null
    },
    async findSession(tokenHash) {
      const [session] = await database.read<SignedIn>(
        `select ${sessionColumns} from sessions where token_hash = $tokenHash`,
        { tokenHash },
      )
      if (!session) return null
      const [row] = await database.read<AccountRow>(
        `select ${columns} from accounts where id = $accountId`,
        { accountId: session.accountId },
      )
      return row ? { account: toAccount(row), session } : null
    },
    sessions: (accountId) =>
      database.read<SignedIn>(
        `select ${sessionColumns} from sessions where account_id = $accountId
        order by created_at desc, id desc`,
        { accountId },
      ),
  }
}

async function save(session: Session, command: SaveAccount): Promise<void> {
  const { account, usedLink, endsLinks, endsSessions, link, session: signedIn } = command
  const { id: accountId } = account
  await session.run(put, toAccountRow(account))
  if (usedLink) {
    await session.run('delete from links where token_hash = $usedLink', { usedLink })
  }
  if (endsLinks) await session.run('delete from links where account_id = $accountId', { accountId })
  if (endsSessions !== 'none') {
    await session.run('delete from sessions where account_id = $accountId and id <> $but', {
      ...{ accountId, but: endsSessions === 'all' ? '' : endsSessions.but },
    })
  }
  if (link) await addLink(session, link)
  if (signedIn) await addSession(session, signedIn)
}

async function addLink(
  session: Session,
  { link, keep }: { link: Link; keep: number },
): Promise<void> {
  await session.run(
    `insert into links (token_hash, account_id, created_at, expires_at)
    values ($tokenHash, $accountId, $createdAt, $expiresAt)`,
    link,
  )
  await session.run(
    `delete from links where token_hash in (
      select token_hash from links order by expires_at desc, token_hash offset $keep)`,
    { keep },
  )
}

async function addSession(
  session: Session,
  { session: row, keep }: { session: SignedIn; keep: number },
): Promise<void> {
  await session.run(
    `insert into sessions (${sessionColumns})
    values ($id, $accountId, $tokenHash, $createdAt, $seenAt, $expiresAt, $confirmedUntil,
      $client, $browser)`,
    row,
  )
  await session.run(
    `delete from sessions where id in (
      select id from sessions where account_id = $accountId
      order by created_at desc, id desc offset $keep)`,
    { accountId: row.accountId, keep },
  )
}

const put = `
  insert into accounts (${columns})
  values ($id, $name, $role, $passwordHash, $passwordIsLong, $secondStepKeyId, $secondStepKey,
    $secondStepSealed, $secondStepUsed, $createdAt, $signedInAt, $removedAt)
  on conflict (id) do update set name = excluded.name, role = excluded.role,
    password_hash = excluded.password_hash, password_is_long = excluded.password_is_long,
    second_step_key_id = excluded.second_step_key_id, second_step_key = excluded.second_step_key,
    second_step_sealed = excluded.second_step_sealed,
    second_step_used = excluded.second_step_used, signed_in_at = excluded.signed_in_at,
    removed_at = excluded.removed_at`

const reseal = `
  update accounts set second_step_key_id = $keyId, second_step_key = $key,
    second_step_sealed = $sealed
  where id = $accountId and second_step_sealed = $from`

const drop = `
  update accounts set second_step_key_id = null, second_step_key = null,
    second_step_sealed = null, second_step_used = null
  where id = $accountId and second_step_sealed = $from`

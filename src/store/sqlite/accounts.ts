import type { Database } from 'bun:sqlite'
import type { Account } from '../../domain/account/account.ts'
import type { Link } from '../../domain/account/link.ts'
import type { AccountStore, Reseal, SaveAccount } from '../../domain/account/store.ts'
import { type AccountRow, toAccount, toAccountRow } from '../account-row.ts'
import type { AuditChain } from './audit.ts'
import type { Parts } from './parts.ts'
import { createSessionRows } from './sessions.ts'
import { createTries } from './tries-to-sign-in.ts'

type Deps = Parts & { audit: AuditChain }

export function createAccountStore({ database, read, write, audit }: Deps): AccountStore {
  const rows = createAccountRows(database)
  const links = createLinkRows(database)
  const sessions = createSessionRows(database)
  const tries = createTries(database)

  function save(command: SaveAccount): void {
    const { account, usedLink, endsLinks, endsSessions, link, session } = command
    const { id: accountId } = account
    rows.put(account)
    if (usedLink) links.use.run({ tokenHash: usedLink })
    if (endsLinks) links.endOf.run({ accountId })
    if (endsSessions !== 'none') {
      const but = endsSessions === 'all' ? '' : endsSessions.but
      sessions.endOf.run({ accountId, but })
    }
    if (link) links.add(link)
    if (session) sessions.add(session)
  }

  return {
    list: () => read(rows.list),
    names: (ids) => read(() => rows.names(ids)),
    save: (command, append) =>
      write(() => {
        if (!audit.isNext(append)) return 'head_moved'
        save(command)
        audit.append(append)
        return 'saved'
      }),
    resealSecondStep: (command) => write(() => rows.reseal(command)),
    addLink: (command, append) =>
      write(() => {
        if (!audit.isNext(append)) return 'head_moved'
        links.add(command)
        audit.append(append)
        return 'added'
      }),
    findLink: (tokenHash) => read(() => links.find.get({ tokenHash })),
    findSession: (tokenHash) =>
      read(() => {
        const session = sessions.find.get({ tokenHash })
        const account = session && rows.get(session.accountId)
        return session && account ? { account, session } : null
      }),
    sessions: (accountId) => read(() => sessions.of.all({ accountId })),
    touchSession: (command) => write(() => void sessions.touch.run(command)),
    confirmSession: (command) => write(() => void sessions.confirm.run(command)),
    endSession: (command, append) =>
      write(() => {
        if (!audit.isNext(append)) return 'head_moved'
        if (sessions.end.run(command).changes === 0) return false
        audit.append(append)
        return true
      }),
    beginTry: (command) => write(() => tries.begin(command)),
    takeTryBack: (command) => write(() => tries.takeBack(command)),
  }
}

const columns = `id, name, role, password_hash as passwordHash,
  password_is_long as passwordIsLong, second_step_key_id as secondStepKeyId,
  second_step_key as secondStepKey, second_step_sealed as secondStepSealed,
  second_step_used as secondStepUsed, created_at as createdAt, signed_in_at as signedInAt,
  removed_at as removedAt`

function createAccountRows(database: Database) {
  const list = database.prepare<AccountRow, []>(
    `select ${columns} from accounts where removed_at is null order by created_at, id`,
  )
  const get = database.prepare<AccountRow, { id: string }>(
    `select ${columns} from accounts where id = $id`,
  )
  const names = database.prepare<Pick<Account, 'id' | 'name'>, { ids: string }>(
    'select id, name from accounts where id in (select value from json_each($ids))',
  )
  // No `insert or replace`, which would delete the row, and its sessions with it.
  const put = database.prepare<null, ReturnType<typeof toAccountRow>>(`
    insert into accounts (id, name, role, password_hash, password_is_long, second_step_key_id,
      second_step_key, second_step_sealed, second_step_used, created_at, signed_in_at, removed_at)
    values ($id, $name, $role, $passwordHash, $passwordIsLong, $secondStepKeyId, $secondStepKey,
      $secondStepSealed, $secondStepUsed, $createdAt, $signedInAt, $removedAt)
    on conflict (id) do update set name = $name, role = $role, password_hash = $passwordHash,
      password_is_long = $passwordIsLong, second_step_key_id = $secondStepKeyId,
      second_step_key = $secondStepKey, second_step_sealed = $secondStepSealed,
      second_step_used = $secondStepUsed, signed_in_at = $signedInAt, removed_at = $removedAt`)
  const reseal = database.prepare<null, Omit<Reseal, 'to'> & NonNullable<Reseal['to']>>(`
    update accounts set second_step_key_id = $keyId, second_step_key = $key,
      second_step_sealed = $sealed
    where id = $accountId and second_step_sealed = $from`)
  const drop = database.prepare<null, Omit<Reseal, 'to'>>(`
    update accounts set second_step_key_id = null, second_step_key = null,
      second_step_sealed = null, second_step_used = null
    where id = $accountId and second_step_sealed = $from`)

  return {
    list: () => list.all().map(toAccount),
    get(id: string): Account | null {
      const row = get.get({ id })
      return row && toAccount(row)
    },
    names: (ids: string[]) => names.all({ ids: JSON.stringify(ids) }),
    put: (account: Account) => void put.run(toAccountRow(account)),
    reseal({ accountId, from, to }: Reseal): void {
      if (to) reseal.run({ accountId, from, ...to })
      else drop.run({ accountId, from })
    },
  }
}

function createLinkRows(database: Database) {
  const insert = database.prepare<null, Link>(`
    insert into links (token_hash, account_id, created_at, expires_at)
    values ($tokenHash, $accountId, $createdAt, $expiresAt)`)
  const trim = database.prepare<null, { keep: number }>(`
    delete from links where token_hash in (
      select token_hash from links order by expires_at desc, token_hash limit -1 offset $keep)`)

  return {
    find: database.prepare<Link, { tokenHash: Uint8Array }>(`
      select token_hash as tokenHash, account_id as accountId, created_at as createdAt,
        expires_at as expiresAt
      from links where token_hash = $tokenHash`),
    use: database.prepare<null, { tokenHash: Uint8Array }>(
      'delete from links where token_hash = $tokenHash',
    ),
    endOf: database.prepare<null, { accountId: string }>(
      'delete from links where account_id = $accountId',
    ),
    add({ link, keep }: { link: Link; keep: number }): void {
      insert.run(link)
      trim.run({ keep })
    },
  }
}

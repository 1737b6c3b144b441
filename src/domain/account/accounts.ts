import { entry } from '../app/manage.ts'
import { type Actor, audited } from '../audit.ts'
import { newId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { invalidField, Problem } from '../problem.ts'
import {
  type Account,
  accountOf,
  accountsMax,
  foldName,
  linksMax,
  type Role,
  readAccountName,
  refuseTaken,
  roles,
} from './account.ts'
import { type AccountPorts, changeAccount } from './change.ts'
import { makeLink, type NewLink } from './link.ts'
import { idleUntil, type Session, type SessionTimes } from './session.ts'

export type Invited = { account: Account; link: NewLink }

/**
 * Adds a person, who chooses a password through the link. Throws `invalid_request`,
 * `account_name_taken`, `too_many_accounts` beyond a hundred.
 */
export async function inviteAccount(
  ports: AccountPorts,
  actor: Actor,
  input: { name: unknown; role: unknown },
): Promise<Invited> {
  const name = readAccountName(input.name)
  const role = readRole(input.role)
  const now = ports.clock.now()
  const account: Account = { ...emptyAccount, id: newId(ports.random), name, role, createdAt: now }
  const link = makeLink(ports, { accountId: account.id, now })
  const about = { action: 'account.invite', object: account.id, detail: `${role} ${name}` } as const
  await changeAccount(ports, actor, about, (accounts) => {
    refuseTaken(accounts, name, account.id)
    if (accounts.length >= accountsMax) throw new Problem('too_many_accounts')
    return { account, link: { link: link.link, keep: linksMax } }
  })
  return { account, link }
}

/** What every new account begins with. */
export const emptyAccount = {
  password: null,
  secondStep: null,
  signedInAt: null,
  removedAt: null,
} as const

/**
 * A link for a person who was invited or has lost a password or second step; earlier ones of this
 * person end. Throws `account_not_found`.
 */
export async function linkAccount(ports: AccountPorts, actor: Actor, id: string): Promise<Invited> {
  const { name } = accountOf(await ports.accounts.list(), id)
  const link = makeLink(ports, { accountId: id, now: ports.clock.now() })
  const about = { action: 'account.link', object: id, detail: name } as const
  const account = await changeAccount(ports, actor, about, (accounts) => ({
    account: accountOf(accounts, id),
    endsLinks: true,
    link: { link: link.link, keep: linksMax },
  }))
  return { account, link }
}

/** A link that makes an account with the role of an admin; for the command line. */
export async function linkNewAccount(ports: AccountPorts, actor: Actor): Promise<NewLink> {
  const made = makeLink(ports, { accountId: null, now: ports.clock.now() })
  const record = entry(ports, actor, 'account.link', 'new', 'admin')
  await audited(ports, record, (append) =>
    ports.accounts.addLink({ link: made.link, keep: linksMax }, append),
  )
  return made
}

/** The account with this name. Throws `account_not_found`. */
export async function findAccount(
  { accounts }: Pick<Ports, 'accounts'>,
  name: string,
): Promise<Account> {
  const folded = foldName(name)
  const found = (await accounts.list()).find((account) => foldName(account.name) === folded)
  if (!found) throw new Problem('account_not_found')
  return found
}

/**
 * Changes a name or a role. Throws `account_not_found`, `account_name_taken`, `invalid_request`,
 * `last_admin`.
 */
export async function updateAccount(
  ports: AccountPorts,
  actor: Actor,
  { id, ...input }: { id: string; name?: unknown; role?: unknown },
): Promise<Account> {
  const name = input.name === undefined ? null : readAccountName(input.name)
  const role = input.role === undefined ? null : readRole(input.role)
  const detail = [name, role].filter((value) => value !== null).join(' ')
  const about = { action: 'account.update', object: id, detail } as const
  return changeAccount(ports, actor, about, (accounts) => {
    const current = accountOf(accounts, id)
    const account = { ...current, name: name ?? current.name, role: role ?? current.role }
    refuseTaken(accounts, account.name, id)
    if (account.role !== 'admin') refuseLastAdmin(accounts, current)
    return { account }
  })
}

/**
 * Removes an account with its sessions and links. Throws `account_not_found`, and `last_admin` unless
 * `evenLast`: who has the command line can always make another.
 */
export async function removeAccount(
  ports: AccountPorts,
  actor: Actor,
  { id, evenLast = false }: { id: string; evenLast?: boolean },
): Promise<void> {
  const { name } = accountOf(await ports.accounts.list(), id)
  const about = { action: 'account.remove', object: id, detail: name } as const
  await changeAccount(ports, actor, about, (accounts) => {
    const current = accountOf(accounts, id)
    if (!evenLast) refuseLastAdmin(accounts, current)
    const removedAt = ports.clock.now()
    const account = { ...current, password: null, secondStep: null, removedAt }
    return { account, endsLinks: true, endsSessions: 'all' }
  })
}

/** Throws `last_admin` where nobody else could manage the server through the dashboard. */
function refuseLastAdmin(accounts: Account[], { id, role, password }: Account): void {
  if (role !== 'admin' || password === null) return
  const others = accounts.filter((other) => other.id !== id && other.role === 'admin')
  if (!others.some((other) => other.password !== null)) throw new Problem('last_admin')
}

/** The sessions of an account that have not ended. Throws `account_not_found`. */
export async function listSessions(
  { accounts, clock }: Pick<Ports, 'accounts' | 'clock'>,
  times: SessionTimes,
  accountId: string,
): Promise<Session[]> {
  accountOf(await accounts.list(), accountId)
  const now = clock.now()
  return (await accounts.sessions(accountId)).filter((session) => now < idleUntil(session, times))
}

/** Ends a session. Throws `session_not_found`. */
export async function endSession(
  ports: AccountPorts,
  actor: Actor,
  { accountId, id }: { accountId: string; id: string },
): Promise<void> {
  const record = entry(ports, actor, 'session.end', accountId, `session ${id}`)
  const ended = await audited(ports, record, (append) =>
    ports.accounts.endSession({ accountId, id }, append),
  )
  if (!ended) throw new Problem('session_not_found')
}

function readRole(value: unknown): Role {
  const role = roles.find((known) => known === value)
  if (!role) throw invalidField('role', 'must be "admin" or "viewer"')
  return role
}

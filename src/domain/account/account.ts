import { readName } from '../app/app.ts'
import type { WrappedKey } from '../keyring.ts'
import { Problem } from '../problem.ts'

/** `viewer`: reads everything that an admin reads, and changes nothing. */
export const roles = ['admin', 'viewer'] as const
export type Role = (typeof roles)[number]

/** A person’s access to the dashboard. */
export type Account = {
  id: string
  name: string
  role: Role
  /** Null for a person who was invited and has not chosen a password yet. */
  password: StoredPassword | null
  /** Null without a second step. */
  secondStep: SecondStep | null
  createdAt: number
  signedInAt: number | null
  /** Removed accounts are kept for as long as audit records name them. */
  removedAt: number | null
}

export type StoredPassword = {
  /** Argon2id, as a PHC string. */
  hash: string
  /** Whether it suffices without a second step. */
  isLong: boolean
}

/** A secret for time-based codes (RFC 6238), sealed with a data key of its own. */
export type SecondStep = {
  key: WrappedKey
  sealed: Uint8Array
  /** The time step of the last code that was used, so that none is used twice. */
  usedStep: number
}

/** Accounts that a server may have. */
export const accountsMax = 100
/** Sessions of one account; a further sign-in ends the oldest. */
export const sessionsMax = 20
/** Links that wait to be used; the oldest ends when there is a further one. */
export const linksMax = 50

/** A person’s name, without spaces that nobody sees. Throws `invalid_request`. */
export function readAccountName(value: unknown): string {
  return readName(value).replace(/ +/g, ' ')
}

/** What names are compared by: two that differ in case or width only are one name. */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase().normalize('NFKC')
}

/** Throws `account_name_taken` where another account has this name. */
export function refuseTaken(accounts: Account[], name: string, id: string): void {
  const folded = foldName(name)
  if (accounts.some((other) => other.id !== id && foldName(other.name) === folded)) {
    throw new Problem('account_name_taken')
  }
}

/** The account of this id. Throws `account_not_found`. */
export function accountOf(accounts: Account[], id: string): Account {
  const found = accounts.find((account) => account.id === id)
  if (!found) throw new Problem('account_not_found')
  return found
}

/** Who acts, for the audit log. */
export function whoOf({ id }: Pick<Account, 'id'>): string {
  return `account:${id}`
}

/** The id of the account that acted; null for anybody else. */
export function accountIdOf(who: string): string | null {
  return who.startsWith('account:') ? who.slice('account:'.length) : null
}

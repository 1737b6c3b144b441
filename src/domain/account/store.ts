import type { AuditAppend, HeadMoved } from '../audit.ts'
import type { Account } from './account.ts'
import type { Link } from './link.ts'
import type { Session } from './session.ts'
import type { TryCommand } from './tries.ts'

/**
 * People’s access to the dashboard. All changes of accounts and links are audited, so a use case that
 * reads after the head of the audit log and writes onto it has read what is still so.
 */
export type AccountStore = {
  /** Those that were not removed, by when they were made. */
  list(): Promise<Account[]>
  /** Removed ones too. */
  names(ids: string[]): Promise<Pick<Account, 'id' | 'name'>[]>
  save(command: SaveAccount, audit: AuditAppend): Promise<'saved' | HeadMoved>
  /** Replaces the sealed secret of an account’s second step, for a rotation; others stay. */
  resealSecondStep(command: Reseal): Promise<void>

  addLink(command: { link: Link; keep: number }, audit: AuditAppend): Promise<'added' | HeadMoved>
  findLink(tokenHash: Uint8Array): Promise<Link | null>

  findSession(tokenHash: Uint8Array): Promise<{ account: Account; session: Session } | null>
  /** The newest first. */
  sessions(accountId: string): Promise<Session[]>
  /** Never moves it back. */
  touchSession(command: Pick<Session, 'id' | 'seenAt'>): Promise<void>
  confirmSession(command: Pick<Session, 'id' | 'confirmedUntil'>): Promise<void>
  endSession(
    command: { accountId: string; id: string },
    audit: AuditAppend,
  ): Promise<boolean | HeadMoved>

  /** Counts a try at each of these places, or refuses it and counts none. */
  beginTry(command: TryCommand): Promise<{ begun: true } | { begun: false; retryAt: number }>
  /** Takes one try back where it was not a failure; at `forget` all of them. */
  takeTryBack(command: { keys: Uint8Array[]; forget: Uint8Array | null }): Promise<void>
}

/** Writes an account, new or not, and what follows from it, at once. */
export type SaveAccount = {
  account: Account
  /** The link that was used for it. */
  usedLink: Uint8Array | null
  /** Ends the account’s links that wait. */
  endsLinks: boolean
  /** Ends its sessions: none, all, or all but one. */
  endsSessions: 'none' | 'all' | { but: string }
  link: { link: Link; keep: number } | null
  session: { session: Session; keep: number } | null
}

export type Reseal = {
  accountId: string
  from: Uint8Array
  to: { keyId: string; key: Uint8Array; sealed: Uint8Array } | null
}

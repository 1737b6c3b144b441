import { entry } from '../app/manage.ts'
import { type Actor, type AuditAction, audited } from '../audit.ts'
import type { Ports } from '../ports.ts'
import type { Account } from './account.ts'
import type { SaveAccount } from './store.ts'

export type AccountPorts = Pick<Ports, 'accounts' | 'audit' | 'keyring' | 'clock' | 'random'>

export type Change = Pick<SaveAccount, 'account'> & Partial<SaveAccount>

type About = { action: AuditAction; object: string; detail: string }

/**
 * Changes one account and what belongs to it. `decide` sees all accounts as they are when the change
 * is written, because the write is refused where another audited one came between.
 */
export async function changeAccount(
  ports: AccountPorts,
  actor: Actor,
  { action, object, detail }: About,
  decide: (accounts: Account[]) => Change | Promise<Change>,
): Promise<Account> {
  const record = entry(ports, actor, action, object, detail)
  let account: Account | null = null
  await audited(ports, record, async (append) => {
    const change = await decide(await ports.accounts.list())
    account = change.account
    return ports.accounts.save({ ...nothing, ...change }, append)
  })
  if (!account) throw new Error('no account was written')
  return account
}

const nothing = {
  usedLink: null,
  endsLinks: false,
  endsSessions: 'none',
  link: null,
  session: null,
} as const

import { newId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import {
  type Account,
  accountOf,
  accountsMax,
  type Role,
  readAccountName,
  refuseTaken,
  sessionsMax,
  whoOf,
} from './account.ts'
import { emptyAccount } from './accounts.ts'
import { type AccountPorts, changeAccount } from './change.ts'
import type { Link } from './link.ts'
import { readPassword, storedPassword } from './password.ts'
import { beginSecondStep } from './second-step.ts'
import { isToken, type NewSession, type SessionTimes, startSession } from './session.ts'

/** What a link is for; `name` is null where its user chooses one. */
export type LinkPurpose = { purpose: 'create' | 'recover'; name: string | null; role: Role }

/** Reads a link without using it. Throws `link_not_found`. */
export async function readLink(
  ports: Pick<Ports, 'accounts' | 'keyring' | 'clock'>,
  token: string,
): Promise<LinkPurpose> {
  const link = await findLink(ports, token)
  const account = ofLink(await ports.accounts.list(), link)
  if (!account) return { purpose: 'create', name: null, role: 'admin' }
  const { name, role, password } = account
  return { purpose: password === null ? 'create' : 'recover', name, role }
}

async function findLink(
  { accounts, keyring, clock }: Pick<Ports, 'accounts' | 'keyring' | 'clock'>,
  token: string,
): Promise<Link> {
  const link = isToken(token) ? await accounts.findLink(keyring.tokenHash('link', token)) : null
  if (!link || clock.now() >= link.expiresAt) throw new Problem('link_not_found')
  return link
}

/** The account of a link; null for one that makes an account. Throws `link_not_found`. */
function ofLink(accounts: Account[], { accountId }: Link): Account | null {
  if (accountId === null) return null
  const account = accounts.find(({ id }) => id === accountId)
  if (!account) throw new Problem('link_not_found')
  return account
}

export type Acceptance = {
  token: string
  /** Only where the link has none. */
  name?: unknown
  password: unknown
  /** With `code` it becomes the second step. */
  secret?: unknown
  code?: unknown
  client: string
  browser: string
  requestId: string
}

/**
 * Uses a link: makes or takes up an account, or gives one a new password; then its other sessions and
 * its former second step end. Signs the person in. Throws `link_not_found`, `invalid_request`,
 * `account_name_taken`, `too_many_accounts`.
 */
export async function acceptLink(
  ports: AccountPorts & Pick<Ports, 'passwords'>,
  times: SessionTimes,
  { token, secret, code, ...given }: Acceptance,
): Promise<NewSession & { account: Account }> {
  const found = await findLink(ports, token)
  const before = ofLink(await ports.accounts.list(), found)
  const name = before?.name ?? readAccountName(given.name)
  const id = before?.id ?? newId(ports.random)
  const isAsked = secret !== undefined || code !== undefined
  const secondStep = isAsked ? beginSecondStep(ports, { accountId: id, secret, code }) : null
  const rules = { name, hasSecondStep: secondStep !== null }
  const chosen = readPassword(ports, given.password, rules)
  if (!before) refuseTaken(await ports.accounts.list(), name, id)
  const password = await storedPassword(ports, chosen)
  const now = ports.clock.now()
  const { client, browser, requestId } = given
  const begin = { id: newId(ports.random), accountId: id, client, browser, now }
  const started = startSession(ports, times, begin)
  const action = before?.password ? 'account.recover' : 'account.create'
  const about = { action, object: id, detail: name } as const
  const account = await changeAccount(
    ports,
    { who: whoOf({ id }), requestId },
    about,
    async (all) => {
      const link = await findLink(ports, token)
      if (!before && all.length >= accountsMax) throw new Problem('too_many_accounts')
      if (!before) refuseTaken(all, name, id)
      const fresh: Account = { ...emptyAccount, id, name, role: 'admin', createdAt: now }
      const current = before ? accountOf(all, id) : fresh
      return {
        account: { ...current, password, secondStep, signedInAt: now },
        usedLink: link.tokenHash,
        endsLinks: true,
        endsSessions: 'all',
        session: { session: started.session, keep: sessionsMax },
      }
    },
  )
  return { ...started, account }
}

import { invalidField, type Problem } from '../problem.ts'
import { accountOf, whoOf } from './account.ts'
import { type AccountPorts, changeAccount } from './change.ts'
import { aloneMin, readPassword, storedPassword } from './password.ts'
import { beginSecondStep } from './second-step.ts'
import type { SignedIn } from './session.ts'
import type { SignInPorts } from './sign-in.ts'

/** Gives a person who is signed in a new password; other sessions end. Throws `invalid_request`. */
export async function changePassword(
  ports: SignInPorts,
  { account, session }: SignedIn,
  { password, requestId }: { password: unknown; requestId: string },
): Promise<void> {
  const { id, name, secondStep } = account
  const chosen = readPassword(ports, password, { name, hasSecondStep: secondStep !== null })
  const stored = await storedPassword(ports, chosen)
  const about = { action: 'account.password', object: id, detail: name } as const
  await changeAccount(ports, { who: whoOf(account), requestId }, about, (accounts) => {
    const current = accountOf(accounts, id)
    if (!stored.isLong && !current.secondStep) throw tooShortAlone()
    const endsSessions = { but: session.id }
    return { account: { ...current, password: stored }, endsLinks: true, endsSessions }
  })
}

/**
 * Gives a person a second step, in place of any former one; other sessions end. Throws
 * `invalid_request`.
 */
export async function setSecondStep(
  ports: SignInPorts,
  { account, session }: SignedIn,
  { requestId, ...given }: { secret: unknown; code: unknown; requestId: string },
): Promise<void> {
  const { id, name } = account
  const secondStep = beginSecondStep(ports, { accountId: id, ...given })
  const about = { action: 'account.second_step', object: id, detail: `on ${name}` } as const
  await changeAccount(ports, { who: whoOf(account), requestId }, about, (accounts) => {
    const endsSessions = { but: session.id }
    return { account: { ...accountOf(accounts, id), secondStep }, endsSessions }
  })
}

/** Ends all sessions of a person but this one. */
export async function endOtherSessions(
  ports: AccountPorts,
  { account, session }: SignedIn,
  requestId: string,
): Promise<void> {
  const about = { action: 'session.end', object: account.id, detail: 'all others' } as const
  await changeAccount(ports, { who: whoOf(account), requestId }, about, (accounts) => {
    return { account: accountOf(accounts, account.id), endsSessions: { but: session.id } }
  })
}

/** Removes the second step. Throws `invalid_request` where the password is too short without it. */
export async function removeSecondStep(
  ports: AccountPorts,
  { account }: SignedIn,
  requestId: string,
): Promise<void> {
  const { id, name } = account
  const about = { action: 'account.second_step', object: id, detail: `off ${name}` } as const
  await changeAccount(ports, { who: whoOf(account), requestId }, about, (accounts) => {
    const current = accountOf(accounts, id)
    if (current.password && !current.password.isLong) throw tooShortAlone()
    return { account: { ...current, secondStep: null } }
  })
}

function tooShortAlone(): Problem {
  return invalidField('password', `must be ${aloneMin} characters or more without a second step`)
}

import { newId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { Problem, secondsUntil } from '../problem.ts'
import { type Account, foldName, sessionsMax, whoOf } from './account.ts'
import { type AccountPorts, type Change, changeAccount } from './change.ts'
import { normalPassword } from './password.ts'
import { usedStepOf } from './second-step.ts'
import {
  confirmedMs,
  type NewSession,
  type SessionTimes,
  type SignedIn,
  startSession,
} from './session.ts'
import type { TryCommand, TryPlace } from './tries.ts'

export type SignInPorts = AccountPorts & Pick<Ports, 'passwords'>

/** The address of a client, and the network around it, as limits count them. */
export type Client = { name: string; wide: string | null }

/** What a person shows; `code` only where the account has a second step. */
export type Credentials = { password: unknown; code?: unknown }

const minuteMs = 60_000
/** Tries before the first pause, and the longest pause, by what is counted. */
const paces = {
  /** One address that tries one name. */
  pair: { free: 3, pauseMaxMs: 15 * minuteMs },
  address: { free: 10, pauseMaxMs: 15 * minuteMs },
  /** An IPv6 /48, which may have many customers. */
  wide: { free: 80, pauseMaxMs: 5 * minuteMs },
  /** One name, from every address that has failed. */
  name: { free: 20, pauseMaxMs: 5 * minuteMs },
  /** Codes of one account; only who has its password gets here. */
  code: { free: 10, pauseMaxMs: 5 * minuteMs },
}

/**
 * Signs a person in. An unknown name costs as much time as a wrong password and answers the same.
 * Throws `sign_in_refused`, `second_step_required` after a right password, `rate_limited`.
 */
export async function signIn(
  ports: SignInPorts,
  times: SessionTimes,
  request: Credentials & { name: string; client: Client; browser: string; requestId: string },
): Promise<NewSession & { account: Account }> {
  const { client, browser, requestId } = request
  const folded = foldName(request.name)
  const found = (await ports.accounts.list()).find(({ name }) => foldName(name) === folded) ?? null
  const proved = await prove(ports, { ...request, account: found, folded })
  const now = ports.clock.now()
  const begin = { id: newId(ports.random), accountId: proved.account.id, browser, now }
  const started = startSession(ports, times, { ...begin, client: client.name })
  const session = { session: started.session, keep: sessionsMax }
  const account = await saveProved(
    ports,
    proved,
    { action: 'account.sign_in', requestId },
    (now) => ({
      account: { ...now, signedInAt: started.session.createdAt },
      session,
    }),
  )
  return { ...started, account }
}

/**
 * Asks a person who is signed in for the password again, before secrets change; returns until when
 * they may. Throws like `signIn`.
 */
export async function confirmSession(
  ports: SignInPorts,
  { account, session }: SignedIn,
  request: Credentials & { client: Client; requestId: string },
): Promise<number> {
  const folded = foldName(account.name)
  const proved = await prove(ports, { account, folded, ...request })
  if (proved.usedStep !== null) {
    const { requestId } = request
    await saveProved(ports, proved, { action: 'account.confirm', requestId }, (account) => ({
      account,
    }))
  }
  const confirmedUntil = ports.clock.now() + confirmedMs
  await ports.accounts.confirmSession({ id: session.id, confirmedUntil })
  return confirmedUntil
}

type Proving = Credentials & { account: Account | null; folded: string; client: Client }
/** An account whose owner this is; `usedStep`: the time step of the code, which is then used up. */
type Proved = { account: Account; usedStep: number | null }

/** Judges password and code. Every try counts as a failure until it is known to be none. */
async function prove(ports: SignInPorts, proving: Proving): Promise<Proved> {
  const { account, password, code } = proving
  const places = placesOf(ports, proving)
  await begin(ports, places)
  const text = normalPassword(password)
  const hash = account?.password?.hash ?? null
  const isRight = await ports.passwords.matches(text ?? '', hash)
  if (!account || !isRight || text === null) throw new Problem('sign_in_refused')
  const keys = [...places.own, ...places.shared].map(({ key }) => key)
  const { secondStep } = account
  if (secondStep && (code === undefined || code === '')) {
    await ports.accounts.takeTryBack({ keys, forget: null })
    throw new Problem('second_step_required')
  }
  const usedStep = secondStep && (await judgeCode(ports, account.id, { secondStep, code }))
  const [pair] = keys
  await ports.accounts.takeTryBack({ keys: keys.slice(1), forget: pair ?? null })
  return { account, usedStep }
}

/** Codes have a count of their own, because a known password must not make them guessable. */
async function judgeCode(
  ports: SignInPorts,
  accountId: string,
  given: { secondStep: NonNullable<Account['secondStep']>; code: unknown },
): Promise<number> {
  const key = ports.keyring.limitIndex('sign_in_code', accountId)
  await begin(ports, { own: [{ key, ...paces.code }], shared: [], now: ports.clock.now() })
  const usedStep = usedStepOf(ports, accountId, given)
  if (usedStep === null) throw new Problem('sign_in_refused')
  await ports.accounts.takeTryBack({ keys: [], forget: key })
  return usedStep
}

async function begin({ accounts, clock }: SignInPorts, places: TryCommand): Promise<void> {
  const tried = await accounts.beginTry(places)
  if (tried.begun) return
  const retryAfterSeconds = secondsUntil(tried.retryAt, clock.now())
  throw new Problem('rate_limited', { limit: 'sign_in', retryAfterSeconds })
}

/** The pair of address and name comes first. */
function placesOf(
  { keyring, clock }: Pick<Ports, 'keyring' | 'clock'>,
  { client, folded }: Pick<Proving, 'client' | 'folded'>,
): TryCommand {
  const place = (kind: keyof typeof paces, value: string): TryPlace => {
    return { key: keyring.limitIndex(`sign_in_${kind}`, value), ...paces[kind] }
  }
  const own = [place('pair', `${client.name}\0${folded}`), place('address', client.name)]
  if (client.wide !== null) own.push(place('wide', client.wide))
  return { own, shared: [place('name', folded)], now: clock.now() }
}

type About = { action: 'account.sign_in' | 'account.confirm'; requestId: string }

/** Writes what follows a proof, and uses its code up; of two with one code the second is refused. */
function saveProved(
  ports: SignInPorts,
  { account: { id, name }, usedStep }: Proved,
  { action, requestId }: About,
  change: (current: Account) => Change,
): Promise<Account> {
  const actor = { who: whoOf({ id }), requestId }
  return changeAccount(ports, actor, { action, object: id, detail: name }, (accounts) => {
    const current = accounts.find((account) => account.id === id)
    if (!current) throw new Problem('sign_in_refused')
    const { secondStep } = current
    if (!secondStep || usedStep === null) return change(current)
    if (secondStep.usedStep >= usedStep) throw new Problem('sign_in_refused')
    return change({ ...current, secondStep: { ...secondStep, usedStep } })
  })
}

import type { Ports } from '../ports.ts'
import type { Account } from './account.ts'

/** A browser that is signed in. */
export type Session = {
  id: string
  accountId: string
  /** Keyed hash of the token that the browser’s cookie has. */
  tokenHash: Uint8Array
  createdAt: number
  /** Written at most once a minute. */
  seenAt: number
  /** When it ends, however much it is used. */
  expiresAt: number
  /** Until then secrets may be changed without the password. */
  confirmedUntil: number
  /** The address of the sign-in, as limits count it. */
  client: string
  /** What the browser calls itself, in a few words. */
  browser: string
}

export type SessionTimes = {
  /** A session ends when it was not used for so long. */
  idleMs: number
  /** A session ends so long after its sign-in. */
  lifeMs: number
}

/** How long secrets may be changed after the password was given. */
export const confirmedMs = 600_000
const seenEveryMs = 60_000

/** When the session ends if it is not used any more. */
export function idleUntil({ seenAt, expiresAt }: Session, { idleMs }: SessionTimes): number {
  return Math.min(seenAt + idleMs, expiresAt)
}

export type SignedIn = { account: Account; session: Session }

/**
 * Who has this token; null for an unknown one, and for a session that has ended. `isUse`: false for a
 * request that the page makes by itself, so that a forgotten page does not stay signed in.
 */
export async function findSession(
  { accounts, keyring, clock }: Pick<Ports, 'accounts' | 'keyring' | 'clock'>,
  times: SessionTimes,
  { token, isUse }: { token: string; isUse: boolean },
): Promise<SignedIn | null> {
  if (!isToken(token)) return null
  const found = await accounts.findSession(keyring.tokenHash('session', token))
  if (!found) return null
  const { account, session } = found
  const now = clock.now()
  if (now >= idleUntil(session, times) || account.removedAt !== null) return null
  if (!isUse || now - session.seenAt < seenEveryMs) return found
  await accounts.touchSession({ id: session.id, seenAt: now })
  return { account, session: { ...session, seenAt: now } }
}

const tokenBytes = 32

/** A token of 256 random bits for a cookie or a link. */
export function newToken({ random }: Pick<Ports, 'random'>): string {
  return Buffer.from(random.bytes(tokenBytes)).toString('base64url')
}

/** True for text that can be a token; anything else is refused before a look-up. */
export function isToken(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}

export type NewSession = { token: string; session: Session }

/** A session that begins now, with a new token. */
export function startSession(
  ports: Pick<Ports, 'keyring' | 'random'>,
  { lifeMs }: SessionTimes,
  begin: Pick<Session, 'id' | 'accountId' | 'client' | 'browser'> & { now: number },
): NewSession {
  const { now, ...of } = begin
  const token = newToken(ports)
  const session: Session = {
    ...of,
    tokenHash: ports.keyring.tokenHash('session', token),
    createdAt: now,
    seenAt: now,
    expiresAt: now + lifeMs,
    confirmedUntil: now + confirmedMs,
  }
  return { token, session }
}

import type { Account } from '../domain/account/account.ts'
import type { Session, SignedIn } from '../domain/account/session.ts'
import { timestamp } from '../present.ts'

export function presentAccount({ id, name, role, password, secondStep, ...account }: Account) {
  const { createdAt, signedInAt } = account
  return {
    id,
    name,
    role,
    /** Invited people have not chosen a password yet. */
    status: password === null ? ('invited' as const) : ('active' as const),
    has_second_step: secondStep !== null,
    created_at: timestamp(createdAt),
    signed_in_at: signedInAt === null ? null : timestamp(signedInAt),
  }
}

export function presentSessionRow(session: Session) {
  const { id, browser, client, createdAt, seenAt, expiresAt } = session
  return {
    id,
    browser,
    client,
    created_at: timestamp(createdAt),
    seen_at: timestamp(seenAt),
    expires_at: timestamp(expiresAt),
  }
}

/** Who is signed in, and until when: `confirmed_until` is null where secrets may not be changed. */
export function presentSession(
  { account, session }: SignedIn,
  { idleUntil, now }: { idleUntil: number; now: number },
) {
  const { id, name, role, secondStep } = account
  const { expiresAt, confirmedUntil } = session
  return {
    id: session.id,
    account: { id, name, role, has_second_step: secondStep !== null },
    idle_until: timestamp(idleUntil),
    expires_at: timestamp(expiresAt),
    confirmed_until: confirmedUntil > now ? timestamp(confirmedUntil) : null,
  }
}

import { timingSafeEqual } from 'node:crypto'
import type { SignedIn } from '../../domain/account/session.ts'
import { authenticate, hashKey, type KeyHolder, recall } from '../../domain/app/api-key.ts'
import type { KeyMode } from '../../domain/app/app.ts'
import type { Actor } from '../../domain/audit.ts'
import { Problem } from '../../domain/problem.ts'
import { type Mode, modes } from '../../domain/verification/verification.ts'
import type { HttpPorts } from '../ports.ts'
import type { Asked, Context } from './api.ts'
import type { CredentialLimit } from './credential-limit.ts'

export type Caller = KeyHolder<Mode>

/** What callers are authenticated with, and the limit of failures. */
export type Guard = CredentialLimit &
  Pick<HttpPorts, 'apps' | 'adminTokenHash'> & {
    /** Who has the session of this request; only on the listener of the dashboard. */
    person?: (context: Context, asked: Asked) => Promise<{ actor: Actor; signedIn: SignedIn }>
  }

/** The app by a generated key; a valid one is never limited. Throws `unauthorized`, `rate_limited`. */
export function appOf(guard: Guard, context: Context): Promise<Caller> {
  return holderOf(guard, context, modes)
}

/** An app by memory. `confirm` reads it anew, once, and throws where the key is good no more. */
export type RecalledCaller = Caller & { asOf: number | null; confirm(): Promise<Caller> }

/**
 * Like `appOf`, by memory, for a route whose one statement compares `asOf`; before every refusal the
 * caller is confirmed. Throws `unauthorized`, `rate_limited`.
 */
export async function recalledAppOf(guard: Guard, context: Context): Promise<RecalledCaller> {
  const token = bearerToken(context.request)
  if (token === null) throw new Problem('unauthorized')
  const caller = await recall(guard, token)
  if (!caller) {
    await guard.chargeFailure(context.client())
    throw new Problem('unauthorized')
  }
  let confirmed: Promise<Caller> | null = null
  const confirm = () => {
    confirmed ??= appOf(guard, context)
    return confirmed
  }
  return { ...caller, confirm }
}

/** The app by a key of the mode `inbound`. Throws `unauthorized`, `rate_limited`. */
export function inboundOf(guard: Guard, context: Context): Promise<KeyHolder<'inbound'>> {
  return holderOf(guard, context, ['inbound'])
}

async function holderOf<Of extends KeyMode>(
  guard: Guard,
  { request, client }: Context,
  allowed: readonly Of[],
): Promise<KeyHolder<Of>> {
  const token = bearerToken(request)
  if (token === null) throw new Problem('unauthorized')
  const caller = await authenticate<Of>(guard, token, allowed)
  if (caller) return caller
  await guard.chargeFailure(client())
  throw new Problem('unauthorized')
}

/** The admin by the admin token, or a person by a session. Throws `unauthorized`, `rate_limited`. */
export async function adminOf(
  { judge, adminTokenHash, person }: Guard,
  context: Context,
  asked: Asked,
): Promise<{ actor: Actor }> {
  if (person) return person(context, asked)
  const { request, client, requestId } = context
  const token = bearerToken(request)
  if (token === null) throw new Problem('unauthorized')
  const isRight = await judge(client(), token, async () => {
    return timingSafeEqual(hashKey(token), adminTokenHash) ? true : null
  })
  if (isRight === null) throw new Problem('unauthorized')
  return { actor: { who: 'admin', requestId } }
}

/** The bearer token (RFC 6750 section 2.1); null without one. */
export function bearerToken({ headers }: Request): string | null {
  const header = headers.get('authorization')
  if (header === null || header.length > 300) return null
  return /^bearer +([\x21-\x7e]+)$/i.exec(header)?.[1] ?? null
}

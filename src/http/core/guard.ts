import { timingSafeEqual } from 'node:crypto'
import { authenticate, hashKey } from '../../domain/app/api-key.ts'
import type { App, AppKey } from '../../domain/app/app.ts'
import type { Actor } from '../../domain/audit.ts'
import { Problem } from '../../domain/problem.ts'
import type { HttpPorts } from '../ports.ts'
import type { Context } from './api.ts'
import type { CredentialLimit } from './credential-limit.ts'

export type Caller = { app: App; key: AppKey }

/** Authenticates callers, and limits failures. */
export type Guard = CredentialLimit & {
  /** By a generated key; a valid one is never limited. Throws `unauthorized`, `rate_limited`. */
  caller(context: Context): Promise<Caller>
  /** By the admin token. Throws `unauthorized`, `rate_limited`. */
  admin(context: Context): Promise<Actor>
}

export function createGuard(
  { apps, adminTokenHash }: Pick<HttpPorts, 'apps' | 'adminTokenHash'>,
  limit: CredentialLimit,
): Guard {
  return {
    ...limit,
    async caller({ request, client }) {
      const token = bearerToken(request)
      if (token === null) throw new Problem('unauthorized')
      const caller = await authenticate({ apps }, token)
      if (caller) return caller
      await limit.chargeFailure(client())
      throw new Problem('unauthorized')
    },
    async admin({ request, client, requestId }) {
      const token = bearerToken(request)
      if (token === null) throw new Problem('unauthorized')
      const isRight = await limit.judge(client(), token, async () => {
        return timingSafeEqual(hashKey(token), adminTokenHash) ? true : null
      })
      if (isRight === null) throw new Problem('unauthorized')
      return { who: 'admin', requestId }
    },
  }
}

/** The bearer token (RFC 6750 section 2.1); null without one. */
export function bearerToken({ headers }: Request): string | null {
  const header = headers.get('authorization')
  if (header === null || header.length > 300) return null
  return /^bearer +([\x21-\x7e]+)$/i.exec(header)?.[1] ?? null
}

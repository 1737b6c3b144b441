import { timingSafeEqual } from 'node:crypto'
import type { App, AppKey } from '../domain/app.ts'
import { authenticate, hashKey } from '../domain/authenticate.ts'
import type { Actor } from '../domain/manage-apps.ts'
import { Problem } from '../domain/problem.ts'
import type { HttpPorts } from './ports.ts'

export type Caller = { app: App; key: AppKey }

/** Who asks. A key that is good is never held back for what came from the same address. */
export type Guard = {
  /** Throws `unauthorized`, or `rate_limited` when this address has failed too often. */
  caller(request: Request): Promise<Caller>
  operator(request: Request, requestId: string): Promise<Actor>
  /** Counts a call that presented no valid key. Throws `rate_limited`. */
  chargeFailure(request: Request): Promise<void>
}

type GuardPorts = Pick<
  HttpPorts,
  'apps' | 'limits' | 'keyring' | 'clock' | 'settings' | 'adminTokenHash'
>

export function createGuard(ports: GuardPorts, clientIp: (request: Request) => string): Guard {
  const { limits, keyring, clock, settings, adminTokenHash } = ports

  async function chargeFailure(request: Request): Promise<void> {
    const now = clock.now()
    const key = keyring.limitIndex('ip_failures', clientIp(request))
    const max = settings.ipFailuresPerMinute
    const limit = { name: 'ip_failures', key, max, windowMs: 60_000 }
    const taken = await limits.take(limit, now)
    if (taken.taken) return
    const retryAfterSeconds = Math.max(1, Math.ceil((taken.retryAt - now) / 1000))
    throw new Problem('rate_limited', { limit: limit.name, retryAfterSeconds })
  }

  async function refuse(request: Request): Promise<never> {
    await chargeFailure(request)
    throw new Problem('unauthorized')
  }

  return {
    chargeFailure,
    async caller(request) {
      const token = bearerToken(request)
      if (token === null) throw new Problem('unauthorized')
      return (await authenticate(ports, token)) ?? refuse(request)
    },
    async operator(request, requestId) {
      const token = bearerToken(request)
      if (token === null) throw new Problem('unauthorized')
      if (!timingSafeEqual(hashKey(token), adminTokenHash)) return refuse(request)
      return { who: 'admin', requestId }
    },
  }
}

/** RFC 6750 section 2.1; null when there is none to be judged. */
export function bearerToken({ headers }: Request): string | null {
  const header = headers.get('authorization')
  if (header === null || header.length > 300) return null
  return /^bearer +([\x21-\x7e]+)$/i.exec(header)?.[1] ?? null
}

import type { App } from '../../src/domain/app.ts'
import { newId, newTimedId } from '../../src/domain/id.ts'
import { dayMs, type Limit } from '../../src/domain/limit.ts'
import type { StartCommand } from '../../src/domain/stores.ts'
import { systemRandom } from '../../src/random.ts'

export const noon = Date.UTC(2026, 5, 15, 12)

export const bytes = (count: number): Uint8Array => systemRandom.bytes(count)

/** The audit entry of whatever a test does. */
export function auditEntry(at = noon, object = 'x') {
  return { at, who: 'cli', action: 'app.create' as const, object, detail: '', requestId: null }
}

/** An app without channels. */
export function plainApp(id = newId(systemRandom)): App {
  return {
    id,
    name: 'Acme',
    policy: {},
    email: null,
    dataKey: { keyId: '00000000', bytes: bytes(61) },
    createdAt: noon,
    updatedAt: noon,
    alarmAt: null,
  }
}

export type CommandOptions = {
  appId?: string
  now?: number
  ttlMs?: number
  attemptsMax?: number
  budgetKey?: Uint8Array
  budget?: { max: number; windowMs: number }[]
  limits?: Limit[]
  long?: boolean
  idempotency?: StartCommand['idempotency']
}

/** A start with nothing in its way, and the digests that its codes answer to. */
export function startCommand(options: CommandOptions = {}): StartCommand {
  const { appId = 'app', now = noon, ttlMs = 600_000, attemptsMax = 5 } = options
  const long = { format: 'crockford', length: 13, generation: 1, digest: bytes(32) } as const
  return {
    verification: {
      id: newId(systemRandom),
      appId,
      mode: 'live',
      to: 'a***@example.com',
      channel: 'email',
      purpose: 'default',
      locale: null,
      metadata: null,
      codeKeyId: '00000000',
      reference: 'AB12',
      attemptsMax,
      resendsMax: 3,
      createdAt: now,
      expiresAt: now + ttlMs,
      resendAt: now + 30_000,
    },
    recipientIndex: bytes(16),
    recipientSealed: bytes(40),
    short: { format: 'numeric', length: 6, generation: 0, digest: bytes(32) },
    long: options.long === false ? null : () => long,
    limits: options.limits ?? [],
    budget: {
      key: options.budgetKey ?? bytes(16),
      windows: options.budget ?? [{ max: 1000, windowMs: dayMs }],
    },
    delivery: { id: newTimedId(systemRandom, now), leaseUntil: now + 90_000 },
    idempotency: options.idempotency ?? null,
  }
}

/** A check of the short code of a start: right, or surely wrong. */
export function attempt(command: StartCommand, right: boolean, now = noon) {
  const { appId, id } = command.verification
  const digests = [right ? command.short.digest : bytes(32)]
  return { appId, id, format: 'numeric' as const, length: 6, digests, now }
}

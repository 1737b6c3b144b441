import { type App, recipientPlace } from './app.ts'
import { type CodeFormat, deriveCode, longCodeLength } from './code.ts'
import type { Delivery, Handover } from './delivery.ts'
import { newId, newTimedId } from './id.ts'
import { dayMs, type Limit } from './limit.ts'
import type { DomainSettings, Ports } from './ports.ts'
import { invalidField, Problem } from './problem.ts'
import { foldRecipient, maskRecipient, readRecipient } from './recipient.ts'
import type { CodeVariant, StartCommand, StartResult } from './stores.ts'
import type { ChannelName, Mode, Verification } from './verification.ts'

export type StartRequest = {
  app: App
  mode: Mode
  to: string
  channel?: ChannelName | undefined
  purpose?: string | undefined
  locale?: string | undefined
  /** 4 to 10 digits. */
  codeLength?: number | undefined
  /** 30 to 86,400. */
  ttlSeconds?: number | undefined
  metadata?: Record<string, string> | undefined
  idempotency?: { key: string; body: string } | undefined
}

export type Started =
  | { outcome: 'started'; verification: Verification; deliveryId: string; keep: Uint8Array | null }
  | { outcome: 'replayed'; verificationId: string; answer: string | null; keptAt: number }

/** How long the process that queued a delivery has it for itself, in ms. */
export const leaseMs = 90_000

type StartPorts = Pick<
  Ports,
  'verifications' | 'keyring' | 'clock' | 'random' | 'outbox' | 'settings'
>

/**
 * Mints a code for one recipient, stores its digest and queues its message, all in one commit.
 * The guess budget is reserved here, so that a check is never refused for what others did: when it
 * does not fit, the code is a long one, which needs no throttling (NIST SP 800-63B-4 3.1.3.2).
 *
 * Throws `invalid_request`, `channel_not_configured`, `rate_limited`, `budget_exhausted` (where
 * the app's policy is to refuse), `idempotency_key_reused`, `store_unavailable`.
 */
export async function startVerification(
  ports: StartPorts,
  request: StartRequest,
): Promise<Started> {
  const now = ports.clock.now()
  const recipient = readRecipient(request.to)
  const command = buildCommand(ports, request, recipient, now)

  const result = await ports.verifications.start(command)
  if (result.outcome === 'replayed') return result
  if (result.outcome !== 'started') throw refusal(result, now)

  const { verification } = result
  const queued = firstDelivery(verification, command.delivery.id)
  ports.outbox.offer(queued, handover(ports, request.app, verification, queued, recipient))
  const keep = command.idempotency?.key ?? null
  return { outcome: 'started', verification, deliveryId: queued.id, keep }
}

function buildCommand(
  ports: StartPorts,
  request: StartRequest,
  recipient: string,
  now: number,
): StartCommand {
  const { keyring, random, settings } = ports
  const { app } = request
  const id = newId(random)
  const codeKeyId = keyring.codeKeyId()
  const variant = (format: CodeFormat, length: number, generation: number): CodeVariant => {
    const place = { appId: app.id, verificationId: id, generation }
    const code = deriveCode(keyring, codeKeyId, place, format, length)
    return { format, length, generation, digest: keyring.codeDigest(codeKeyId, app.id, id, code) }
  }
  const refuses = app.policy.onBudgetExhausted === 'refuse'
  const folded = foldRecipient(recipient)
  return {
    verification: {
      id,
      appId: app.id,
      mode: request.mode,
      to: maskRecipient(recipient),
      channel: channelFor(request),
      purpose: request.purpose ?? 'default',
      locale: request.locale ?? null,
      metadata: request.metadata ?? null,
      codeKeyId,
      reference: newReference(random),
      attemptsMax: app.policy.attemptsMax ?? settings.attemptsMax,
      resendsMax: settings.resendsMax,
      createdAt: now,
      expiresAt: now + lifeSeconds(request, settings) * 1000,
      resendAt: now + settings.resendAfterSeconds * 1000,
    },
    recipientIndex: keyring.recipientIndex(app.id, recipient),
    recipientSealed: keyring.seal(app.id, app.dataKey, recipientPlace(id), recipient),
    short: variant('numeric', digitsFor(request, settings), 0),
    long: refuses ? null : () => variant('crockford', longCodeLength, 1),
    limits: startLimits(ports, app, folded),
    budget: {
      key: budgetKey(ports, app.id, folded),
      windows: [
        { max: settings.guessBudgetPerDay, windowMs: dayMs },
        { max: settings.guessBudgetPerMonth, windowMs: 30 * dayMs },
      ],
    },
    delivery: { id: newTimedId(random, now), leaseUntil: now + leaseMs },
    idempotency: request.idempotency
      ? {
          key: keyring.fingerprint(app.id, `key\0${request.idempotency.key}`),
          fingerprint: keyring.fingerprint(app.id, `body\0${request.idempotency.body}`),
        }
      : null,
  }
}

/** The tighter of server and app. One recipient's limits share a prefix, so they lie together. */
function startLimits({ keyring, settings }: StartPorts, app: App, folded: string): Limit[] {
  const recipient = recipientLimits(keyring, app.id, folded)
  const anywhere = keyring.limitIndex('recipient_all_apps', folded)
  const whole = keyring.limitIndex('app', app.id)
  const daily = Math.min(
    app.policy.recipientStartsPerDay ?? settings.recipientStartsPerDay,
    settings.recipientStartsPerDay,
  )
  const perMinute = Math.min(
    app.policy.startsPerMinute ?? settings.appStartsPerMinute,
    settings.appStartsPerMinute,
  )
  const spacingMs = settings.recipientStartSpacingSeconds * 1000
  const quarterly = settings.recipientStartsPerQuarterHour
  const anywhereDaily = settings.recipientStartsPerDayAcrossApps
  return [
    { name: 'recipient_spacing', key: tagged(recipient, 1), max: 1, windowMs: spacingMs },
    {
      name: 'recipient_quarter_hour',
      key: tagged(recipient, 2),
      max: quarterly,
      windowMs: 900_000,
    },
    { name: 'recipient_day', key: tagged(recipient, 3), max: daily, windowMs: dayMs },
    { name: 'recipient_day_all_apps', key: anywhere, max: anywhereDaily, windowMs: dayMs },
    { name: 'app_minute', key: whole, max: perMinute, windowMs: 60_000 },
  ]
}

function tagged(prefix: Uint8Array, tag: number): Uint8Array {
  const key = new Uint8Array(prefix.length + 1)
  key.set(prefix)
  key[prefix.length] = tag
  return key
}

/** Where an app's failures against one recipient are counted: beside the recipient's limits. */
export function budgetKey({ keyring }: Pick<Ports, 'keyring'>, appId: string, folded: string) {
  return tagged(recipientLimits(keyring, appId, folded), 0)
}

function recipientLimits(keyring: Ports['keyring'], appId: string, folded: string): Uint8Array {
  return keyring.limitIndex('recipient', `${appId}\0${folded}`)
}

function digitsFor({ app, codeLength }: StartRequest, settings: DomainSettings): number {
  const digits = codeLength ?? app.policy.codeLength ?? settings.codeLength
  if (!Number.isInteger(digits) || digits < 4 || digits > 10) {
    throw invalidField('code_length', 'must be a whole number from 4 to 10')
  }
  const alarmed = app.alarmAt !== null && app.policy.longerCodesOnAlarm === true
  return alarmed ? Math.max(digits, 8) : digits
}

function lifeSeconds({ app, ttlSeconds }: StartRequest, settings: DomainSettings): number {
  const seconds = ttlSeconds ?? app.policy.ttlSeconds ?? settings.ttlSeconds
  if (!Number.isInteger(seconds) || seconds < 30 || seconds > 86_400) {
    throw invalidField('ttl_seconds', 'must be a whole number from 30 to 86400')
  }
  return seconds
}

/** A test key's messages never leave the machine, whatever channel was asked for. */
function channelFor({ app, mode, channel = 'email' }: StartRequest): ChannelName {
  if (mode === 'test') return 'inbox'
  if (channel === 'inbox') {
    throw invalidField('channel', 'inbox needs a test key; live keys send by email')
  }
  if (!app.email) throw new Problem('channel_not_configured')
  return channel
}

/** Two letters and two digits, easily told apart; not secret. */
function newReference(random: Ports['random']): string {
  const letters = 'ABCDEFGHJKMNPQRSTVWXYZ'
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return letters.charAt(a % 22) + letters.charAt(b % 22) + String(c % 10) + String(d % 10)
}

function refusal(
  result: Exclude<StartResult, { outcome: 'started' | 'replayed' }>,
  now: number,
): Problem {
  if (result.outcome === 'budget_exhausted') return new Problem('budget_exhausted')
  if (result.outcome === 'key_reused') return new Problem('idempotency_key_reused')
  const retryAfterSeconds = Math.max(1, Math.ceil((result.retryAt - now) / 1000))
  return new Problem('rate_limited', { limit: result.limit, retryAfterSeconds })
}

function firstDelivery(verification: Verification, id: string): Delivery {
  const { appId, channel, createdAt, expiresAt } = verification
  return {
    id,
    appId,
    verificationId: verification.id,
    channel,
    status: 'queued',
    detail: null,
    tries: 0,
    createdAt,
    expiresAt,
  }
}

/** The message of a verification: its code is derived again, the same every time. */
export function handover(
  { keyring }: Pick<Ports, 'keyring'>,
  app: App,
  verification: Verification,
  delivery: Pick<Delivery, 'id' | 'createdAt'>,
  recipient: string,
): Handover {
  const { id, codeKeyId, generation, codeFormat, codeLength } = verification
  const place = { appId: app.id, verificationId: id, generation }
  return {
    deliveryId: delivery.id,
    app,
    recipient,
    code: deriveCode(keyring, codeKeyId, place, codeFormat, codeLength),
    codeFormat,
    reference: verification.reference,
    locale: verification.locale,
    createdAt: delivery.createdAt,
    expiresAt: verification.expiresAt,
  }
}

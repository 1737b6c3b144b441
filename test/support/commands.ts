import type { App, AppKey } from '../../src/domain/app/app.ts'
import type { DkimKey } from '../../src/domain/app/dkim.ts'
import { type Endpoint, isEmail } from '../../src/domain/app/endpoint.ts'
import type { SmtpSettings } from '../../src/domain/app/smtp-fields.ts'
import type { AuditAppend } from '../../src/domain/audit.ts'
import { type AuditEntry, audited, type HeadMoved } from '../../src/domain/audit.ts'
import type { Try } from '../../src/domain/delivery/delivery.ts'
import type { Due, SettleCommand } from '../../src/domain/delivery/stores.ts'
import { newId, newTimedId } from '../../src/domain/id.ts'
import type { Keyring } from '../../src/domain/keyring.ts'
import type { Stores, SweepCommand } from '../../src/domain/stores.ts'
import { type BudgetWindow, dayMs, type LimitRow } from '../../src/domain/verification/limits.ts'
import type {
  AttemptCommand,
  KeptRequest,
  NewDelivery,
  NewRecipient,
  NewStop,
  StartCommand,
} from '../../src/domain/verification/stores.ts'
import type { Mode, VerificationKey } from '../../src/domain/verification/verification.ts'
import { type Webhook, webhookTypes } from '../../src/domain/webhook/webhook.ts'
import { systemRandom } from '../../src/system.ts'

export const noon = Date.UTC(2026, 5, 15, 12)
export const minuteMs = 60_000

export const bytes = (count: number): Uint8Array => systemRandom.bytes(count)
export const newRequest = (since = noon - dayMs): KeptRequest => {
  return { key: bytes(32), fingerprint: bytes(32), since }
}

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/** Links audit records with plain SHA-256: a store is tested without a key. */
export const auditKeyring: Pick<Keyring, 'auditMac'> = {
  auditMac: (previous, text) =>
    new Bun.CryptoHasher('sha256').update(previous).update(text).digest(),
}

export function auditEntry(at = noon, object = 'x'): AuditEntry {
  return { at, who: 'cli', action: 'app.create', object, detail: '', requestId: null }
}

/** Runs a write with its audit record, and repeats it while the head has moved. */
export function withAudit<Result>(
  { audit }: Pick<Stores, 'audit'>,
  write: (append: AuditAppend) => Promise<Result | HeadMoved>,
): Promise<Result> {
  return audited({ audit, keyring: auditKeyring as Keyring }, auditEntry(), write)
}

/** An app without endpoints. */
export function plainApp(change: Partial<App> = {}): App {
  return {
    id: newId(systemRandom),
    name: 'Acme',
    registeredBy: 'admin',
    hasSecretKey: false,
    policy: {},
    endpoints: [],
    brand: null,
    templates: [],
    dataKey: { keyId: '00000000', bytes: bytes(61) },
    version: 1,
    createdAt: noon,
    updatedAt: noon,
    dkim: [],
    webhooks: [],
    sprayAlarmSince: null,
    hasSuppressions: false,
    ...change,
  }
}

/** The settings of an endpoint that is a mail server. */
export function smtpOf(endpoint: Endpoint | null | undefined): SmtpSettings {
  if (!endpoint || !isEmail(endpoint)) throw new Error('this endpoint is no mail server')
  return endpoint.settings
}

/** An SMTP server without login, with no optional field set. */
export function smtpSettings(change: Partial<SmtpSettings> = {}): SmtpSettings {
  return {
    kind: 'email',
    host: 'mail.example.com',
    port: 587,
    security: 'starttls',
    user: null,
    auth: 'password',
    tenant: null,
    clientId: null,
    from: 'codes@example.com',
    fromName: null,
    ca: null,
    connectionsMax: null,
    ratePerMinute: null,
    cost: null,
    ...change,
  }
}

export function emailEndpoint(appId: string, rank: number): Endpoint {
  return {
    id: newId(systemRandom),
    appId,
    channel: 'email',
    rank,
    settings: smtpSettings({ host: `mail${rank}.example.com`, user: 'codes' }),
    secretSealed: bytes(40),
    off: null,
    createdAt: noon,
    updatedAt: noon,
  }
}

export function dkimKey(parts: Partial<DkimKey> = {}): DkimKey {
  const id = newId(systemRandom)
  const names = { domain: 'example.com', selector: `s${id.toLowerCase()}`, publicKey: `p${id}` }
  return { id, ...names, privateSealed: bytes(60), foundAt: null, createdAt: noon, ...parts }
}

/** A webhook that is told of everything but what test keys do. */
export function webhook(parts: Partial<Webhook> = {}): Webhook {
  return {
    id: newId(systemRandom),
    url: 'https://app.example.com/events',
    types: [...webhookTypes],
    testEvents: false,
    secretSealed: bytes(80),
    formerSealed: null,
    formerUntil: null,
    offSince: null,
    offCause: null,
    createdAt: noon,
    updatedAt: noon,
    ...parts,
  }
}

export function appKey(appId: string, mode: Mode = 'live'): AppKey {
  const id = newId(systemRandom)
  const visible = { prefix: `otpm_${mode}_`, lastFour: 'abcd' }
  return { id, appId, mode, ...visible, createdAt: noon, revokedAt: null }
}

/** Stores a new app, and answers it. */
export async function addPlainApp(stores: Pick<Stores, 'apps' | 'audit'>, app = plainApp()) {
  const command = { app, keys: [], secretKeyIndex: null, registeredFrom: null }
  await withAudit(stores, (append) => stores.apps.create(command, append))
  return app
}

export type StartOptions = Partial<
  Pick<
    StartCommand['verification'],
    'appId' | 'mode' | 'startedBy' | 'attemptsMax' | 'codeKeyId' | 'metadata'
  >
> & {
  now?: number
  ttlMs?: number
  /** The key of the recipient's limit row; their address follows from it unless it is given. */
  recipientKey?: Uint8Array
  recipientIndex?: Uint8Array
  rates?: LimitRow['rates']
  /** Rows behind the recipient's. */
  limits?: LimitRow[]
  budget?: BudgetWindow[]
  long?: boolean
  lease?: NewDelivery['lease']
  endpointId?: string | null
  idempotency?: KeptRequest | null
  /** Recipients besides the first one. */
  further?: Partial<NewRecipient>[]
  /** The channels; by default one, to the first recipient. */
  route?: NewStop[]
  fallBackMs?: number | null
  checkDelaysMs?: number[] | null
}

/** A start that no limit refuses, and the digests of its codes. */
export function startCommand(options: StartOptions = {}): StartCommand {
  const { now = noon, recipientKey = bytes(32), ttlMs = 600_000 } = options
  const { lease = { node: 'a', until: now + 90_000 }, endpointId = 'endpoint' } = options
  const long = { format: 'crockford', length: 13, generation: 1, digest: bytes(32) } as const
  return {
    verification: {
      id: newTimedId(systemRandom, now),
      appId: options.appId ?? 'app',
      mode: options.mode ?? 'live',
      startedBy: options.startedBy ?? 'v1',
      purpose: 'default',
      locale: null,
      metadata: options.metadata ?? null,
      codeKeyId: options.codeKeyId ?? '00000000',
      reference: 'AB12',
      attemptsMax: options.attemptsMax ?? 5,
      resendsMax: 3,
      createdAt: now,
      expiresAt: now + ttlMs,
      resendAt: now + 30_000,
    },
    recipients: [
      newRecipient({
        index: options.recipientIndex ?? recipientKey,
        limits: [{ key: recipientKey, rates: options.rates ?? [] }],
      }),
      ...(options.further ?? []).map(newRecipient),
    ],
    route: options.route ?? [{ channel: 'email', recipient: 0, endpointId }],
    fallBackMs: options.fallBackMs ?? null,
    checkDelaysMs: options.checkDelaysMs ?? null,
    variablesSealed: null,
    short: { format: 'numeric', length: 6, generation: 0, digest: bytes(32) },
    long: options.long === false ? null : long,
    limits: options.limits ?? [],
    recipientKeptMs: 31 * dayMs,
    budget: options.budget ?? [{ max: 1000, windowMs: dayMs }],
    budgetEvent: { type: 'budget.exhausted', data: { answer: 'long_code' } },
    delivery: { id: newTimedId(systemRandom, now), createdAt: now, lease },
    idempotency: options.idempotency ?? null,
  }
}

/** A recipient of a start, over whose rates it never is. */
export function newRecipient(change: Partial<NewRecipient> = {}): NewRecipient {
  const key = bytes(32)
  const limits = [{ key, rates: [] }]
  return { index: key, masked: 'a***@example.com', sealed: bytes(40), limits, ...change }
}

export const stopped = { detail: 'stopped', event: 'delivery.undeliverable' } as const

export function newDelivery(
  options: { now?: number; lease?: NewDelivery['lease']; endpointId?: string | null } = {},
): NewDelivery {
  const { now = noon, lease = null, endpointId = 'endpoint' } = options
  const id = newTimedId(systemRandom, now)
  return { id, channel: 'email', endpointId, createdAt: now, lease }
}

export function keyOf({ verification }: StartCommand): VerificationKey {
  const { appId, mode, id } = verification
  return { appId, mode, id }
}

/** A check of the short code of a start: right, or surely wrong. */
export function attempt(
  command: StartCommand,
  isRight: boolean,
  { now = noon, idempotency = null, asOf = null }: Partial<AttemptCommand> = {},
): AttemptCommand {
  const digest = isRight ? command.short.digest : bytes(32)
  return {
    ...keyOf(command),
    format: 'numeric',
    length: 6,
    digests: [{ keyId: command.verification.codeKeyId, digest }],
    now,
    events: { approved: 'verification.approved', exhausted: 'verification.exhausted' },
    idempotency,
    asOf,
  }
}

export function resendCommand(command: StartCommand, now: number, lease?: NewDelivery['lease']) {
  const delivery = newDelivery({ now, lease: lease ?? { node: 'a', until: now + 90_000 } })
  return { ...keyOf(command), now, resendAfterMs: 30_000, delivery, hasNext: false, stopped }
}

export function cancelCommand(command: StartCommand, now = noon) {
  return { ...keyOf(command), now, event: 'verification.canceled' as const }
}

/** A claim by node `a`, which takes nodes as silent after 15 seconds. */
export function due(now: number, change: Partial<Due> = {}): Due {
  const looked = { from: '', dueWithinMs: 900_000, silentSince: now - 15_000 }
  return { node: 'a', now, ...looked, ...change }
}

export function tryOf(change: Partial<Try> = {}): Try {
  return {
    number: 1,
    endpointId: 'endpoint',
    at: noon,
    tookMs: 12,
    status: 'sent',
    cause: null,
    ambiguous: false,
    code: '250',
    detail: null,
    remoteId: '<1@example.com>',
    ...change,
  }
}

/** Settles a start's delivery after one successful try. */
export function settleCommand(
  command: StartCommand,
  change: Partial<SettleCommand> = {},
): SettleCommand {
  const { id: verificationId, appId, mode } = command.verification
  return {
    delivery: { id: command.delivery.id, appId, mode, verificationId },
    made: tryOf(),
    status: 'sent',
    detail: null,
    event: 'delivery.sent',
    counted: null,
    suppress: null,
    again: null,
    follow: null,
    now: noon,
    ...change,
  }
}

/** A sweep that handles only what has expired by `now`, and no keeping time. */
export function sweepCommand(now: number, change: Partial<SweepCommand> = {}): SweepCommand {
  return {
    now,
    expiredEvent: 'verification.expired',
    verificationsBefore: 0,
    eventsBefore: 0,
    messagesBefore: 0,
    failuresBefore: 0,
    idempotencyBefore: 0,
    suppressionsBefore: 0,
    bindingsBefore: 0,
    pagesBefore: 0,
    reportsBefore: 0,
    learnedDaysBefore: 0,
    learnedRecipientsBefore: 0,
    figuresBefore: [],
    refusalsBefore: 0,
    spendingBefore: 0,
    accountsBefore: 0,
    triesBefore: 0,
    limitsAfter: new Uint8Array(0),
    limit: 100,
    ...change,
  }
}

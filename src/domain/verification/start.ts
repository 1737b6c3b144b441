import { type App, endpointsOf, recipientPlace, variablesPlace } from '../app/app.ts'
import { type EffectivePolicy, effectivePolicy, policyFields } from '../app/policy.ts'
import { type ChannelKind, channels } from '../delivery/channel.ts'
import { handover, type Lane, lanesOf, leaseMs, queuedDelivery } from '../delivery/handover.ts'
import { isWithin, mustBe } from '../field.ts'
import { newTimedId } from '../id.ts'
import { readLocale } from '../language.ts'
import type { Ports } from '../ports.ts'
import { invalidField, Problem, secondsUntil } from '../problem.ts'
import type { CodeVariant, KeptRequest, StartCommand, StartResult } from '../stores.ts'
import { readVariables, type Variables } from '../template/variables.ts'
import { type CodeFormat, deriveCode, longCodeLength } from './code.ts'
import { dayMs, guessBudget, startLimits } from './limits.ts'
import { foldRecipient, maskRecipient, type Recipient, readRecipient } from './recipient.ts'
import type { Mode, StartedBy, Verification } from './verification.ts'

export type StartRequest = {
  app: App
  mode: Mode
  startedBy: StartedBy
  to: unknown
  /** The caller's name of `to`. */
  toField?: string
  channel?: ChannelKind | undefined
  purpose?: string | undefined
  /** A BCP 47 tag. */
  locale?: string | undefined
  codeLength?: number | undefined
  ttlSeconds?: number | undefined
  metadata?: Record<string, string> | undefined
  /** Values for the template, not validated. */
  variables?: Record<string, string> | undefined
  /** `body` is the request in a form that is equal for equal requests. */
  idempotency?: { key: string; body: string } | undefined
}

export type Started = { outcome: 'started' | 'replayed'; verification: Verification }

/** How long the answer to an Idempotency-Key is kept. */
export const idempotencyMs = dayMs
/** Longer than the budget's longest window, so that every failure in it is counted. */
const recipientKeptMs = 31 * dayMs
/** A start needs an expected wait within this share of the code's life, and within 30 s. */
const waitShare = 0.25
const waitMaxMs = 30_000

type StartPorts = Pick<
  Ports,
  'verifications' | 'keyring' | 'clock' | 'random' | 'outbox' | 'settings' | 'node'
>

/**
 * Makes a code for one recipient, stores its digest and queues its message, all in one commit. The
 * guess budget is reserved here, so that a check is never refused because of other verifications;
 * without budget the code is a long one, which needs no throttling (NIST SP 800-63B-4 3.1.3.2).
 *
 * Throws `invalid_request`, `channel_not_configured`, `app_paused`, `delivery_backlog`,
 * `rate_limited`, `budget_exhausted` (where the app's policy is to refuse),
 * `idempotency_key_reused`, `store_unavailable`.
 */
export async function startVerification(
  ports: StartPorts,
  request: StartRequest,
): Promise<Started> {
  const { outbox, settings, clock } = ports
  const { app } = request
  const now = clock.now()
  const channel = channelFor(request)
  const recipient = readRecipient(
    channels[request.channel ?? 'email'].takes,
    request.to,
    request.toField,
  )
  const variables = request.variables ? readVariables(request.variables, app.templates) : null
  const policy = effectivePolicy(app.policy, settings)
  if (policy.paused) throw new Problem('app_paused')
  const lanes = lanesOf(app, channel)
  const [lane] = lanes
  if (!lane) throw new Problem('channel_not_configured')
  const minted = mint(ports, request, { lane, recipient, variables, policy, now })
  refuseBacklog(ports, lanes, minted.command.verification.expiresAt - now)

  const isHeld = outbox.reserve(lane)
  const lease = isHeld ? { node: ports.node, until: now + leaseMs } : null
  const command = { ...minted.command, delivery: { ...minted.command.delivery, lease } }
  const result = await startOrRelease(ports, { ...minted, command }, isHeld ? lane : null)
  if (result.outcome === 'replayed') return result

  const { verification } = result
  if (!isHeld) {
    outbox.wake(lane)
    return result
  }
  const delivery = queuedDelivery(verification, command.delivery)
  // The long code is rare, and is derived once more.
  const code = verification.codeFormat === 'numeric' ? minted.code : undefined
  const message = { app, verification, delivery, recipient, variables, code }
  outbox.offer(delivery, handover(ports, message))
  return result
}

/** Stores the start; gives its place in the outbox back when it is not used. */
async function startOrRelease(
  { verifications, outbox }: StartPorts,
  { command, makeLong }: Minted,
  reserved: Lane | null,
): Promise<Started> {
  let isStarted = false
  try {
    let result = await verifications.start(command)
    if (result.outcome === 'long_needed') {
      result = await verifications.start({ ...command, long: makeLong() })
    }
    isStarted = result.outcome === 'started'
    if (result.outcome === 'started' || result.outcome === 'replayed') return result
    throw refusal(result, command.verification.createdAt)
  } finally {
    if (!isStarted && reserved) outbox.release(reserved)
  }
}

/** Refuses a start whose message could not be sent in time, before anything is stored. */
function refuseBacklog({ outbox }: StartPorts, lanes: Lane[], lifeMs: number): void {
  const waitMs = Math.min(...lanes.map(outbox.expectedWaitMs))
  const allowedMs = Math.min(lifeMs * waitShare, waitMaxMs)
  if (waitMs <= allowedMs) return
  const overMs = Number.isFinite(waitMs) ? waitMs - allowedMs : waitMaxMs
  throw new Problem('delivery_backlog', { retryAfterSeconds: Math.ceil(overMs / 1000) })
}

type Minting = {
  lane: Lane
  recipient: Recipient
  variables: Variables | null
  policy: EffectivePolicy
  now: number
}

/** The command that stores a start, with its short code, and a function for the long one. */
type Minted = { command: StartCommand; code: string; makeLong(): CodeVariant }

function mint(
  ports: StartPorts,
  request: StartRequest,
  { lane: { channel, endpointId }, recipient, variables, policy, now }: Minting,
): Minted {
  const { keyring, random, settings } = ports
  const { app, mode, startedBy } = request
  const id = newTimedId(random, now)
  const codeKeyId = keyring.codeKeyId()
  const variant = (format: CodeFormat, length: number, generation: number) => {
    const place = { appId: app.id, verificationId: id, generation }
    const code = deriveCode(keyring, codeKeyId, place, format, length)
    const digest = keyring.codeDigest(codeKeyId, app.id, id, code)
    return { code, variant: { format, length, generation, digest } }
  }
  const short = variant('numeric', digitsFor(request, policy), 0)
  const folded = foldRecipient(recipient)
  const refuses = policy.onBudgetExhausted === 'refuse'
  const command: StartCommand = {
    verification: {
      id,
      appId: app.id,
      mode,
      startedBy,
      to: maskRecipient(recipient),
      channel,
      purpose: request.purpose ?? 'default',
      locale: request.locale === undefined ? null : readLocale(request.locale),
      metadata: request.metadata ?? null,
      codeKeyId,
      reference: newReference(random),
      attemptsMax: policy.attemptsMax,
      resendsMax: settings.resendsMax,
      createdAt: now,
      expiresAt: now + chosen('ttlSeconds', request, policy) * 1000,
      resendAt: now + settings.resendAfterSeconds * 1000,
    },
    recipientIndex: keyring.recipientIndex(app.id, recipient.address),
    recipientSealed: keyring.seal(app.id, app.dataKey, recipientPlace(id), recipient.address),
    variablesSealed:
      variables && keyring.seal(app.id, app.dataKey, variablesPlace(id), JSON.stringify(variables)),
    short: short.variant,
    long: refuses ? null : 'ask',
    limits: startLimits(keyring, { app, mode, folded }, { policy, settings }),
    recipientKeptMs,
    budget: guessBudget(settings),
    budgetEvent: {
      type: 'budget.exhausted',
      data: { answer: refuses ? 'refused' : 'long_code' },
    },
    delivery: { id: newTimedId(random, now), channel, endpointId, createdAt: now, lease: null },
    idempotency: keptRequest(ports, request, now),
  }
  const makeLong = () => variant('crockford', longCodeLength, 1).variant
  return { command, code: short.code, makeLong }
}

function keptRequest(
  { keyring }: StartPorts,
  { app, mode, idempotency }: StartRequest,
  now: number,
): KeptRequest | null {
  if (!idempotency) return null
  return {
    key: keyring.fingerprint(app.id, `start\0${mode}\0${idempotency.key}`),
    fingerprint: keyring.fingerprint(app.id, `body\0${mode}\0${idempotency.body}`),
    since: now - idempotencyMs,
  }
}

/** The request's value, which must be within the field's bounds, or the policy's. */
function chosen(
  name: 'codeLength' | 'ttlSeconds',
  request: StartRequest,
  policy: EffectivePolicy,
): number {
  const value = request[name]
  if (value === undefined) return policy[name]
  const field = policyFields[name]
  if (!isWithin(field, value)) throw invalidField(field.wire, mustBe(field))
  return value
}

function digitsFor(request: StartRequest, policy: EffectivePolicy): number {
  const digits = chosen('codeLength', request, policy)
  const isLonger = request.app.sprayAlarmSince !== null && policy.longerCodesOnAlarm
  return isLonger ? Math.max(digits, 8) : digits
}

/** A test key's messages never leave the machine, whatever channel was asked for. */
function channelFor({ app, mode, channel = 'email' }: StartRequest): ChannelKind {
  if (mode === 'test') return 'inbox'
  if (channel === 'inbox') {
    throw invalidField('channel', 'inbox needs a test key; live keys send by email')
  }
  if (endpointsOf(app, channel).length === 0) throw new Problem('channel_not_configured')
  return channel
}

/** Two letters and two digits that are easy to distinguish; not secret. */
function newReference(random: Ports['random']): string {
  const letters = 'ABCDEFGHJKMNPQRSTVWXYZ'
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return letters.charAt(a % 22) + letters.charAt(b % 22) + String(c % 10) + String(d % 10)
}

function refusal(
  result: Exclude<StartResult, { outcome: 'started' | 'replayed' }>,
  now: number,
): Problem {
  if (result.outcome === 'long_needed') throw new Error('the long code was given')
  if (result.outcome === 'budget_exhausted') return new Problem('budget_exhausted')
  if (result.outcome === 'key_reused') return new Problem('idempotency_key_reused')
  const { limit, retryAt } = result
  return new Problem('rate_limited', { limit, retryAfterSeconds: secondsUntil(retryAt, now) })
}

import { type App, recipientPlace, variablesPlace } from '../app/app.ts'
import { type EffectivePolicy, effectivePolicy, policyFields } from '../app/policy.ts'
import type { ChannelKind } from '../delivery/channel.ts'
import { firstLane, handover, type Lane, lanesOf, queuedDelivery } from '../delivery/handover.ts'
import { leaseMs } from '../delivery/lease.ts'
import { isWithin, mustBe } from '../field.ts'
import { newTimedId } from '../id.ts'
import { readLocale } from '../language.ts'
import { type ChosenRoute, chooseRoute } from '../learning/choose.ts'
import type { Ports } from '../ports.ts'
import { invalidField, Problem, secondsUntil } from '../problem.ts'
import { readVariables, type Variables } from '../template/variables.ts'
import { type CodeFormat, deriveCode, longCodeLength } from './code.ts'
import { dayMs, guessBudget, startLimits } from './limits.ts'
import { foldRecipient, maskRecipient, type Recipient } from './recipient.ts'
import { type ReadRoute, readRoute } from './route.ts'
import type { CodeVariant, KeptRequest, StartCommand, StartResult } from './stores.ts'
import type { Mode, StartedBy, Verification } from './verification.ts'

export type StartRequest = {
  app: App
  mode: Mode
  startedBy: StartedBy
  /** A recipient, or one for each channel by its name. */
  to: unknown
  /** The caller's name of `to`. */
  toField?: string
  /** A channel, or several in order; else the policy's, else `email`. */
  channel?: ChannelKind | ChannelKind[] | undefined
  fallbackAfterSeconds?: number | undefined
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
  | 'verifications'
  | 'keyring'
  | 'clock'
  | 'random'
  | 'outbox'
  | 'settings'
  | 'node'
  | 'phones'
  | 'learned'
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
  const { app, mode, to, channel = null, toField = 'to' } = request
  const now = clock.now()
  const policy = effectivePolicy(app.policy, settings)
  const read = readRoute(ports, { app, mode, to, channel, toField, rules: policy })
  const variables = request.variables ? readVariables(request.variables, app.templates) : null
  if (policy.paused) throw new Problem('app_paused')
  const deliveryId = newTimedId(ports.random, now)
  const routed = chooseRoute(ports, { app, routed: read, seed: deliveryId })
  const { chosen } = routed
  const minted = mint(ports, request, { ...routed, deliveryId, variables, policy, now })
  const { route } = minted.command
  refuseBacklog(ports, app, minted.command)
  const lane = firstLane(app, route[0]?.channel ?? 'email', chosen)

  const isHeld = outbox.reserve(lane)
  const lease = isHeld ? { node: ports.node, until: now + leaseMs } : null
  const command = { ...minted.command, delivery: { ...minted.command.delivery, lease } }
  const result = await startOrRelease(ports, { ...minted, command }, isHeld ? lane : null)
  if (result.outcome === 'replayed') return result

  const { verification } = result
  // The recipients of the channels before it were over their rates.
  const isFirst = verification.channel === lane.channel
  const used = isFirst ? lane : firstLane(app, verification.channel, chosen)
  if (isHeld && !isFirst) outbox.release(lane)
  if (!isHeld || !isFirst) {
    outbox.wake(used)
    return result
  }
  const delivery = queuedDelivery(verification, { ...command.delivery, ...lane, chosen })
  const recipient = recipientFor(routed, lane.channel)
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

function recipientFor({ route, recipients }: ReadRoute, channel: ChannelKind): Recipient {
  const recipient = recipients[route.find((stop) => stop.channel === channel)?.recipient ?? 0]
  if (!recipient) throw new Error('a channel has a recipient')
  return recipient
}

/**
 * Refuses a start whose message could not be sent in time, before anything is stored. A channel of the
 * route counts from when it is used by itself.
 */
function refuseBacklog({ outbox }: StartPorts, app: App, command: StartCommand): void {
  const { route, fallBackMs, verification } = command
  const lifeMs = verification.expiresAt - verification.createdAt
  const waits = route.flatMap(({ channel }, index) => {
    const beforeMs = index === 0 ? 0 : index * (fallBackMs ?? Number.POSITIVE_INFINITY)
    return lanesOf(app, channel, null).map((lane) => beforeMs + outbox.expectedWaitMs(lane))
  })
  const waitMs = Math.min(...waits)
  const allowedMs = Math.min(lifeMs * waitShare, waitMaxMs)
  if (waitMs <= allowedMs) return
  const overMs = Number.isFinite(waitMs) ? waitMs - allowedMs : waitMaxMs
  throw new Problem('delivery_backlog', { retryAfterSeconds: Math.ceil(overMs / 1000) })
}

type Minting = ChosenRoute & {
  deliveryId: string
  variables: Variables | null
  policy: EffectivePolicy
  now: number
}

/** The command that stores a start, with its short code, and a function for the long one. */
type Minted = { command: StartCommand; code: string; makeLong(): CodeVariant }

function mint(
  ports: StartPorts,
  request: StartRequest,
  { route, recipients, chosen: choice, deliveryId, variables, policy, now }: Minting,
): Minted {
  const { keyring, random, settings } = ports
  const { app, mode, startedBy } = request
  const fallBackSeconds = chosenFallBack(request, policy)
  const id = newTimedId(random, now)
  const codeKeyId = keyring.codeKeyId()
  const variant = (format: CodeFormat, length: number, generation: number) => {
    const place = { appId: app.id, verificationId: id, generation }
    const code = deriveCode(keyring, codeKeyId, place, format, length)
    const digest = keyring.codeDigest(codeKeyId, app.id, id, code)
    return { code, variant: { format, length, generation, digest } }
  }
  const short = variant('numeric', digitsFor(request, policy), 0)
  const limits = startLimits(keyring, { app, mode }, { policy, settings })
  const refuses = policy.onBudgetExhausted === 'refuse'
  const command: StartCommand = {
    verification: {
      id,
      appId: app.id,
      mode,
      startedBy,
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
    recipients: recipients.map((recipient, number) => ({
      index: keyring.recipientIndex(app.id, recipient.address),
      masked: maskRecipient(recipient),
      sealed: keyring.seal(app.id, app.dataKey, recipientPlace(id, number), recipient.address),
      limits: limits.ofRecipient(foldRecipient(recipient)),
    })),
    route: route.map(({ channel, recipient }) => {
      const { endpointId } = firstLane(app, channel, choice)
      return { channel, recipient, endpointId, ...(choice && { chosen: choice }) }
    }),
    fallBackMs: fallBackSeconds === null ? null : fallBackSeconds * 1000,
    checkDelaysMs: checkDelaysMs(policy),
    variablesSealed:
      variables && keyring.seal(app.id, app.dataKey, variablesPlace(id), JSON.stringify(variables)),
    short: short.variant,
    long: refuses ? null : 'ask',
    limits: [limits.ofApp],
    recipientKeptMs,
    budget: guessBudget(settings),
    budgetEvent: {
      type: 'budget.exhausted',
      data: { answer: refuses ? 'refused' : 'long_code' },
    },
    delivery: { id: deliveryId, createdAt: now, lease: null },
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

function chosenFallBack(
  { fallbackAfterSeconds: asked }: StartRequest,
  policy: EffectivePolicy,
): number | null {
  if (asked === undefined) return policy.fallbackAfterSeconds
  const field = policyFields.fallbackAfterSeconds
  if (!isWithin(field, asked)) throw invalidField(field.wire, mustBe(field))
  return asked
}

/** The wait before each attempt of a verification, in ms; null without any. */
function checkDelaysMs({ checkDelays, attemptsMax }: EffectivePolicy): number[] | null {
  if (checkDelays === null || checkDelays.every((seconds) => seconds === 0)) return null
  const last = checkDelays.at(-1) ?? 0
  return Array.from({ length: attemptsMax }, (_, index) => (checkDelays[index] ?? last) * 1000)
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

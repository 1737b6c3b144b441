import { alarmChange } from '../alarm.ts'
import type { App } from '../app/app.ts'
import { mustLead } from '../app/endpoint.ts'
import { changeApp, findApp, type ManagePorts } from '../app/manage.ts'
import type { Actor } from '../audit.ts'
import { isWithin, mustBe } from '../field.ts'
import { newId } from '../id.ts'
import type { WrappedKey } from '../keyring.ts'
import type { Ports } from '../ports.ts'
import { type FieldError, Problem, refuseIfAny } from '../problem.ts'
import type { AlarmChange } from '../stores.ts'
import { newWebhookSecret, type RotationInput, readRotation, readWebhookSecret } from './secret.ts'
import {
  readWebhookUrl,
  type Webhook,
  type WebhookState,
  type WebhookType,
  webhookFields,
  webhookPlace,
  webhooksMax,
  webhookTypes,
} from './webhook.ts'

type WebhookPorts = ManagePorts & Pick<Ports, 'mayReach'>

export type WebhookInput = {
  url?: unknown
  types?: unknown
  testEvents?: unknown
  enabled?: unknown
  secret?: unknown
  mistakes?: FieldError[]
}

/** A webhook, and its secret where that was made here, to be shown this once. */
export type WithSecret = { webhook: Webhook; secret: string | null }

/**
 * Adds a webhook. Throws `app_not_found`, `too_many_webhooks` beyond ten, `invalid_request` with every
 * mistake.
 */
export async function addWebhook(
  ports: WebhookPorts,
  actor: Actor,
  { appId, ...input }: WebhookInput & { appId: string },
): Promise<WithSecret> {
  await findApp(ports, appId)
  const { url, types, testEvents, enabled, secret } = readInput(ports, input, { isNew: true })
  const made = secret === undefined ? newWebhookSecret(ports.random) : null
  const id = newId(ports.random)
  const change = { id: appId, action: 'webhook.add' } as const
  const app = await changeApp(ports, actor, change, ({ webhooks, dataKey }) => {
    if (webhooks.length >= webhooksMax) throw new Problem('too_many_webhooks')
    const now = ports.clock.now()
    const webhook: Webhook = {
      ...{ id, url: url ?? '', types: types ?? [...webhookTypes], testEvents: testEvents ?? false },
      secretSealed: sealed(ports, { appId, dataKey }, { id, url: url ?? '' }, made ?? secret ?? ''),
      ...{ formerSealed: null, formerUntil: null },
      ...(enabled === false ? offBy(now) : isOn),
      ...{ createdAt: now, updatedAt: now },
    }
    return { change: { webhooks: [...webhooks, webhook] }, detail: `webhook ${id}` }
  })
  return { webhook: foundWebhook(app, id), secret: made }
}

/**
 * Changes what is given. Another URL needs the secret again, or gets a new one, so that a secret is
 * never carried to another receiver. Switching it on clears its alarm, and its messages go out.
 * Throws `app_not_found`, `webhook_not_found`, `invalid_request` with every mistake.
 */
export async function updateWebhook(
  ports: WebhookPorts,
  actor: Actor,
  { appId, id, ...input }: WebhookInput & { appId: string; id: string },
): Promise<WithSecret> {
  foundWebhook(await findApp(ports, appId), id)
  const read = readInput(ports, input, { isNew: false })
  const spare = newWebhookSecret(ports.random)
  let made: string | null = null
  const action = { id: appId, action: 'webhook.update' } as const
  const app = await changeApp(ports, actor, action, (current) => {
    const before = foundWebhook(current, id)
    const now = ports.clock.now()
    const { enabled, secret, ...given } = read
    const changed: Webhook = { ...before, ...withoutGaps(given), updatedAt: now }
    const isMoved = changed.url !== before.url
    made = isMoved && secret === undefined ? spare : null
    const next = made ?? secret
    if (next !== undefined) {
      const place = { appId, dataKey: current.dataKey }
      changed.secretSealed = sealed(ports, place, changed, next)
    }
    if (isMoved) Object.assign(changed, { formerSealed: null, formerUntil: null })
    const isSwitched = enabled !== undefined && enabled !== (before.offSince === null)
    if (isSwitched) Object.assign(changed, enabled ? isOn : offBy(now))
    const webhooks = current.webhooks.map((other) => (other.id === id ? changed : other))
    const clears = isSwitched && enabled ? [alarmOff(appId, id, 'webhook_off', now)] : []
    const names = Object.keys(withoutGaps(read)).filter((name) => name !== 'mistakes')
    return { change: { webhooks, clears }, detail: `webhook ${id} ${names.join(' ')}`.trim() }
  })
  return { webhook: foundWebhook(app, id), secret: made }
}

/**
 * Gives a webhook another secret; the one before signs too for a day, or as long as is given.
 * Throws `app_not_found`, `webhook_not_found`, `invalid_request`.
 */
export async function rotateWebhookSecret(
  ports: ManagePorts,
  actor: Actor,
  { appId, id, ...input }: RotationInput & { appId: string; id: string },
): Promise<WithSecret> {
  foundWebhook(await findApp(ports, appId), id)
  const { next, isMade, keptMs } = readRotation(ports.random, input)
  const action = { id: appId, action: 'webhook.rotate' } as const
  const app = await changeApp(ports, actor, action, (current) => {
    const before = foundWebhook(current, id)
    const now = ports.clock.now()
    const { keyring } = ports
    const { dataKey } = current
    const opened = keyring.open(
      appId,
      dataKey,
      webhookPlace(before, 'secret_sealed'),
      before.secretSealed,
    )
    const former = keyring.seal(appId, dataKey, webhookPlace(before, 'former_sealed'), opened)
    const changed: Webhook = {
      ...before,
      secretSealed: sealed(ports, { appId, dataKey }, before, next),
      formerSealed: keptMs > 0 ? former : null,
      formerUntil: keptMs > 0 ? now + keptMs : null,
      updatedAt: now,
    }
    const webhooks = current.webhooks.map((other) => (other.id === id ? changed : other))
    return { change: { webhooks }, detail: `webhook ${id}` }
  })
  return { webhook: foundWebhook(app, id), secret: isMade ? next : null }
}

const purgeBatch = 500

/** Removes a webhook with its messages. Throws `app_not_found`, `webhook_not_found`. */
export async function removeWebhook(
  ports: ManagePorts & Pick<Ports, 'webhooks'>,
  actor: Actor,
  { appId, id }: { appId: string; id: string },
): Promise<void> {
  const action = { id: appId, action: 'webhook.remove' } as const
  await changeApp(ports, actor, action, (current) => {
    foundWebhook(current, id)
    const now = ports.clock.now()
    const webhooks = current.webhooks.filter((other) => other.id !== id)
    const clears = webhookAlarms.map((kind) => alarmOff(appId, id, kind, now))
    return { change: { webhooks, clears }, detail: `webhook ${id}` }
  })
  const place = { appId, webhookId: id, limit: purgeBatch }
  while ((await ports.webhooks.purge(place)) > 0);
}

/** The webhooks of an app, each with how it stands. Throws `app_not_found`. */
export async function listWebhooks(
  ports: Pick<Ports, 'apps' | 'webhooks'>,
  appId: string,
): Promise<{ webhook: Webhook; state: WebhookState | null }[]> {
  const { webhooks } = await findApp(ports, appId)
  const states = new Map((await ports.webhooks.states(appId)).map((state) => [state.id, state]))
  return webhooks.map((webhook) => ({ webhook, state: states.get(webhook.id) ?? null }))
}

/** The webhook of this id. Throws `webhook_not_found`. */
export function foundWebhook({ webhooks }: Pick<App, 'webhooks'>, id: string): Webhook {
  const webhook = webhooks.find((candidate) => candidate.id === id)
  if (!webhook) throw new Problem('webhook_not_found')
  return webhook
}

/** The secrets that sign a message now, the current one first. */
export function secretsOf(
  { keyring }: Pick<Ports, 'keyring'>,
  { id: appId, dataKey }: Pick<App, 'id' | 'dataKey'>,
  webhook: Webhook,
  now: number,
): string[] {
  const { secretSealed, formerSealed, formerUntil } = webhook
  const open = (column: 'secret_sealed' | 'former_sealed', bytes: Uint8Array) =>
    keyring.open(appId, dataKey, webhookPlace(webhook, column), bytes)
  const current = open('secret_sealed', secretSealed)
  const isOld = formerSealed === null || formerUntil === null || formerUntil <= now
  return isOld ? [current] : [current, open('former_sealed', formerSealed)]
}

const webhookAlarms = ['webhook_off', 'webhook_backlog'] as const

/** The change that clears an alarm of a webhook. */
export function alarmOff(
  appId: string,
  webhookId: string,
  kind: (typeof webhookAlarms)[number],
  now: number,
): AlarmChange {
  return alarmChange('cleared', { kind, appId, endpointId: webhookId }, now)
}

const isOn = { offSince: null, offCause: null }

function offBy(now: number): Pick<Webhook, 'offSince' | 'offCause'> {
  return { offSince: now, offCause: 'admin' }
}

type Place = { appId: string; dataKey: WrappedKey }

function sealed(
  { keyring }: Pick<Ports, 'keyring'>,
  { appId, dataKey }: Place,
  webhook: Pick<Webhook, 'id' | 'url'>,
  secret: string,
): Uint8Array {
  return keyring.seal(appId, dataKey, webhookPlace(webhook, 'secret_sealed'), secret)
}

type Read = Partial<Pick<Webhook, 'url' | 'types' | 'testEvents'>> & {
  enabled?: boolean | undefined
  secret?: string | undefined
}

/** Reads what is given, and throws `invalid_request` with every mistake. */
function readInput(
  { mayReach }: Pick<Ports, 'mayReach'>,
  { mistakes = [], ...input }: WebhookInput,
  { isNew }: { isNew: boolean },
): { [Name in keyof Read]?: Read[Name] | undefined } {
  const url = input.url === undefined ? undefined : readWebhookUrl(input.url)
  if (input.url === undefined && isNew) mistakes.push({ field: 'url', reason: 'is missing' })
  if (input.url !== undefined && url === undefined) {
    mistakes.push({ field: 'url', reason: mustBe(webhookFields.url) })
  } else if (url !== undefined && !mayReach(url)) {
    mistakes.push({ field: 'url', reason: mustLead })
  }
  const types = readAs<WebhookType[]>('types', input.types, mistakes)
  const read = {
    url,
    types: types && webhookTypes.filter((type) => types.includes(type)),
    testEvents: readAs<boolean>('testEvents', input.testEvents, mistakes),
    enabled: readAs<boolean>('enabled', input.enabled, mistakes),
    secret: readSecretInto(input.secret, mistakes),
  }
  refuseIfAny(mistakes)
  return read
}

function readSecretInto(value: unknown, mistakes: FieldError[]): string | undefined {
  const secret = value === undefined ? undefined : readWebhookSecret(value)
  if (value !== undefined && secret === undefined) {
    mistakes.push({ field: 'secret', reason: mustBe(webhookFields.secret) })
  }
  return secret
}

/** The value of a field that its description judges; undefined where it is absent or wrong. */
function readAs<Value>(
  name: keyof typeof webhookFields,
  value: unknown,
  mistakes: FieldError[],
): Value | undefined {
  if (value === undefined) return undefined
  const field = webhookFields[name]
  if (isWithin(field, value)) return value as Value
  mistakes.push({ field: field.wire, reason: mustBe(field) })
  return undefined
}

function withoutGaps<Given extends object>(
  given: Given,
): { [Name in keyof Given]: Exclude<Given[Name], undefined> } {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as never
}

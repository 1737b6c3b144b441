import { newApiKey } from './api-key.ts'
import {
  type App,
  type AppKey,
  type EmailChannel,
  type Policy,
  passwordPlace,
  readName,
} from './app.ts'
import { hashKey } from './authenticate.ts'
import type { AuditAction, AuditEntry } from './event.ts'
import { newId } from './id.ts'
import type { WrappedKey } from './keyring.ts'
import {
  collected,
  emailNames,
  type MailInput,
  type MailSettings,
  readMailSettings,
} from './mail-settings.ts'
import { type PolicyInput, readPolicy } from './policy.ts'
import type { Ports } from './ports.ts'
import { type FieldError, Problem } from './problem.ts'
import type { AppChange } from './stores.ts'

/** Who changes something: `admin`, `cli`, `open` or a key id; written to the audit. */
export type Actor = { who: string; requestId: string | null }

export type AppFields = {
  name?: unknown
  policy?: PolicyInput | undefined
  /** Null takes the channel away. */
  email?: MailInput | null | undefined
  /** What the front door found wrong already, to be reported together with the rest. */
  mistakes?: FieldError[]
}

export type ManagePorts = Pick<Ports, 'apps' | 'keyring' | 'clock' | 'random' | 'settings'>

/**
 * A new app with one live and one test key, which are shown this once.
 * Throws `invalid_request` with every mistake there is.
 */
export async function createApp(
  ports: ManagePorts,
  actor: Actor,
  fields: AppFields,
): Promise<{ app: App; keys: AppKey[]; liveKey: string; testKey: string }> {
  const draft = draftApp(ports)
  const mistakes = fields.mistakes ?? []
  const name = collected(mistakes, () => readName(fields.name))
  const policy = readPolicy(ports.settings, { current: {}, input: fields.policy ?? {}, mistakes })
  const email = fields.email
    ? readMailSettings({
        input: fields.email,
        names: emailNames,
        current: null,
        publicOnly: false,
        now: draft.createdAt,
        mistakes,
      })
    : null
  refuseIfAny(mistakes)

  const sealed = email && sealPassword(ports, draft, email, null)
  const app: App = { ...draft, name: name ?? '', policy, email: sealed }
  const live = draftKey(ports, app.id, 'live')
  const test = draftKey(ports, app.id, 'test')
  const audit = entry(ports, actor, 'app.create', app.id, `name ${app.name}`)
  await ports.apps.create({ app, keys: [live.stored, test.stored], secretKeyIndex: null }, audit)
  const keys = [live.stored.key, test.stored.key]
  return { app, keys, liveKey: live.text, testKey: test.text }
}

/**
 * Changes what is given and leaves the rest. Throws `app_not_found`, `invalid_request` with every
 * mistake, `password_required` when the mail server changes without its password.
 */
export async function updateApp(
  ports: ManagePorts,
  actor: Actor,
  { id, ...fields }: AppFields & { id: string },
): Promise<App> {
  const current = await ports.apps.get(id)
  if (!current) throw new Problem('app_not_found')
  const now = ports.clock.now()
  const change = readChange(ports, current, fields, now)

  const detail = Object.keys(change)
    .filter((field) => field !== 'updatedAt')
    .join(' ')
  const audit = entry(ports, actor, 'app.update', id, detail)
  const updated = await ports.apps.update(id, change, audit)
  if (!updated) throw new Problem('app_not_found')
  return updated
}

function readChange(ports: ManagePorts, current: App, fields: AppFields, now: number): AppChange {
  const mistakes = fields.mistakes ?? []
  const change: AppChange = { updatedAt: now }
  if (fields.name !== undefined) {
    const name = collected(mistakes, () => readName(fields.name))
    if (name !== null) change.name = name
  }
  if (fields.policy) {
    const input = fields.policy
    change.policy = readPolicy(ports.settings, { current: current.policy, input, mistakes })
  }
  const { email } = fields
  if (email === null) change.email = null
  if (email) {
    const settings = readMailSettings({
      input: email,
      names: emailNames,
      current: current.email,
      publicOnly: current.email?.publicOnly ?? false,
      now,
      mistakes,
    })
    if (settings) change.email = sealPassword(ports, current, settings, current.email)
  }
  refuseIfAny(mistakes)
  return change
}

/** Deletes the app and everything of it. Throws `app_not_found`. */
export async function deleteApp(
  ports: Pick<Ports, 'apps' | 'clock'>,
  actor: Actor,
  id: string,
): Promise<void> {
  const audit = entry(ports, actor, 'app.delete', id, '')
  if (!(await ports.apps.remove(id, audit))) throw new Problem('app_not_found')
}

/** A further key, shown this once. Throws `app_not_found`, `too_many_keys` beyond two of a mode. */
export async function newKey(
  ports: ManagePorts,
  actor: Actor,
  { appId, mode }: { appId: string; mode: 'live' | 'test' },
): Promise<{ key: AppKey; text: string }> {
  if (!(await ports.apps.get(appId))) throw new Problem('app_not_found')
  const { stored, text } = draftKey(ports, appId, mode)
  const audit = entry(ports, actor, 'key.create', appId, `key ${stored.key.id} ${mode}`)
  const added = await ports.apps.addKey(stored.key, stored.hash, audit)
  if (added === 'too_many') throw new Problem('too_many_keys')
  return { key: stored.key, text }
}

/** From now on the key is unknown. Throws `key_not_found`. */
export async function revokeKey(
  ports: Pick<Ports, 'apps' | 'clock'>,
  actor: Actor,
  { appId, keyId }: { appId: string; keyId: string },
): Promise<void> {
  const audit = entry(ports, actor, 'key.revoke', appId, `key ${keyId}`)
  if (!(await ports.apps.revokeKey(appId, keyId, audit))) throw new Problem('key_not_found')
}

/** An app without name and channel: its id, and the key that its fields are sealed with. */
export function draftApp({ keyring, clock, random }: ManagePorts): App {
  const id = newId(random)
  const now = clock.now()
  return {
    id,
    name: '',
    policy: {} as Policy,
    email: null,
    dataKey: keyring.newDataKey(id),
    createdAt: now,
    updatedAt: now,
    alarmAt: null,
  }
}

function draftKey({ random, clock }: ManagePorts, appId: string, mode: 'live' | 'test') {
  const text = newApiKey(random, mode)
  const key: AppKey = {
    id: newId(random),
    appId,
    mode,
    prefix: `otpm_${mode}_`,
    lastFour: text.slice(-4),
    createdAt: clock.now(),
    revokedAt: null,
  }
  return { text, stored: { key, hash: hashKey(text) } }
}

export function sealPassword(
  { keyring }: Pick<Ports, 'keyring'>,
  app: { id: string; dataKey: WrappedKey },
  { endpoint, password }: MailSettings,
  current: EmailChannel | null,
): EmailChannel {
  if (password === 'none') return { ...endpoint, passwordSealed: null }
  if (password === 'keep') return { ...endpoint, passwordSealed: current?.passwordSealed ?? null }
  const place = passwordPlace(app.id, endpoint)
  return { ...endpoint, passwordSealed: keyring.seal(app.id, app.dataKey, place, password.set) }
}

export function entry(
  { clock }: Pick<Ports, 'clock'>,
  { who, requestId }: Actor,
  action: AuditAction,
  object: string,
  detail: string,
): AuditEntry {
  return { at: clock.now(), who, action, object, detail, requestId }
}

export function refuseIfAny(mistakes: FieldError[]): void {
  if (mistakes.length > 0) throw new Problem('invalid_request', { errors: mistakes })
}

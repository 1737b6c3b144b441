import { type Actor, type AuditAction, type AuditEntry, audited } from '../audit.ts'
import { newId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { collected, type FieldError, Problem, refuseIfAny } from '../problem.ts'
import type { AppChange } from '../stores.ts'
import { hashKey, newApiKey } from './api-key.ts'
import { type App, type AppKey, activeKeysMax, type KeyMode, readName } from './app.ts'
import { draftEndpoint } from './endpoint.ts'
import { type PolicyInput, readPolicy } from './policy.ts'
import type { SmtpInput } from './smtp-fields.ts'

export type AppFields = {
  name?: unknown
  policy?: PolicyInput | undefined
  /** Mistakes that the API or the command line has found, to be reported with the others. */
  mistakes?: FieldError[]
}

type NewApp = AppFields & { email?: SmtpInput | undefined }

export type ManagePorts = Pick<
  Ports,
  'apps' | 'audit' | 'keyring' | 'pem' | 'clock' | 'random' | 'settings'
>

/**
 * Creates an app with one live and one test key, which are shown only now, and its first endpoint.
 * Throws `invalid_request` with every mistake.
 */
export async function createApp(
  ports: ManagePorts,
  actor: Actor,
  fields: NewApp,
): Promise<{ app: App; keys: AppKey[]; liveKey: string; testKey: string }> {
  const app = describedApp(ports, fields)
  const live = draftKey(ports, app.id, 'live')
  const test = draftKey(ports, app.id, 'test')
  const keys = [live.stored, test.stored]
  const command = { app, keys, secretKeyIndex: null, registeredFrom: null }
  await audited(ports, entry(ports, actor, 'app.create', app.id, `name ${app.name}`), (append) =>
    ports.apps.create(command, append),
  )
  return { app, keys: keys.map(({ key }) => key), liveKey: live.text, testKey: test.text }
}

/**
 * A new app with its first endpoint as these fields describe it, not stored. Throws
 * `invalid_request` with every mistake.
 */
export function describedApp(ports: ManagePorts, fields: NewApp): App {
  const draft = draftApp(ports, 'admin')
  const mistakes = fields.mistakes ?? []
  const name = collected(mistakes, () => readName(fields.name))
  const policy = readPolicy(ports.settings, { current: {}, input: fields.policy ?? {}, mistakes })
  const email =
    fields.email &&
    draftEndpoint(ports, draft, { kind: 'email', input: fields.email, current: null, mistakes })
  refuseIfAny(mistakes)
  return { ...draft, name, policy, endpoints: email ? [email] : [] }
}

/** The app of this id. Throws `app_not_found`. */
export async function findApp({ apps }: Pick<Ports, 'apps'>, id: string): Promise<App> {
  const app = await apps.get(id)
  if (!app) throw new Problem('app_not_found')
  return app
}

/** Changes the given fields. Throws `app_not_found`, `invalid_request` with every mistake. */
export async function updateApp(
  ports: ManagePorts,
  actor: Actor,
  { id, ...fields }: AppFields & { id: string },
): Promise<App> {
  return changeApp(ports, actor, { id, action: 'app.update' }, (current) => {
    const mistakes = [...(fields.mistakes ?? [])]
    const change: Pick<AppChange, 'name' | 'policy'> = {}
    if (fields.name !== undefined) {
      const name = collected(mistakes, () => readName(fields.name))
      if (name !== null) change.name = name
    }
    if (fields.policy) {
      const input = fields.policy
      change.policy = readPolicy(ports.settings, { current: current.policy, input, mistakes })
    }
    refuseIfAny(mistakes)
    return { change, detail: Object.keys(change).join(' ') }
  })
}

const changesMax = 20

/**
 * Applies a change to the current app, and repeats it when the app has changed in between. Throws
 * `app_not_found`, and `store_unavailable` after 20 tries.
 */
export async function changeApp(
  ports: ManagePorts,
  actor: Actor,
  { id, action }: { id: string; action: AuditAction },
  decide: (current: App) => {
    change: Omit<AppChange, 'expectedVersion' | 'updatedAt'>
    detail: string
  },
): Promise<App> {
  for (let tries = 0; tries < changesMax; tries++) {
    const current = await findApp(ports, id)
    const { change, detail } = decide(current)
    const updatedAt = ports.clock.now()
    const command: AppChange = { ...change, expectedVersion: current.version, updatedAt }
    const updated = await audited(ports, entry(ports, actor, action, id, detail), (append) =>
      ports.apps.update(id, command, append),
    )
    if (updated === null) throw new Problem('app_not_found')
    if (updated !== 'changed') return updated
  }
  throw new Problem('store_unavailable', { retryAfterSeconds: 5 })
}

/** Deletes the app and everything of it. Throws `app_not_found`. */
export async function deleteApp(
  ports: Pick<Ports, 'apps' | 'audit' | 'keyring' | 'clock'>,
  actor: Actor,
  id: string,
): Promise<void> {
  const removed = await audited(ports, entry(ports, actor, 'app.delete', id, ''), (append) =>
    ports.apps.remove(id, append),
  )
  if (!removed) throw new Problem('app_not_found')
}

/** Every app, read in pages. */
export async function allApps({ apps }: Pick<Ports, 'apps'>): Promise<App[]> {
  const all: App[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof apps.list>> = await apps.list({ limit: 100, cursor })
    all.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null)
  return all
}

/** Adds a key, shown only now. Throws `app_not_found`, `too_many_keys` beyond two of a mode. */
export async function newKey(
  ports: ManagePorts,
  actor: Actor,
  { appId, mode }: { appId: string; mode: KeyMode },
): Promise<{ key: AppKey; text: string }> {
  await findApp(ports, appId)
  const { stored, text } = draftKey(ports, appId, mode)
  const { key } = stored
  const detail = `key ${key.id} ${mode}`
  const added = await audited(ports, entry(ports, actor, 'key.create', appId, detail), (append) =>
    ports.apps.addKey({ ...stored, activeMax: activeKeysMax }, append),
  )
  if (added === 'too_many') throw new Problem('too_many_keys')
  return { key, text }
}

/** Revokes a key: it is unknown from now on. Throws `key_not_found`. */
export async function revokeKey(
  ports: Pick<Ports, 'apps' | 'audit' | 'keyring' | 'clock'>,
  actor: Actor,
  { appId, keyId }: { appId: string; keyId: string },
): Promise<void> {
  const audit = entry(ports, actor, 'key.revoke', appId, `key ${keyId}`)
  const revoked = await audited(ports, audit, (append) =>
    ports.apps.revokeKey({ appId, keyId, now: audit.at }, append),
  )
  if (!revoked) throw new Problem('key_not_found')
}

/** A new app without name and endpoints, with its id and its data key. */
export function draftApp(
  { keyring, clock, random }: Pick<Ports, 'keyring' | 'clock' | 'random'>,
  registeredBy: App['registeredBy'],
): App {
  const id = newId(random)
  const now = clock.now()
  return {
    id,
    name: null,
    registeredBy,
    hasSecretKey: false,
    policy: {},
    endpoints: [],
    dkim: [],
    webhooks: [],
    brand: null,
    templates: [],
    dataKey: keyring.newDataKey(id),
    version: 1,
    createdAt: now,
    updatedAt: now,
    sprayAlarmSince: null,
    hasSuppressions: false,
  }
}

function draftKey({ random, clock }: ManagePorts, appId: string, mode: KeyMode) {
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

export function entry(
  { clock }: Pick<Ports, 'clock'>,
  { who, requestId }: Actor,
  action: AuditAction,
  object: string,
  detail: string,
): AuditEntry {
  return { at: clock.now(), who, action, object, detail, requestId }
}

import type { AppKey } from '../domain/app/app.ts'
import { type Actor, audited } from '../domain/audit.ts'
import { newId } from '../domain/id.ts'
import type { Log, Ports } from '../domain/ports.ts'
import { codeOf, readKeyFile, writeKeyFile } from '../keys/key-file.ts'
import { textFact, textOf } from '../keys/keyset.ts'
import { settingsAreWrong } from '../startup-error.ts'
import type { OpenPorts } from './open.ts'

const fact = 'run_id'

type RunPorts = Pick<OpenPorts, 'meta' | 'random' | 'directory'>

/**
 * Whether the database differs from the one that the last start used here: an older copy that was
 * put back, or one from another place. A database that was never served is not foreign.
 */
export async function isForeign({ meta, directory }: RunPorts): Promise<boolean> {
  const stored = textOf(await meta.read(fact))
  return stored !== null && !knownIds(directory).includes(stored)
}

/**
 * Gives this run an id, in the database and in a file beside it. While the database is written the
 * file has both ids, so that they still match after a kill.
 */
export async function markRun({ meta, random, directory }: RunPorts): Promise<void> {
  const next = newId(random)
  const stored = textOf(await meta.read(fact))
  writeIds(directory, stored === null ? [next] : [stored, next])
  await meta.write({ [fact]: textFact(next) })
  writeIds(directory, [next])
}

/**
 * The same for a database that will replace the existing one: until `markRun` the file matches
 * both.
 */
export async function markSuccessor({ meta, random, directory }: RunPorts): Promise<void> {
  const next = newId(random)
  writeIds(directory, [...knownIds(directory), next].slice(-idsMax))
  await meta.write({ [fact]: textFact(next) })
}

/** Bounds the file when restores are interrupted and repeated. */
const idsMax = 20

/** Ends everything pending, because a code of it may have been used since this copy was made. */
export async function expirePending(
  ports: Pick<Ports, 'verifications' | 'audit' | 'keyring' | 'clock'>,
  { who, requestId }: Actor,
): Promise<number> {
  const { verifications, audit, clock } = ports
  const now = clock.now()
  const expired = await verifications.expirePending({ now, event: 'verification.expired' })
  const detail = `expired ${expired}`
  const entry = { at: now, who, action: 'store.expire_pending', object: 'database' } as const
  await audited(ports, { ...entry, detail, requestId }, audit.append)
  return expired
}

/** A credential that is valid now: a generated key, or the app's secretKey where `key` is null. */
export type ActiveKey = { appId: string; appName: string | null; key: AppKey | null }

/** The most keys that one record of the audit log, or one start's log, names. */
const namedMax = 100

/** Lists every active key, and writes the ids of the first 100 to the audit log. */
export async function listActiveKeys(
  ports: Pick<Ports, 'apps' | 'audit' | 'keyring' | 'clock'>,
  { who, requestId }: Actor,
): Promise<ActiveKey[]> {
  const active = await activeKeys(ports)
  const named = active.slice(0, namedMax).map(({ appId, key }) => {
    return key === null ? `secretKey of ${appId}` : `key ${key.id}`
  })
  const more = active.length - named.length
  const detail = [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(', ') || 'none'
  const entry = { at: ports.clock.now(), who, action: 'store.active_keys', detail } as const
  await audited(ports, { ...entry, object: 'database', requestId }, ports.audit.append)
  return active
}

/** Every active key by app. */
export async function activeKeys({ apps }: Pick<Ports, 'apps'>): Promise<ActiveKey[]> {
  const active: ActiveKey[] = []
  let cursor: string | null = null
  do {
    const page = await apps.list({ limit: 100, cursor })
    for (const { id: appId, name: appName, hasSecretKey } of page.items) {
      const keys = (await apps.keys(appId)).filter(isActive)
      active.push(...keys.map((key) => ({ appId, appName, key })))
      if (hasSecretKey) active.push({ appId, appName, key: null })
    }
    cursor = page.nextCursor
  } while (cursor !== null)
  return active
}

export function isActive({ revokedAt }: AppKey): boolean {
  return revokedAt === null
}

/**
 * Handles a foreign database at a start: expires everything pending and lists the active keys, in
 * the audit log and, up to 100 keys, in the log.
 */
export async function adoptForeign(ports: OpenPorts, log: Log): Promise<void> {
  const actor = { who: 'server', requestId: null }
  const expired = await expirePending(ports, actor)
  const detail =
    'this database is not as it was when it was served last: everything pending was expired; ' +
    'revoke the keys below that should not be active'
  log.warn('database_foreign', { count: expired, detail })
  for (const { appId, key } of (await listActiveKeys(ports, actor)).slice(0, namedMax)) {
    const what = key && { keyId: key.id, detail: `${key.prefix}...${key.lastFour}` }
    log.warn('key_active', { appId, ...(what ?? { detail: 'the secretKey of the app' }) })
  }
}

const adoptionMs = 60_000

/** The same by one of several servers that see at the same time that their database was put back. */
export async function adoptOnce(ports: OpenPorts, log: Log): Promise<void> {
  const { store, maintenance, node, clock } = ports
  if ('forget' in store) store.forget()
  const now = clock.now()
  if (await maintenance.takeTurn({ job: 'adopt', node, now, until: now + adoptionMs })) {
    await adoptForeign(ports, log)
  }
}

function knownIds({ runId }: RunPorts['directory']): string[] {
  const read = readKeyFile(runId, { anyMode: true })
  return read.found ? read.text.split('\n') : []
}

function writeIds({ runId }: RunPorts['directory'], ids: string[]): void {
  try {
    writeKeyFile(runId, ids.join('\n'))
  } catch (error) {
    throw settingsAreWrong(`${runId} cannot be written (${codeOf(error)})`)
  }
}

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
  const expired = await verifications.expirePending(now)
  const detail = `expired ${expired}`
  const entry = { at: now, who, action: 'store.expire_pending', object: 'database' } as const
  await audited(ports, { ...entry, detail, requestId }, audit.append)
  return expired
}

export type ActiveKey = AppKey & { appName: string | null }

/** Every active key by app; at most `max`. */
export async function activeKeys(
  { apps }: Pick<Ports, 'apps'>,
  max = Number.POSITIVE_INFINITY,
): Promise<ActiveKey[]> {
  const active: ActiveKey[] = []
  let cursor: string | null = null
  do {
    const page = await apps.list({ limit: 100, cursor })
    for (const app of page.items) {
      const keys = await apps.keys(app.id)
      active.push(...keys.filter(isActive).map((key) => ({ ...key, appName: app.name })))
    }
    cursor = page.nextCursor
  } while (cursor !== null && active.length < max)
  return active.slice(0, max)
}

export function isActive({ revokedAt }: AppKey): boolean {
  return revokedAt === null
}

const loggedMax = 100

/** Handles a foreign database at a start: logs it, and expires everything pending. */
export async function adoptForeign(ports: OpenPorts, log: Log): Promise<void> {
  const expired = await expirePending(ports, { who: 'server', requestId: null })
  const detail =
    'this database is not the one that was served here last: everything pending was expired; ' +
    'revoke the keys below that should not be active'
  log.warn('database_foreign', { count: expired, detail })
  for (const { id, appId, prefix, lastFour } of await activeKeys(ports, loggedMax)) {
    log.warn('key_active', { keyId: id, appId, detail: `${prefix}...${lastFour}` })
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

import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs'
import type { Settings } from '../config/load.ts'
import { revokeKey, updateApp } from '../domain/app/manage.ts'
import { type Actor, type AuditRecord, audited } from '../domain/audit.ts'
import type { Stores } from '../domain/stores.ts'
import { codeOf, syncDirectory } from '../keys/key-file.ts'
import { cannotStart, StartupError, settingsAreWrong } from '../startup-error.ts'
import { forgetMoveIn } from '../store/move/open.ts'
import { inspectDatabase } from '../store/sqlite/inspect.ts'
import type { SqliteStore } from '../store/sqlite/store.ts'
import { systemClock } from '../system.ts'
import {
  absolute,
  type DataDirectory,
  dataDirectory,
  holdDataDirectory,
  prepareDataDirectory,
  requireDatabase,
} from './data-directory.ts'
import { type Opened, type OpenPorts, openDirectory, openPorts, openStore } from './open.ts'
import {
  type ActiveKey,
  activeKeys,
  expirePending,
  isActive,
  listActiveKeys,
  markRun,
  markSuccessor,
} from './run-id.ts'

const actor: Actor = { who: 'cli', requestId: null }

function notByUs(): StartupError {
  return settingsAreWrong(
    'PostgreSQL is backed up and restored by its own tools (pg_basebackup with archived WAL, ' +
      'pg_dump) or by its provider: after a restore run "otpmint restore --in-place" ' +
      '(docs/postgresql.md)',
  )
}

/** Writes a consistent copy beside a running server; it is checked and on disk at the end. */
export async function backUp({ store }: Pick<OpenPorts, 'store'>, file: string): Promise<void> {
  if (!('backup' in store)) throw notByUs()
  const target = absolute(file)
  if (existsSync(target)) throw cannotStart(`${target} exists: name another file`)
  try {
    await store.backup(target)
  } catch (error) {
    throw cannotStart(`${target} cannot be written (${codeOf(error)})`)
  }
  const fault = inspectDatabase(target)
  if (fault !== null) throw cannotStart(`the copy is unusable: ${fault}`)
}

export type Restored = {
  database: string
  /** Verifications that were live in the backup and are expired now. */
  expired: number
  /** Keys that were revoked after the backup was made, and are revoked again. */
  revoked: number
  /** Apps that were deleted after the backup was made: they are there again, and start nothing. */
  paused: number
  /** False when the replaced database could not be read. */
  revocationsKnown: boolean
  /** Every generated key and secretKey that is active now. */
  activeKeys: ActiveKey[]
  /** The new path of the replaced database; null without one. */
  keptAside: string | null
}

/**
 * Puts a backup in the place of the database. What was live in it is expired, so that no code is
 * revived, and what was revoked since stays revoked. Everything happens in a file beside, which
 * takes the place in one rename: killed anywhere, the old database or the new one is there.
 */
export async function restore(
  settings: Settings,
  options: { file: string; force: boolean; pid: number },
): Promise<Restored> {
  if (settings.database) throw notByUs()
  const file = absolute(options.file)
  const fault = inspectDatabase(file)
  if (fault !== null) throw cannotStart(`${file} cannot be restored: ${fault}`)
  const directory = dataDirectory(settings.dataDir)
  prepareDataDirectory(directory)
  const held = holdDataDirectory(directory, options.pid)
  try {
    if (existsSync(directory.database) && !options.force) {
      const advice = '--force moves it aside and restores'
      throw cannotStart(`${directory.database} exists: ${advice}`)
    }
    return await restoreHeld(settings, directory, file)
  } finally {
    held.release()
  }
}

/**
 * Treats the database as a start treats a foreign one: for a copy that was put back together with
 * the run id file, which a start cannot notice.
 */
export async function restoreInPlace(
  settings: Settings,
  { pid }: { pid: number },
): Promise<Revived> {
  const directory = dataDirectory(settings.dataDir)
  // Servers of a cluster may go on: each row is expired by itself.
  if (settings.database) return revive(await openPorts(settings))
  requireDatabase(directory)
  const held = holdDataDirectory(directory, pid)
  try {
    return await revive(await openDirectory(settings, directory, directory.database), markRun)
  } finally {
    held.release()
  }
}

type Revived = { expired: number; activeKeys: ActiveKey[] }

async function revive(
  { ports, close }: Opened,
  mark = async (_: OpenPorts) => {},
): Promise<Revived> {
  try {
    const expired = await expirePending(ports, actor)
    const activeKeys = await listActiveKeys(ports, actor)
    await mark(ports)
    return { expired, activeKeys }
  } finally {
    await close()
  }
}

async function restoreHeld(
  settings: Settings,
  directory: DataDirectory,
  file: string,
): Promise<Restored> {
  const { database } = directory
  const draft = `${database}.restoring`
  removeDatabase(draft)
  try {
    copyFileSync(file, draft, constants.COPYFILE_EXCL)
    chmodSync(draft, 0o600)
  } catch (error) {
    throw cannotStart(`the copy cannot be made (${codeOf(error)})`)
  }
  forgetMoveIn(draft)
  await refuseKeyless(draft, file)
  const opened = await openDraft(settings, directory, draft)
  const old = await openOld(database)
  let drafted: Drafted
  try {
    drafted = await prepareDraft(opened.ports, old)
  } finally {
    await opened.close()
    await old?.close()
  }
  // Closing checkpoints each log, unless another process has the database open.
  syncFile(draft)
  if (existsSync(`${draft}-wal`)) throw new Error('the log of the draft is not empty')
  if (old && existsSync(`${database}-wal`)) {
    throw cannotStart(`another otpmint uses ${database}: try again when it has ended`)
  }
  const keptAside = keepAside(directory, old !== null)
  renameSync(draft, database)
  syncDirectory(directory.root)
  return { ...drafted, database, revocationsKnown: old !== null, keptAside }
}

/** Refuses a file without a keyset, because opening it would make a new one. */
async function refuseKeyless(draft: string, file: string): Promise<void> {
  const store = await openStore(draft)
  const keyset = await store.meta.read('keyset')
  await store.close()
  if (keyset !== null) return
  removeDatabase(draft)
  throw cannotStart(`${file} cannot be restored: it holds no keys, because it was never served`)
}

async function openDraft(
  settings: Settings,
  directory: DataDirectory,
  draft: string,
): Promise<Opened> {
  try {
    return await openDirectory(settings, directory, draft)
  } catch (error) {
    removeDatabase(draft)
    if (!(error instanceof StartupError)) throw error
    throw new StartupError(error.exitCode, [...error.reasons, keyAdvice])
  }
}

const keyAdvice =
  'put the master key of that installation in its place first: it is not in the backup; ' +
  'a rotation kept the former one as master.key.<its id>'

/** Opens the existing database; null without one or when it cannot be read. */
async function openOld(path: string): Promise<SqliteStore | null> {
  if (!existsSync(path) || inspectDatabase(path) !== null) return null
  return openStore(path).catch(() => null)
}

type Drafted = Pick<Restored, 'expired' | 'revoked' | 'paused' | 'activeKeys'>

/** Makes every change to the restored database before it gets its place. */
async function prepareDraft(ports: OpenPorts, old: Stores | null): Promise<Drafted> {
  const now = systemClock.now()
  const expired = await ports.verifications.expirePending({
    now,
    event: 'verification.expired',
  })
  const deleted = old ? await deletedApps(old) : new Set<string>()
  const revoked = old ? await carryRevocations(ports, old, deleted) : 0
  const paused = await pauseDeleted(ports, deleted)
  const entry = { at: now, ...actor, action: 'store.restore', object: 'database' } as const
  const detail = `expired ${expired} revoked ${revoked}`
  await audited(ports, { ...entry, detail }, ports.audit.append)
  const active = await listActiveKeys(ports, actor)
  await markSuccessor(ports)
  return { expired, revoked, paused, activeKeys: active }
}

/** Revokes what was revoked after the backup was made, by itself or with its app; how many. */
async function carryRevocations(
  ports: OpenPorts,
  old: Stores,
  deleted: Set<string>,
): Promise<number> {
  let revoked = 0
  for (const { appId, key } of await activeKeys(ports)) {
    if (key === null) continue
    const keyId = key.id
    const before = (await old.apps.keys(appId)).find(({ id }) => id === keyId)
    if (before ? isActive(before) : !deleted.has(appId)) continue
    await revokeKey(ports, actor, { appId, keyId })
    revoked++
  }
  return revoked
}

/** Pauses apps that were deleted, because a secretKey cannot be revoked; returns how many. */
async function pauseDeleted(ports: OpenPorts, deleted: Set<string>): Promise<number> {
  let paused = 0
  for (const id of deleted) {
    if (!(await ports.apps.get(id))) continue
    await updateApp(ports, actor, { id, policy: { paused: true } })
    paused++
  }
  return paused
}

/** The apps whose deletion is in the audit log. */
async function deletedApps({ audit }: Stores): Promise<Set<string>> {
  const deleted = new Set<string>()
  let records: AuditRecord[] = []
  do {
    records = await audit.after(records.at(-1)?.id ?? 0, 500)
    for (const { action, object } of records) if (action === 'app.delete') deleted.add(object)
  } while (records.length > 0)
  return deleted
}

/**
 * Gives the old database a second name, so that it is kept when the new one gets the first. One
 * that could not be opened may have a log: both are renamed, the database first, and a start in
 * between is refused.
 */
function keepAside({ database, root }: DataDirectory, isClosed: boolean): string | null {
  const stamp = new Date(systemClock.now()).toISOString().replace(/[-:]|\.\d+/g, '')
  const aside = freeName(`${database}.before-${stamp}`)
  const wasThere = existsSync(database)
  if (wasThere && isClosed) {
    linkOrCopy(database, aside)
  } else {
    for (const ending of ['', '-wal']) {
      if (existsSync(database + ending)) renameSync(database + ending, aside + ending)
    }
  }
  rmSync(`${database}-shm`, { force: true })
  syncDirectory(root)
  return wasThere ? aside : null
}

/** Copies where the file system has no links. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to, constants.COPYFILE_EXCL)
    syncFile(to)
  }
}

function freeName(path: string): string {
  let free = path
  for (let count = 2; existsSync(free); count++) free = `${path}-${count}`
  return free
}

function removeDatabase(path: string): void {
  for (const ending of ['', '-wal', '-shm']) rmSync(path + ending, { force: true })
}

function syncFile(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

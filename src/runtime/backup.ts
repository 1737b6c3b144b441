import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Settings } from '../config/load.ts'
import { inspectDatabase } from '../store/sqlite/inspect.ts'
import {
  codeOf,
  createDataDirectory,
  type DataDirectory,
  dataDirectory,
  holdDataDirectory,
} from './data-directory.ts'
import { type OpenPorts, openDirectory } from './open.ts'
import { exits, type Refusal, refusal } from './refusal.ts'

/** Writes a consistent copy beside a running server. Null when it is done and sound. */
export function backUp({ store }: Pick<OpenPorts, 'store'>, file: string): Refusal | null {
  const target = resolve(file)
  if (existsSync(target)) return refusal(exits.failed, `${target} exists: name another file`)
  try {
    store.backup(target)
  } catch (error) {
    return refusal(exits.failed, `${target} cannot be written (${codeOf(error)})`)
  }
  const inspected = inspectDatabase(target)
  return inspected.ok ? null : refusal(exits.failed, `the copy is unusable: ${inspected.fault}`)
}

export type Restored = {
  ok: true
  database: string
  /** Verifications that were live in the backup and are not any more. */
  expired: number
  /** Where the database that was there lies now; null where there was none. */
  keptAside: string | null
}

/**
 * Puts a backup in the place of the database. What was live in it is expired, so that no code is
 * revived. Everything happens in a file beside, which takes the place in one rename.
 */
export async function restore(
  settings: Settings,
  options: { file: string; force: boolean; pid: number },
): Promise<Restored | Refusal> {
  const file = resolve(options.file)
  const inspected = inspectDatabase(file)
  if (!inspected.ok) return refusal(exits.failed, `${file} cannot be restored: ${inspected.fault}`)
  const directory = dataDirectory(settings.dataDir)
  const impossible = createDataDirectory(directory)
  if (impossible) return impossible
  const held = holdDataDirectory(directory, options.pid)
  if (!held.ok) return held
  try {
    if (existsSync(directory.database) && !options.force) {
      const advice = '--force moves it aside and restores'
      return refusal(exits.failed, `${directory.database} exists: ${advice}`)
    }
    return await restoreHeld(settings, directory, file)
  } finally {
    held.release()
  }
}

async function restoreHeld(
  settings: Settings,
  directory: DataDirectory,
  file: string,
): Promise<Restored | Refusal> {
  const draft = `${directory.database}.restoring`
  removeDatabase(draft)
  try {
    copyFileSync(file, draft, constants.COPYFILE_EXCL)
    chmodSync(draft, 0o600)
  } catch (error) {
    return refusal(exits.failed, `the copy cannot be made (${codeOf(error)})`)
  }
  const opened = await openDirectory(settings, directory, draft)
  if (!opened.ok) {
    removeDatabase(draft)
    return { ...opened, reasons: [...opened.reasons, keyAdvice] }
  }
  const { store, records } = opened.ports
  const now = systemClock.now()
  const expired = store.expirePending(now)
  await records.addAudit({
    at: now,
    who: 'cli',
    action: 'store.restore',
    object: 'database',
    detail: `expired ${expired}`,
    requestId: null,
  })
  opened.close()
  // Closing has emptied the log into the draft, which goes on without one.
  if (sizeOf(`${draft}-wal`) > 0) throw new Error('the log of the draft is not empty')
  const keptAside = moveAside(directory, now)
  renameSync(draft, directory.database)
  removeDatabase(draft)
  syncDirectory(directory.root)
  return { ok: true, database: directory.database, expired, keptAside }
}

const keyAdvice =
  'put the master key of that installation in its place first: it is not in the backup; ' +
  'a rotation kept the former one as master.key.<its id>'

/** A log that belongs to the old database must never be applied to the new one: it goes along. */
function moveAside({ database }: DataDirectory, now: number): string | null {
  if (!existsSync(database)) return null
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  const aside = `${database}.before-${stamp}`
  for (const ending of ['-wal', '-shm', '']) {
    if (existsSync(database + ending)) renameSync(database + ending, aside + ending)
  }
  return aside
}

function removeDatabase(path: string): void {
  for (const ending of ['', '-wal', '-shm']) rmSync(path + ending, { force: true })
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** A rename is on disk when its directory is. */
function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY)
  fsyncSync(directory)
  closeSync(directory)
}

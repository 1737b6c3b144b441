import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { lockDataDirectory } from '../store/sqlite/lock.ts'
import { exits, type Refusal, refusal } from './refusal.ts'

export type DataDirectory = ReturnType<typeof dataDirectory>

/** Where everything of one installation lies; nothing here touches the disk. */
export function dataDirectory(path: string) {
  const root = resolve(path)
  return {
    root,
    database: join(root, 'otpmint.db'),
    masterKey: join(root, 'master.key'),
    adminToken: join(root, 'admin.token'),
    pid: join(root, 'serve.pid'),
  }
}

/** Created for its owner only. Null when done. */
export function createDataDirectory({ root }: DataDirectory): Refusal | null {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 })
    return null
  } catch (error) {
    const reason = `the data directory ${root} cannot be created (${codeOf(error)})`
    return refusal(exits.settings, `${reason}: set OTPMINT_DATA_DIR to one that can`)
  }
}

/** The right to serve the directory; who has it is named when it is taken. */
export function holdDataDirectory(
  directory: DataDirectory,
  pid: number,
): { ok: true; release(): void } | Refusal {
  const unwritable = (error: unknown) => {
    const reason = `the data directory ${directory.root} cannot be written (${codeOf(error)})`
    const advice = 'it must belong to the user that otpmint runs as, on a disk with room'
    return refusal(exits.settings, `${reason}: ${advice}`)
  }
  let lock: ReturnType<typeof lockDataDirectory>
  try {
    lock = lockDataDirectory(directory.root)
  } catch (error) {
    return unwritable(error)
  }
  if (!lock) {
    const reason = `another otpmint (${holder(directory)}) holds the data directory`
    return refusal(exits.failed, `${reason} ${directory.root}: stop it, or name another directory`)
  }
  const { release } = lock
  try {
    writeFileSync(directory.pid, `${pid}\n`, { mode: 0o600 })
  } catch (error) {
    release()
    return unwritable(error)
  }
  return {
    ok: true,
    release: () => {
      rmSync(directory.pid, { force: true })
      release()
    },
  }
}

/** Whether a server holds the directory now. */
export function isHeld(directory: DataDirectory): boolean {
  if (!existsSync(directory.root)) return false
  const lock = lockDataDirectory(directory.root)
  lock?.release()
  return lock === null
}

/** A system error by its code, which names no path and no value. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}

function holder({ pid }: DataDirectory): string {
  try {
    return `pid ${readFileSync(pid, 'utf8').trim()}`
  } catch {
    return 'its pid is unknown'
  }
}

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { codeOf } from '../keys/key-file.ts'
import { cannotStart, exits, StartupError, settingsAreWrong } from '../startup-error.ts'
import { lockDataDirectory } from '../store/sqlite/lock.ts'

export type DataDirectory = ReturnType<typeof dataDirectory>

/** The paths of one installation; does not access the disk. */
export function dataDirectory(path: string) {
  const root = absolute(path)
  return {
    root,
    database: join(root, 'otpmint.db'),
    masterKey: join(root, 'master.key'),
    adminToken: join(root, 'admin.token'),
    runId: join(root, 'run.id'),
    pid: join(root, 'serve.pid'),
    control: join(root, 'control.sock'),
    backups: join(root, 'backups'),
  }
}

/**
 * Makes a path absolute. Throws when the working directory was deleted, because an executable would
 * then use its own directory.
 */
export function absolute(path: string): string {
  if (isAbsolute(path)) return resolve(path)
  try {
    realpathSync.native('.')
  } catch {
    throw settingsAreWrong(
      'the working directory is gone: change to one that exists, or name an absolute path ' +
        '(OTPMINT_DATA_DIR for the data directory)',
    )
  }
  return resolve(path)
}

/**
 * Creates the directory with mode 0700. Changes the mode of an existing one that is open to other
 * users: returns `repaired`, or `open` when it belongs to somebody else and cannot be changed.
 */
export function prepareDataDirectory({ root }: DataDirectory): 'private' | 'repaired' | 'open' {
  let mode: number
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 })
    mode = statSync(root).mode & 0o777
  } catch (error) {
    const reason = `the data directory ${root} cannot be created (${codeOf(error)})`
    throw settingsAreWrong(`${reason}: set OTPMINT_DATA_DIR to one that can`)
  }
  if ((mode & 0o077) === 0) return 'private'
  try {
    chmodSync(root, 0o700)
    return 'repaired'
  } catch {
    return 'open'
  }
}

/** Throws `StartupError` when there is no database, or none that this user can reach. */
export function requireDatabase(directory: DataDirectory): void {
  const { root, database } = directory
  try {
    statSync(database)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw unreachable(directory, error)
    refuseHalfRestored(directory)
    const advice = 'start "otpmint serve" once, or name the directory with OTPMINT_DATA_DIR'
    throw cannotStart(`there is no database in ${root}: ${advice}`)
  }
}

/**
 * Throws when the database is missing beside the files of an interrupted restore, because a new one
 * would hide that.
 */
export function refuseHalfRestored(directory: DataDirectory): void {
  const { root, database } = directory
  if (existsSync(database)) return
  let names: string[]
  try {
    names = readdirSync(root)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw unreachable(directory, error)
  }
  const name = basename(database)
  const left = names.filter((entry) => {
    return entry === `${name}.restoring` || entry.startsWith(`${name}.before-`)
  })
  if (left.length === 0) return
  throw cannotStart(
    `${database} is missing and a restore left ${left.sort().join(', ')}: run "otpmint restore" ` +
      `again, or rename the newest ${name}.before-... to ${name}`,
  )
}

/** Locks the directory for serving; throws `StartupError` that names the process that has it. */
export function holdDataDirectory(directory: DataDirectory, pid: number): { release(): void } {
  let lock: ReturnType<typeof lockDataDirectory>
  try {
    lock = lockDataDirectory(directory.root)
  } catch (error) {
    throw unwritable(directory, error)
  }
  if (!lock) {
    const reason = `another otpmint (${holder(directory)}) holds the data directory`
    const advice = 'stop it, or name another directory'
    throw cannotStart(`${reason} ${directory.root}: ${advice}`)
  }
  const { release } = lock
  try {
    writeFileSync(directory.pid, `${pid}\n`, { mode: 0o600 })
  } catch (error) {
    release()
    throw unwritable(directory, error)
  }
  return {
    release: () => {
      rmSync(directory.pid, { force: true })
      release()
    },
  }
}

/**
 * The same for a node over PostgreSQL, which needs the directory only to be found by `doctor`: goes
 * on without one where it cannot be written.
 */
export function holdForDoctor(directory: DataDirectory, pid: number): { release(): void } {
  try {
    prepareDataDirectory(directory)
    return holdDataDirectory(directory, pid)
  } catch (error) {
    if (error instanceof StartupError && error.exitCode === exits.settings) return { release() {} }
    throw error
  }
}

/** Whether a server has locked the directory. */
export function isHeld(directory: DataDirectory): boolean {
  if (!existsSync(directory.root)) return false
  const lock = lockDataDirectory(directory.root)
  lock?.release()
  return lock === null
}

function holder({ pid }: DataDirectory): string {
  try {
    return `pid ${readFileSync(pid, 'utf8').trim()}`
  } catch {
    return 'its pid is unknown'
  }
}

function unreachable({ root }: DataDirectory, error: unknown): Error {
  const reason = `the data directory ${root} cannot be read (${codeOf(error)})`
  return settingsAreWrong(`${reason}: run otpmint as the user that it belongs to`)
}

function unwritable({ root }: DataDirectory, error: unknown): Error {
  const reason = `the data directory ${root} cannot be written (${codeOf(error)})`
  const advice = 'it must belong to the user that otpmint runs as, on a disk with room'
  return settingsAreWrong(`${reason}: ${advice}`)
}

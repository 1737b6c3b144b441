import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

export type KeyFile =
  | { found: true; text: string }
  | { found: false; reason: 'missing' | 'unreadable' | 'exposed' }

/**
 * Reads a key file, without its last line break. Its mode must be 0600 or 0400, unless `anyMode`
 * says that the directory protects it. Never blocks on a pipe.
 */
export function readKeyFile(path: string, { anyMode = false } = {}): KeyFile {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    return { found: false, reason: codeOf(error) === 'ENOENT' ? 'missing' : 'unreadable' }
  }
  try {
    const { mode, size } = fstatSync(file)
    const isRegular = (mode & constants.S_IFMT) === constants.S_IFREG
    if (!isRegular || size > 4096) return { found: false, reason: 'unreadable' }
    if (!anyMode && (mode & 0o177) !== 0) return { found: false, reason: 'exposed' }
    return { found: true, text: readFileSync(file, 'utf8').replace(/\r?\n$/, '') }
  } catch {
    return { found: false, reason: 'unreadable' }
  } finally {
    closeSync(file)
  }
}

/**
 * Writes a small file atomically and durably with mode 0600; replaces an existing one. Throws the
 * system's error.
 */
export function writeKeyFile(path: string, text: string): void {
  const temporary = `${path}.tmp`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(file, `${text}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  moveDurably(temporary, path)
}

/** Renames, replacing an existing file; the new name is on disk when this returns. */
export function moveDurably(from: string, to: string): void {
  renameSync(from, to)
  syncDirectory(dirname(to))
}

/** Makes created, renamed and removed names of a directory durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** The code of a system error, which contains no path and no value. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Ran } from './executable.ts'

/**
 * The path of a tool, a file or a folder that `make` makes on first use. It lies outside of the
 * repository, so that later runs use it again; the name says its version or contents.
 */
export async function cachedTool(
  name: string,
  make: (draft: string) => Promise<void>,
): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'otpmint')
  const path = join(cache, name)
  if (existsSync(path)) return path

  // Renamed when complete, so that a stopped or a parallel run leaves no incomplete one.
  const draft = `${path}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  try {
    await make(draft)
    if (!existsSync(path)) renameSync(draft, path)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return path
}

/** Throws a program's output when it failed. */
export function succeeded(command: string[], { exitCode, stdout, stderr }: Ran): void {
  if (exitCode === 0) return
  throw new Error(`${command.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`)
}

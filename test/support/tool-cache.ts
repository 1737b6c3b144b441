import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
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
  mkdirSync(cache, { recursive: true })
  while (!existsSync(path) && isMadeElsewhere(cache, name)) await Bun.sleep(500)
  if (existsSync(path)) return path

  // Renamed when complete, so that a stopped or a parallel run leaves no incomplete one.
  const draft = `${path}.${process.pid}`
  const marker = `${draft}${ofMaker}`
  writeFileSync(marker, '')
  try {
    await make(draft)
    if (!existsSync(path)) renameSync(draft, path)
  } finally {
    rmSync(draft, { recursive: true, force: true })
    rmSync(marker, { force: true })
  }
  return path
}

const ofMaker = '.making'
/** An older marker is of a process that was killed, and its number may be another's by now. */
const makingMaxMs = 900_000

/** Whether another process that is alive makes the tool. */
function isMadeElsewhere(cache: string, name: string): boolean {
  return readdirSync(cache).some((entry) => {
    if (!entry.startsWith(`${name}.`) || !entry.endsWith(ofMaker)) return false
    const pid = Number(entry.slice(name.length + 1, -ofMaker.length))
    if (pid === process.pid) return false
    try {
      const isRecent = Date.now() - statSync(join(cache, entry)).mtimeMs < makingMaxMs
      return isRecent && process.kill(pid, 0)
    } catch {
      return false
    }
  })
}

/** Throws a program's output when it failed. */
export function succeeded(command: string[], { exitCode, stdout, stderr }: Ran): void {
  if (exitCode === 0) return
  throw new Error(`${command.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`)
}

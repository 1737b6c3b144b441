import { readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, failed, ok, warning } from './findings.ts'
import type { Io } from './io.ts'

/** What changes how the executable itself behaves, whatever OtpMint does (platform.md fact 6). */
const hazards: Record<string, string> = {
  BUN_BE_BUN: 'it turns the executable into a general JavaScript runtime',
  BUN_OPTIONS: 'it can load other code into the process',
  BUN_INSPECT: 'it opens a debugger',
  BUN_INSPECT_NOTIFY: 'it opens a debugger',
  BUN_INSPECT_PRELOAD: 'it loads other code into the process',
  NAPI_RS_NATIVE_LIBRARY_PATH: 'it loads another native library',
  LD_PRELOAD: 'it loads other code into the process',
  NODE_TLS_REJECT_UNAUTHORIZED: 'it can switch off the check of certificates',
}

export function checkEnvironment({ env }: Pick<Io, 'env'>): Finding[] {
  const found = Object.entries(hazards)
    .filter(([name]) => env[name] !== undefined)
    .map(([name, why]) => failed('environment', `${name} is set: ${why}`, `unset ${name}`))
  const inherited = ['OTPMINT_MASTER_KEY', 'OTPMINT_ADMIN_TOKEN']
    .filter((name) => env[name] !== undefined)
    .map((name) =>
      warning(
        'environment',
        `${name} is in the environment, which child processes inherit`,
        `use ${name}_FILE or a systemd credential`,
      ),
    )
  const all = [...found, ...inherited]
  return all.length > 0 ? all : [ok('environment', 'nothing in it changes how otpmint runs')]
}

/** Owner only, and as few bytes as needed free to go on writing. */
export function checkDataDirectory(root: string, leftToken: string): Finding[] {
  const findings: Finding[] = []
  const open = [root, ...files(root)].filter((path) => (mode(path) & 0o077) !== 0)
  if (mode(root) === 0) {
    return [failed('data directory', `${root} cannot be read`, 'run it as the user of the server')]
  }
  for (const path of open) {
    const next = `chmod ${path === root ? 700 : 600} ${path}`
    findings.push(failed('data directory', `${path} is open to other users`, next))
  }
  if (open.length === 0) findings.push(ok('data directory', `${root} is its owner's only`))
  if (mode(leftToken) !== 0) {
    const detail = `the admin token still lies in ${leftToken}`
    findings.push(warning('data directory', detail, 'store it elsewhere and delete the file'))
  }
  return findings
}

const mebibyte = 1_048_576

export function checkDisk(root: string): Finding {
  const { bavail, bsize } = statfsSync(root)
  const free = Math.floor((Number(bavail) * Number(bsize)) / mebibyte)
  const detail = `${free} MiB free`
  if (free < 100) return failed('disk', detail, 'free some space: without it nothing is sent')
  return free < 1024 ? warning('disk', detail, 'free some space soon') : ok('disk', detail)
}

/** When this was written: no honest clock is before it. */
const earliest = Date.UTC(2026, 10, 1)
const toleranceMs = 60_000

export function checkClock(root: string, now: number): Finding {
  const newest = Math.max(...[root, ...files(root)].map((path) => statSync(path).mtimeMs))
  const text = new Date(now).toISOString()
  const next = 'set the clock, and keep it set by NTP (timedatectl set-ntp true)'
  if (now < earliest) return failed('clock', `${text} lies before this version was made`, next)
  if (newest > now + toleranceMs) {
    return failed('clock', `${text} lies before the last write to the database`, next)
  }
  return ok('clock', text)
}

function files(root: string): string[] {
  try {
    return readdirSync(root).map((name) => join(root, name))
  } catch {
    return []
  }
}

/** The permission bits; 0 when there is nothing to see. */
function mode(path: string): number {
  try {
    return statSync(path).mode & 0o777
  } catch {
    return 0
  }
}

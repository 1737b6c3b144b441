import { readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../../config/load.ts'
import type { Disk, Finding } from '../../domain/server.ts'
import { dataDirectory } from '../data-directory.ts'
import type { OpenPorts } from '../open.ts'
import { failed, ok, restoreIt, warning } from './finding.ts'

/** Checks of a database in the data directory. */
export async function checkFiles(
  ports: OpenPorts,
  { dataDir }: Pick<Settings, 'dataDir'>,
): Promise<Finding[]> {
  const { root, database } = dataDirectory(dataDir)
  return [
    ...checkDataDirectory(dataDir),
    ...[checkDisk(dataDir), checkClock(root, ports.clock.now())],
    await checkDatabase(ports, database),
  ]
}

/** Finds files of the data directory that other users can read. */
export function checkDataDirectory(dataDir: string): Finding[] {
  const { root, adminToken: leftToken } = dataDirectory(dataDir)
  const findings: Finding[] = []
  const open = [root, ...filesIn(root)].filter((path) => (modeOf(path) & 0o077) !== 0)
  if (modeOf(root) === 0) {
    return [failed('data directory', `${root} cannot be read`, 'run it as the user of the server')]
  }
  for (const path of open) {
    const next = `chmod ${path === root ? 700 : 600} ${path}`
    findings.push(failed('data directory', `${path} is open to other users`, next))
  }
  if (open.length === 0) findings.push(ok('data directory', `${root} is its owner's only`))
  if (modeOf(leftToken) !== 0) {
    const detail = `the admin token is still in ${leftToken}`
    findings.push(warning('data directory', detail, 'store it elsewhere and delete the file'))
  }
  return findings
}

/** The disk that holds the data directory. */
export function readDisk(dataDir: string): Disk {
  const { bavail, blocks, bsize } = statfsSync(dataDirectory(dataDir).root)
  const unit = Number(bsize)
  return { freeBytes: Number(bavail) * unit, totalBytes: Number(blocks) * unit }
}

const mebibyte = 1_048_576

export function checkDisk(dataDir: string): Finding {
  const free = Math.floor(readDisk(dataDir).freeBytes / mebibyte)
  const detail = `${free} MiB free`
  if (free < 100) return failed('disk', detail, 'free some space: without it nothing is sent')
  return free < 1024 ? warning('disk', detail, 'free some space soon') : ok('disk', detail)
}

/** The time of this version: a right clock is not before it. */
const earliest = Date.UTC(2026, 10, 1)
const toleranceMs = 60_000

function checkClock(root: string, now: number): Finding {
  const newest = Math.max(...[root, ...filesIn(root)].map((path) => statSync(path).mtimeMs))
  const text = new Date(now).toISOString()
  const next = 'set the clock, and keep it set by NTP (timedatectl set-ntp true)'
  if (now < earliest) return failed('clock', `${text} lies before this version was made`, next)
  if (newest > now + toleranceMs) {
    return failed('clock', `${text} lies before the last write to the database`, next)
  }
  return ok('clock', text)
}

async function checkDatabase({ maintenance }: OpenPorts, path: string): Promise<Finding> {
  const faults = await maintenance.faults()
  if (faults.length === 0) return ok('database', `${path} is sound; commits reach the disk`)
  return failed('database', faults.join('; '), restoreIt)
}

function filesIn(root: string): string[] {
  try {
    return readdirSync(root).map((name) => join(root, name))
  } catch {
    return []
  }
}

/** The permission bits; 0 for a missing or inaccessible file. */
function modeOf(path: string): number {
  try {
    return statSync(path).mode & 0o777
  } catch {
    return 0
  }
}

import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../domain/ports.ts'
import { Problem } from '../domain/problem.ts'
import type { Backup, Backups } from '../domain/server.ts'
import { codeOf } from '../keys/key-file.ts'
import type { DataDirectory } from './data-directory.ts'
import { startInspector } from './inspect-thread.ts'

/** How many copies are kept, the newest. */
export const backupsKept = 5

/** A name that `makeBackup` gives. */
const ours = /^otpmint-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z\.db$/

/**
 * Copies of the database in `backups/` of the data directory, and nowhere else. Files with other names are
 * left alone. A copy is written and checked in a thread, so that requests go on meanwhile.
 */
export function createBackups(directory: DataDirectory, log: Log): Backups {
  const folder = directory.backups
  let isRunning = false

  async function write(name: string): Promise<void> {
    const path = join(folder, name)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const answer = await startInspector().copy(directory.database, path)
    if ('error' in answer) throw failed(answer.error)
    if (answer.fault === null) return
    rmSync(path, { force: true })
    throw failed(answer.fault)
  }

  return {
    list: async () => listIn(folder),
    async make(name, at) {
      if (isRunning) throw new Problem('backup_running')
      isRunning = true
      try {
        await write(name)
        for (const { name: old } of listIn(folder).slice(backupsKept)) rmSync(join(folder, old))
        return { name, bytes: statSync(join(folder, name)).size, at }
      } catch (error) {
        const problem = error instanceof Problem ? error : failed(codeOf(error))
        log.error('backup_failed', { detail: problem.message })
        throw problem
      } finally {
        isRunning = false
      }
    },
  }
}

function failed(why: string): Problem {
  return new Problem('backup_failed', { detail: `the copy was not made: ${why}` })
}

function listIn(folder: string): Backup[] {
  return namesIn(folder)
    .flatMap((name) => {
      const [, day, ...parts] = ours.exec(name) ?? []
      if (day === undefined) return []
      const [hour, minute, second, ms] = parts
      const at = Date.parse(`${day}T${hour}:${minute}:${second}.${ms}Z`)
      return Number.isNaN(at) ? [] : [{ name, bytes: statSync(join(folder, name)).size, at }]
    })
    .sort((one, other) => other.at - one.at)
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

import { statSync } from 'node:fs'
import type { Environment, Settings } from '../config/load.ts'
import type { Log } from '../domain/ports.ts'
import type { Finding, ServerFacts } from '../domain/server.ts'
import { dayMs } from '../domain/verification/limits.ts'
import type { Installation } from '../http/ports.ts'
import { version } from '../version.ts'
import { createBackups } from './backups.ts'
import { dataDirectory } from './data-directory.ts'
import { examineAll, examineQuickly } from './doctor/examine.ts'
import { readDisk } from './doctor/files.ts'
import { checkEnvironment, checkExposure } from './doctor/installation.ts'
import type { Health } from './health.ts'
import { startInspector } from './inspect-thread.ts'
import type { OpenPorts } from './open.ts'

type About = {
  settings: Settings
  ports: OpenPorts
  log: Log
  health: Pick<Health, 'findings' | 'startedAt'>
  /** Of this process; absent in tests. */
  environment: Environment
  /** Where it listens, once it does. */
  url(): string
}

/** What this process says about itself and about what it runs on. */
export function createInstallation({
  settings,
  ports,
  log,
  health,
  ...about
}: About): Installation {
  const directory = dataDirectory(settings.dataDir)
  const { database } = settings
  const ofProcess = (): Finding[] => [
    ...checkEnvironment(about.environment),
    ...checkExposure(settings),
    ...health.findings(about.url()),
  ]
  const examining = new Map<string | null, Promise<Finding[]>>()
  let last: Promise<unknown> = Promise.resolve()
  // In a thread, because reading a large database takes seconds.
  const faults = async () => {
    const fault = await startInspector().inspect(directory.database)
    return fault === null ? [] : [`the database: ${fault}: restore a backup`]
  }
  const checked = database ? ports : { ...ports, maintenance: { ...ports.maintenance, faults } }

  return {
    async describe(): Promise<ServerFacts> {
      const quick = await examineQuickly({ ports, settings })
      const bytes = database ? null : sizeOf(directory.database)
      return {
        ...{ version, url: about.url(), startedAt: health.startedAt },
        ...{ node: ports.node, nodes: await ports.nodes.list() },
        database: { kind: database ? 'postgres' : 'sqlite', bytes },
        disk: database ? null : readDisk(settings.dataDir),
        settings: settings.inForce,
        findings: [...ofProcess(), ...quick],
      }
    },
    examine(appId) {
      const shared = examining.get(appId)
      if (shared) return shared
      const own = last
        .then(() => examineAll({ ports: checked, settings, appId, recipient: null }))
        .then((findings) => [...ofProcess(), ...findings])
        .finally(() => examining.delete(appId))
      last = own.catch(() => null)
      examining.set(appId, own)
      return own
    },
    backups: database ? null : createBackups(directory, log),
    auditKeptMs: settings.retention.auditDays * dayMs,
  }
}

/** The size of a database with its log. */
function sizeOf(path: string): number {
  const sizes = [path, `${path}-wal`].map((file) => statSync(file, { throwIfNoEntry: false })?.size)
  return sizes.reduce<number>((sum, size = 0) => sum + size, 0)
}

import { allApps, entry, findApp } from './app/manage.ts'
import { type Actor, record } from './audit.ts'
import type { DnsFinding, Ports } from './ports.ts'
import { invalidField, Problem } from './problem.ts'
import type { Node } from './stores.ts'

/** The result of one check of an installation. */
export type Finding = {
  check: string
  status: 'ok' | 'warning' | 'failed'
  detail: string
  /** What to do; null where nothing is to be done. */
  next: string | null
  /** A record to put into the DNS. */
  record?: DnsFinding['record']
}

/** The disk of the data directory. */
export type Disk = { freeBytes: number; totalBytes: number }

/** One setting as it is in force; of a secret only whether it is set. */
export type SettingInForce = {
  name: string
  section: string
  value: string
  /** `command` is one that sets it by itself, such as `serve --dev`. */
  source: 'flag' | 'environment' | 'file' | 'default' | 'command'
  says: string
}

/** What a server says about itself. */
export type ServerFacts = {
  version: string
  url: string
  startedAt: number
  node: string
  nodes: Node[]
  database: { kind: 'sqlite' | 'postgres'; bytes: number | null }
  /** Null where the database is on another machine. */
  disk: Disk | null
  settings: SettingInForce[]
  /** Those that are known at once. */
  findings: Finding[]
}

export type Backup = { name: string; bytes: number; at: number }

/** The copies of the database in the data directory. */
export type Backups = {
  /** Newest first. */
  list(): Promise<Backup[]>
  /** Writes and checks a copy, and deletes all but the newest. Throws `backup_running`, `backup_failed`. */
  make(name: string, at: number): Promise<Backup>
}

/** The most endpoints of several apps that one examination connects to. */
export const examinedMax = 100

/**
 * An examination connects to the endpoints of one app, or of all where there are few. Throws
 * `app_not_found`, `invalid_request` where an app must be named.
 */
export async function requireFewEndpoints(
  ports: Pick<Ports, 'apps'>,
  appId: string | null,
): Promise<void> {
  if (appId !== null) {
    await findApp(ports, appId)
    return
  }
  const apps = await allApps(ports)
  const endpoints = apps.reduce((sum, app) => sum + app.endpoints.length, 0)
  if (endpoints <= examinedMax) return
  throw invalidField('app', `must be given: there are more than ${examinedMax} endpoints`)
}

type BackupPorts = Pick<Ports, 'audit' | 'keyring' | 'clock'> & { backups: Backups | null }

/** Throws `backup_elsewhere` where the database has tools of its own, and what `make` throws. */
export async function makeBackup(ports: BackupPorts, actor: Actor): Promise<Backup> {
  const backups = requireBackups(ports)
  const at = ports.clock.now()
  const name = `otpmint-${new Date(at).toISOString().replace(/[:.]/g, '-')}.db`
  await record(ports, entry(ports, actor, 'store.backup', 'store', name))
  return backups.make(name, at)
}

/** Throws `backup_elsewhere`. */
export function requireBackups({ backups }: Pick<BackupPorts, 'backups'>): Backups {
  if (!backups) throw new Problem('backup_elsewhere')
  return backups
}

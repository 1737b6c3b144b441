import { existsSync } from 'node:fs'
import { systemClock } from '../clock.ts'
import type { Settings } from '../config/load.ts'
import type { Ports } from '../domain/ports.ts'
import { unlockKeyset } from '../keys/data-dir-key.ts'
import { createKeyring, type LiveKeyring } from '../keys/keyring.ts'
import { type FoundMasterKey, findMasterKey } from '../keys/master-key.ts'
import { systemRandom } from '../random.ts'
import { anchorOf } from '../store/sqlite/journal.ts'
import { openSqliteStore, type SqliteStore } from '../store/sqlite/store.ts'
import { codeOf, type DataDirectory, dataDirectory } from './data-directory.ts'
import { exits, type Refusal, refusal } from './refusal.ts'

/** What works on the data directory alone: no listener, no sender, no network. */
export type OpenPorts = Omit<Ports, 'outbox' | 'egress' | 'keyring'> & {
  keyring: LiveKeyring
  store: SqliteStore
  directory: DataDirectory
  found: FoundMasterKey
}

export type Opened = { ok: true; ports: OpenPorts; close(): void }

/** For commands beside a server or without one: the database and its key must be there. */
export async function openPorts(settings: Settings): Promise<Opened | Refusal> {
  const directory = dataDirectory(settings.dataDir)
  return missing(directory) ?? openDirectory(settings, directory, directory.database)
}

export function missing({ root, database }: DataDirectory): Refusal | null {
  if (existsSync(database)) return null
  const advice = 'start "otpmint serve" once, or name the directory with OTPMINT_DATA_DIR'
  return refusal(exits.failed, `there is no database in ${root}: ${advice}`)
}

/**
 * Key first, database second: a database never exists without its key. The caller holds the
 * directory, unless the database exists. `path` is the database file.
 */
export async function openDirectory(
  settings: Settings,
  directory: DataDirectory,
  path: string,
  open = openSqliteStore,
): Promise<Opened | Refusal> {
  const key = findMasterKey({
    settings: settings.masterKey,
    dataDir: directory.root,
    databaseExists: existsSync(path),
    random: systemRandom,
  })
  if (!key.ok) return refusal(exits.settings, key.mistake)

  const late: LateKeyring = { keyring: null }
  const store = openStore(path, late, open)
  if ('exitCode' in store) return store
  const unlocked = await unlockKeyset({
    records: store.records,
    found: key.found,
    dataDir: directory.root,
    random: systemRandom,
    clock: systemClock,
  })
  if (!unlocked.ok) {
    store.close()
    return refusal(exits.settings, unlocked.mistake)
  }
  const keyring = createKeyring(unlocked.keyset)
  late.keyring = keyring
  const { verifications, deliveries, apps, limits, records } = store
  const ports: OpenPorts = {
    ...{ verifications, deliveries, apps, limits, records },
    clock: systemClock,
    random: systemRandom,
    settings: settings.domain,
    ...{ keyring, store, directory, found: key.found },
  }
  return { ok: true, ports, close: store.close }
}

/** The audit chain needs the keyring, and the keyring needs the database: it comes late. */
export type LateKeyring = { keyring: LiveKeyring | null }

export function openStore(
  path: string,
  late: LateKeyring,
  open = openSqliteStore,
): SqliteStore | Refusal {
  try {
    return open({
      path,
      auditLink: (previous, record) => {
        if (!late.keyring) throw new Error('an audit entry before the keys were there')
        return late.keyring.auditLink(previous, record)
      },
    })
  } catch (error) {
    // The store's own refusals are sentences; the database's carry a code instead.
    const own = error instanceof Error && !('code' in error) ? error.message : null
    return refusal(exits.failed, own ?? `the database ${path} cannot be opened (${codeOf(error)})`)
  }
}

/** Where the audit chain begins: at zero, or behind the last record that was swept. */
export async function auditAnchor({ records }: Pick<Ports, 'records'>) {
  return anchorOf((await records.readFact('audit_anchor')) ?? undefined)
}

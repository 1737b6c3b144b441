import { existsSync } from 'node:fs'
import { createDns } from '../channels/dns.ts'
import { createReach } from '../channels/http-egress.ts'
import { createHttpOut } from '../channels/http-out.ts'
import { createPhones } from '../channels/phones.ts'
import { createBots } from '../channels/telegram/bots.ts'
import type { Settings } from '../config/load.ts'
import type { Ports } from '../domain/ports.ts'
import { finishKilledRotation } from '../keys/data-dir-key.ts'
import { dkimPairs } from '../keys/dkim-pair.ts'
import { codeOf } from '../keys/key-file.ts'
import { createKeyring, type LiveKeyring } from '../keys/keyring.ts'
import { loadKeyset } from '../keys/keyset.ts'
import { type FoundMasterKey, findMasterKey } from '../keys/master-key.ts'
import { pem } from '../keys/pem.ts'
import { templating } from '../messages/templating.ts'
import { cannotStart, StartupError } from '../startup-error.ts'
import { openSqliteStore, type SqliteStore } from '../store/sqlite/store.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import { type DataDirectory, dataDirectory, requireDatabase } from './data-directory.ts'

/** The ports of a data directory, without listener and sender. */
export type OpenPorts = Omit<Ports, 'outbox' | 'egress' | 'keyring' | 'learned'> & {
  keyring: LiveKeyring
  store: SqliteStore
  directory: DataDirectory
  found: FoundMasterKey
}

export type Opened = { ports: OpenPorts; close(): Promise<void> }

export type OpenOptions = {
  onDamage?: () => void
  /** Replaces how the store is opened; for the benchmark. */
  openStore?: typeof openSqliteStore
}

/** The name of the one server that a SQLite database can have. */
const localNode = 'local'

/** Opens the ports for a command; the database and its key must exist. */
export async function openPorts(settings: Settings): Promise<Opened> {
  const directory = dataDirectory(settings.dataDir)
  requireDatabase(directory)
  return openDirectory(settings, directory, directory.database)
}

/**
 * Finds the master key, opens the store, opens the keyset with the key. A database never exists
 * without its key. The caller holds the directory, unless the database exists. `path` is the
 * database file. Throws `StartupError`.
 */
export async function openDirectory(
  settings: Settings,
  directory: DataDirectory,
  path: string,
  options: OpenOptions = {},
): Promise<Opened> {
  const found = findMasterKey({
    settings: settings.masterKey,
    dataDir: directory.root,
    databaseExists: existsSync(path),
    random: systemRandom,
  })
  const store = await openStore(path, options)
  const dns = createDns({ timers: systemTimers })
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, dns }
  const httpOut = createHttpOut({ ...world, egressAllow: settings.egressAllow })
  try {
    const keysetPorts = { meta: store.meta, ...world }
    const keyset = await loadKeyset(keysetPorts, found.masterKey).catch((error: unknown) =>
      finishKilledRotation(keysetPorts, { error, found, dataDir: directory.root }),
    )
    const ports: OpenPorts = {
      ...store,
      ...world,
      settings: settings.domain,
      node: localNode,
      keyring: createKeyring(keyset, systemRandom),
      pem,
      phones: createPhones(),
      httpOut,
      mayReach: createReach(settings.egressAllow),
      dkimPairs,
      bots: createBots({ httpOut, timers: systemTimers }),
      templating,
      ...{ store, directory, found },
    }
    return { ports, close: store.close }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** The store alone, whose records need no key. Throws `StartupError`. */
export async function openStore(
  path: string,
  { onDamage, openStore: open = openSqliteStore }: OpenOptions = {},
): Promise<SqliteStore> {
  try {
    return await open({ path, timers: systemTimers, ...(onDamage && { onDamage }) })
  } catch (error) {
    if (error instanceof StartupError) throw error
    // Errors of the store are sentences for the admin; those of the database have a code.
    const own = error instanceof Error && !('code' in error) ? error.message : null
    throw cannotStart(own ?? `the database ${path} cannot be opened (${codeOf(error)})`)
  }
}

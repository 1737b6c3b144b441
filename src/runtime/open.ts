import { existsSync } from 'node:fs'
import type { Settings } from '../config/load.ts'
import type { Ports } from '../domain/ports.ts'
import { finishKilledRotation } from '../keys/data-dir-key.ts'
import { codeOf } from '../keys/key-file.ts'
import { createKeyring, type LiveKeyring } from '../keys/keyring.ts'
import { loadKeyset } from '../keys/keyset.ts'
import { type FoundMasterKey, findMasterKey } from '../keys/master-key.ts'
import { createNextKey, type NextKey, readNextKey } from '../keys/next-key.ts'
import { cannotStart, StartupError } from '../startup-error.ts'
import type { PostgresStore } from '../store/postgres/store.ts'
import { openSqliteStore, type SqliteStore } from '../store/sqlite/store.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import { type DataDirectory, dataDirectory, requireDatabase } from './data-directory.ts'
import type { DatabaseClock } from './database-clock.ts'
import { openPostgres } from './open-postgres.ts'
import { portsOf } from './ports.ts'

/** The ports of an installation, without listener and sender. */
export type OpenPorts = Omit<Ports, 'outbox' | 'egress' | 'keyring' | 'learned'> & {
  keyring: LiveKeyring
  store: SqliteStore | PostgresStore
  /** Null where the machine's clock is the clock. */
  databaseClock: DatabaseClock | null
  directory: DataDirectory
  found: FoundMasterKey
  nextKey: NextKey
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
  const { database } = settings
  if (database !== null) return openPostgres(settings, { database, directory, serves: false })
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
  try {
    const keysetPorts = { meta: store.meta, random: systemRandom, clock: systemClock }
    const nextKey = createNextKey(keysetPorts, settings.masterKey)
    readNextKey(settings.masterKey)
    const keyset = await loadKeyset(keysetPorts, found.masterKey, nextKey.read()).catch(
      (error: unknown) =>
        finishKilledRotation(keysetPorts, { error, found, dataDir: directory.root }),
    )
    const keyring = createKeyring(keyset, systemRandom)
    const place = { found, nextKey, directory, node: localNode }
    const own = { ...place, store, clock: systemClock, databaseClock: null, keyring }
    return { ports: portsOf(settings, own), close: store.close }
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

import { SQL } from 'bun'
import type { DatabaseSettings, Settings } from '../config/load.ts'
import { newId } from '../domain/id.ts'
import { createKeyring } from '../keys/keyring.ts'
import { loadKeyset } from '../keys/keyset.ts'
import { findMasterKey } from '../keys/master-key.ts'
import { migrate } from '../store/postgres/migrate.ts'
import { openPostgresStore } from '../store/postgres/store.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import type { DataDirectory } from './data-directory.ts'
import type { Opened } from './open.ts'
import { portsOf } from './ports.ts'

/** Opens the ports of a node, or of a command, over PostgreSQL. Throws `StartupError`. */
export async function openPostgres(
  settings: Settings,
  { url, migrateUrl }: DatabaseSettings,
  directory: DataDirectory,
): Promise<Opened> {
  const found = findMasterKey({
    settings: settings.masterKey,
    dataDir: directory.root,
    databaseExists: true,
    random: systemRandom,
  })
  if (migrateUrl !== null) await migrateWith(migrateUrl)
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const store = await openPostgresStore({ connect, timers: systemTimers, random: systemRandom })
  try {
    const keysetPorts = { meta: store.meta, random: systemRandom, clock: systemClock }
    const keyring = createKeyring(await loadKeyset(keysetPorts, found.masterKey), systemRandom)
    // A random one for each process, so that no two can have the same.
    const node = newId(systemRandom)
    const own = { store, clock: systemClock, node, keyring, found, directory }
    return { ports: portsOf(settings, own), close: store.close }
  } catch (error) {
    await store.close()
    throw error
  }
}

async function migrateWith(url: string): Promise<void> {
  const sql = new SQL({ url, max: 1, prepare: false })
  try {
    await migrate(sql)
  } finally {
    await sql.close()
  }
}

import type { DatabaseSettings, Settings } from '../config/load.ts'
import { newId } from '../domain/id.ts'
import type { Clock } from '../domain/ports.ts'
import { createKeyring } from '../keys/keyring.ts'
import { type Keyset, loadKeyset } from '../keys/keyset.ts'
import { type FoundMasterKey, findMasterKey, type MasterKey } from '../keys/master-key.ts'
import { createNextKey, readNextKey } from '../keys/next-key.ts'
import { isAlive } from '../keys/rotate.ts'
import { exits, StartupError, settingsAreWrong } from '../startup-error.ts'
import { readDatabaseUrl, type Target } from '../store/postgres/connect.ts'
import { databaseFaults, withClient } from '../store/postgres/judge.ts'
import { type Migrated, migrate } from '../store/postgres/migrate.ts'
import { isDirect } from '../store/postgres/pooler.ts'
import { openPostgresStore, type PostgresStore } from '../store/postgres/store.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import type { DataDirectory } from './data-directory.ts'
import { createDatabaseClock, type DatabaseClock } from './database-clock.ts'
import { refuseMoved } from './moved.ts'
import type { Opened } from './open.ts'
import { portsOf } from './ports.ts'

/** Where the three URLs lead. */
export type Targets = { service: Target; migration: Target | null; direct: Target | null }

export type PostgresOptions = {
  database: DatabaseSettings
  directory: DataDirectory
  /** True for a server: it needs the admin token, and migrates where it was given the role for it. */
  serves: boolean
}

/**
 * Opens the ports of a node, or of a command, over PostgreSQL. Nothing is generated, because every node
 * needs the same keys. Throws `StartupError` with everything that is wrong.
 */
export async function openPostgres(settings: Settings, options: PostgresOptions): Promise<Opened> {
  const { store, clock, found, reasons } = await connectPostgres(settings, options)
  try {
    const nextKey = createNextKey({ ...store, random: systemRandom }, settings.masterKey)
    const keys = [found.masterKey, nextKey.read()] as const
    const keyset = await keysetOf({ ...store, clock }, keys, reasons)
    if (!keyset || reasons.length > 0) throw settingsAreWrong(...reasons)
    const keyring = createKeyring(keyset, systemRandom)
    // A random one for each process, so that no two can have the same.
    const place = { node: newId(systemRandom), found, nextKey, directory: options.directory }
    const own = { ...place, store, clock, databaseClock: clock, keyring }
    return { ports: portsOf(settings, own), close: store.close }
  } catch (error) {
    await store.close()
    throw error
  }
}

export type Connected = {
  store: PostgresStore
  clock: DatabaseClock
  found: FoundMasterKey
  /** What is wrong with the database for this service. */
  reasons: string[]
}

/** Opens the store without its keys. Throws `StartupError` where that is impossible. */
export async function connectPostgres(
  { masterKey, adminToken }: Settings,
  { database, directory, serves }: PostgresOptions,
): Promise<Connected> {
  const reasons: string[] = []
  const targets = gather(reasons, () => readTargets(database))
  const from = { dataDir: directory.root, databaseExists: true, missing: noKey }
  const found = gather(reasons, () =>
    findMasterKey({ ...from, settings: masterKey, random: systemRandom }),
  )
  gather(reasons, () => readNextKey(masterKey))
  if (serves && adminToken === null) reasons.push(noToken)
  if (!targets || !found || reasons.length > 0) throw settingsAreWrong(...reasons)

  const { service, direct, migration } = targets
  if (serves && migration) await migrateDatabase(targets)
  reasons.push(...(await databaseFaults(service, direct ? [direct] : [])))
  const places = { connect: service.connect, connectDirect: direct?.connect }
  const store = await openPostgresStore({ ...places, timers: systemTimers, random: systemRandom })
  try {
    if (reasons.length === 0) await refuseMoved(store)
    const { time } = store
    const clock = await createDatabaseClock({ time, machine: systemClock, timers: systemTimers })
    return { store, clock, found, reasons }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Throws `StartupError` with every mistake in the three URLs. */
export function readTargets({ url, migrateUrl, directUrl }: DatabaseSettings): Targets {
  const reasons: string[] = []
  const read = (text: string | null, name: string) =>
    text === null ? null : gather(reasons, () => readDatabaseUrl(text, name))
  const service = read(url, 'OTPMINT_DATABASE_URL')
  const migration = read(migrateUrl, 'OTPMINT_DATABASE_MIGRATE_URL')
  const direct = read(directUrl, 'OTPMINT_DATABASE_DIRECT_URL')
  if (service && migration?.role === service.role) {
    reasons.push(
      `OTPMINT_DATABASE_MIGRATE_URL has the role of OTPMINT_DATABASE_URL, ${service.role}: the ` +
        'role of the service defines no tables',
    )
  }
  if (!service || reasons.length > 0) throw settingsAreWrong(...reasons)
  return { service, migration, direct }
}

/** Migrates with the role that may, and grants to the other what it needs. Throws `StartupError`. */
export async function migrateDatabase({ service, migration }: Targets): Promise<Migrated> {
  if (!migration) {
    throw settingsAreWrong('OTPMINT_DATABASE_MIGRATE_URL is missing: the role that owns the tables')
  }
  return withClient(migration, async (sql) => {
    if (await isDirect(migration)) return migrate(sql, service.role)
    // The lock that makes nodes take turns belongs to a connection, which a pooler may exchange.
    throw settingsAreWrong(
      'OTPMINT_DATABASE_MIGRATE_URL: a pooler is in between: let it lead to PostgreSQL itself',
    )
  })
}

/** Null, with the reasons among the others, where the master key is another database's. */
async function keysetOf(
  { meta, nodes, clock }: Pick<PostgresStore, 'meta' | 'nodes'> & { clock: Clock },
  [masterKey, nextKey]: readonly [MasterKey, MasterKey | null],
  reasons: string[],
): Promise<Keyset | null> {
  // Beside other reasons a keyset is looked at, if it can be, and none is made.
  const isWrong = reasons.length > 0
  if (isWrong && !(await meta.read('keyset').catch(() => null))) return null
  try {
    return await loadKeyset({ meta, clock, random: systemRandom }, masterKey, nextKey)
  } catch (error) {
    reasons.push(...reasonsOf(error))
    const live = (await nodes.list()).filter((node) => isAlive(node, clock.now()))
    if (live.length > 0) reasons.push(othersServe(live.length))
    return null
  }
}

function othersServe(count: number): string {
  const who =
    count === 1 ? '1 node of another cluster serves' : `${count} nodes of another cluster serve`
  return `${who} this database, with another key: each cluster needs a database of its own`
}

/** The result of a step; null, with its reasons among the others, where the settings are wrong. */
function gather<Result>(reasons: string[], step: () => Result): Result | null {
  try {
    return step()
  } catch (error) {
    reasons.push(...reasonsOf(error))
    return null
  }
}

function reasonsOf(error: unknown): string[] {
  if (error instanceof StartupError && error.exitCode === exits.settings) return error.reasons
  throw error
}

const noKey =
  'there is no master key, and with PostgreSQL none is generated: give every node the same one ' +
  'with OTPMINT_MASTER_KEY_FILE ("otpmint key generate" makes one)'
const noToken =
  'there is no admin token, and with PostgreSQL none is generated: give every node the same one ' +
  'with OTPMINT_ADMIN_TOKEN_FILE'

import type { Settings } from '../config/load.ts'
import { settingsAreWrong } from '../startup-error.ts'
import type { Migrated } from '../store/postgres/migrate.ts'
import { migrateDatabase, readTargets } from './open-postgres.ts'

/** Migrates the PostgreSQL database of the settings. Throws `StartupError`. */
export async function migrateSettings({ database }: Settings): Promise<Migrated> {
  if (database) return migrateDatabase(readTargets(database))
  throw settingsAreWrong(
    'OTPMINT_DATABASE_URL is missing: SQLite is migrated by the start of its server',
  )
}

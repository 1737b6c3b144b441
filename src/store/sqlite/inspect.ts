import { Database } from 'bun:sqlite'
import { applyMigration, newerSchema, pragma, schemaVersion } from './database.ts'

/**
 * Says why a file is not a sound database of OtpMint that this executable can read; null when it
 * is. Changes nothing and runs nothing of what the file may bring along.
 */
export function inspectDatabase(path: string): string | null {
  let database: Database
  try {
    database = new Database(path, { readonly: true, strict: true })
  } catch {
    return notOpened
  }
  try {
    database.run('pragma trusted_schema = off')
    const { stored, known } = schemaVersion(database)
    if (stored > known) return newerSchema(stored, known)
    if (stored === 0) return notOurs
    return schemaFaults(database)[0] ?? damage(database)[0] ?? null
  } catch {
    return notOurs
  } finally {
    database.close(true)
  }
}

/** The fault of a file that could not be opened, which says nothing about what is in it. */
export const notOpened = 'it cannot be opened'
const notOurs = 'it is no database of OtpMint'

/** Every object of the schema that is not as the migrations make it, in one sentence each. */
export function schemaFaults(database: Database): string[] {
  const fresh = new Database(':memory:', { strict: true })
  try {
    const { stored } = schemaVersion(database)
    for (let version = 1; version <= stored; version++) applyMigration(fresh, version)
    const [wanted, found] = [objects(fresh), objects(database)]
    return [
      ...[...found].flatMap(([name, sql]) => {
        if (!wanted.has(name)) return [`its ${name} is not of OtpMint`]
        return wanted.get(name) === sql ? [] : [`its ${name} is not as OtpMint makes it`]
      }),
      ...[...wanted.keys()].flatMap((name) => {
        return found.has(name) ? [] : [`its ${name} is missing`]
      }),
    ]
  } finally {
    fresh.close()
  }
}

/** By kind and name, the statement that made each object. */
function objects(database: Database): Map<string, string | null> {
  const rows = database
    .query<{ type: string; name: string; sql: string | null }, []>(
      'select type, name, sql from sqlite_schema',
    )
    .all()
  return new Map(rows.map(({ type, name, sql }) => [`${type} ${name}`, sql]))
}

/** What `quick_check` finds, in one sentence; empty when the pages are sound. */
export function damage(database: Database): string[] {
  return pragma(database, 'pragma quick_check(1)') === 'ok' ? [] : ['it is damaged']
}

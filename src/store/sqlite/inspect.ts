import { Database } from 'bun:sqlite'
import { moveObjects } from '../move/journal.ts'
import { newerSchema } from '../newer-schema.ts'
import { applyMigration, pragma, schemaVersion } from './database.ts'

/**
 * Checks a file: the reason why it is no undamaged database of OtpMint that this executable can
 * read, else null. Changes nothing, and runs no trigger or view of the file.
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

/** One sentence for every object of the schema that differs from the migrations'. */
export function schemaFaults(database: Database): string[] {
  const fresh = new Database(':memory:', { strict: true })
  try {
    const { stored } = schemaVersion(database)
    for (let version = 1; version <= stored; version++) applyMigration(fresh, version)
    const [wanted, found, ofMoves] = [objects(fresh), objects(database), moveObjects()]
    return [
      ...[...found].flatMap(([name, sql]) => {
        if (ofMoves.has(name) && ofMoves.get(name) === sql?.toLowerCase()) return []
        if (isOfLitestream(name, sql)) return []
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

/**
 * Whether an object is a table of Litestream, which copies databases and keeps its place in them. Such
 * a table has plain columns and no expression.
 */
function isOfLitestream(name: string, sql: string | null): boolean {
  return /^table _litestream_\w+$/.test(name) && /^create table \w+ \([\w ,]+\)$/i.test(sql ?? '')
}

/** The SQL of each object, by kind and name. */
function objects(database: Database): Map<string, string | null> {
  const rows = database
    .query<{ type: string; name: string; sql: string | null }, []>(
      'select type, name, sql from sqlite_schema',
    )
    .all()
  return new Map(rows.map(({ type, name, sql }) => [`${type} ${name}`, sql]))
}

/** The result of `quick_check` as one sentence; empty without damage. */
export function damage(database: Database): string[] {
  return pragma(database, 'pragma quick_check(1)') === 'ok' ? [] : ['it is damaged']
}

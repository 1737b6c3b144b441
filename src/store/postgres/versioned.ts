import { migrations } from './migrations/index.ts'

/** The number of the newest schema that this executable knows. */
export const schemaVersion = migrations.length

/** The end of the names of this schema's functions. */
export const suffix = `_v${schemaVersion}`

/**
 * Replaces `__v` in the names of functions by the number of the schema, so that the functions of two
 * versions are there at once while nodes are upgraded one after another.
 */
export function versioned(sql: string): string {
  return sql.replaceAll('__v', suffix)
}

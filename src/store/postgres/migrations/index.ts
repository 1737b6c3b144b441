import start from './001-start.sql' with { type: 'text' }

/**
 * A change of the schema in two steps, so that nodes are upgraded one after another. `expand` adds what
 * the new version uses and leaves whatever the version before uses. `contract` takes that away, once
 * no node of an older version is there; null for nothing.
 */
export type Migration = { expand: string; contract: string | null }

/** Append only: a released migration is never edited. The index + 1 is its version. */
export const migrations: readonly Migration[] = [{ expand: start, contract: null }]

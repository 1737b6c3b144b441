import start from './001-start.sql' with { type: 'text' }

/** Append only: a released migration is never edited. The index + 1 is its version. */
export const migrations: readonly string[] = [start]

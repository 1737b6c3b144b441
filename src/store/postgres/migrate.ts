import type { SQL } from 'bun'
import { functions } from './functions/index.ts'
import { migrations } from './migrations/index.ts'
import { schemaVersion, versioned } from './versioned.ts'

/** The same number for every node, so that one migrates at a time. */
const migrationLock = 7_046_118_531

/**
 * Brings the schema to the newest version, over a direct connection of a role that may define tables.
 * Nodes that migrate at once wait for one another. Returns the version that it was before.
 */
export async function migrate(sql: SQL): Promise<number> {
  await sql.unsafe(`select pg_advisory_lock(${migrationLock})`)
  try {
    const before = await storedVersion(sql)
    for (let version = before + 1; version <= schemaVersion; version++) {
      const statements = [
        migrations[version - 1] ?? '',
        ...(version === schemaVersion ? functions.map(versioned) : []),
        `insert into schema_version (version) values (${version})`,
      ]
      await sql.unsafe(`begin;\n${statements.join('\n')};\ncommit`)
    }
    return before
  } finally {
    await sql.unsafe(`select pg_advisory_unlock(${migrationLock})`)
  }
}

/** 0 for an empty database. */
export async function storedVersion(sql: SQL): Promise<number> {
  const [row] = await sql.unsafe(`select to_regclass('schema_version') is not null as there`)
  if (!row?.there) return 0
  const [stored] = await sql.unsafe(
    'select coalesce(max(version), 0)::int as version from schema_version',
  )
  return stored?.version ?? 0
}

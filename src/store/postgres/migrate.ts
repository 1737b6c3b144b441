import type { SQL } from 'bun'
import { nodeSilentMs } from '../../domain/delivery/lease.ts'
import { settingsAreWrong } from '../../startup-error.ts'
import { newerSchema } from '../newer-schema.ts'
import { functions } from './functions/index.ts'
import { migrations } from './migrations/index.ts'
import { grants } from './roles.ts'
import { schemaVersion, suffix, versioned } from './versioned.ts'

/** The same number for every node, so that one migrates at a time. */
const migrationLock = 7_046_118_531

/** The longest that a change of a table waits for those who use it, so that they do not wait long. */
const lockTimeout = '5s'

export type Migrated = {
  before: number
  after: number
  /** The nodes of older versions, for which what only they use was left. */
  older: number
  /** Whether what only older versions used was taken away. */
  contracted: boolean
}

/**
 * Brings the schema to the newest version and gives the role of the service what it needs, over a
 * direct connection of the role that owns the tables. Nodes that migrate at once wait for one another.
 * Nodes of the version before go on; once there are none, what only they use is taken away.
 * Throws `StartupError`.
 */
export async function migrate(sql: SQL, serviceRole: string): Promise<Migrated> {
  await sql.unsafe('set statement_timeout = 0')
  await sql.unsafe('set lock_timeout = 0')
  await sql.unsafe(`select pg_advisory_lock(${migrationLock})`)
  try {
    await sql.unsafe(`set lock_timeout = '${lockTimeout}'`)
    const schema = await schemaFor(sql)
    const before = await storedVersion(sql)
    if (before > schemaVersion) throw settingsAreWrong(newerSchema(before, schemaVersion))
    if (before === 0) await refuseForeignTables(sql, schema)
    for (let version = before + 1; version <= schemaVersion; version++) {
      const statements = [
        migrations[version - 1]?.expand ?? '',
        ...(version === schemaVersion ? functions.map(versioned) : []),
        `insert into schema_version (version) values (${version})`,
      ]
      await inTransaction(sql, statements.join('\n'))
    }
    await inTransaction(sql, grants(serviceRole, schema, suffix))
    return { before, after: schemaVersion, ...(await contract(sql)) }
  } finally {
    await sql.unsafe(`select pg_advisory_unlock(${migrationLock})`)
  }
}

/** 0 for an empty database. */
async function storedVersion(sql: SQL): Promise<number> {
  const [row] = await sql.unsafe(`select to_regclass('schema_version') is not null as there`)
  if (!row?.there) return 0
  const [stored] = await sql.unsafe(
    'select coalesce(max(version), 0)::int as version from schema_version',
  )
  return stored?.version ?? 0
}

/**
 * Takes away what only older versions use, unless a node of one is there. No node begins meanwhile: it
 * marks itself as alive before it serves, which waits for the lock, and is then refused.
 */
async function contract(sql: SQL): Promise<Pick<Migrated, 'older' | 'contracted'>> {
  const [{ due }] = await sql.unsafe(
    'select exists (select from schema_version where not is_contracted) as due',
  )
  if (!due) return { older: 0, contracted: false }
  await sql.unsafe('begin')
  try {
    await sql.unsafe('lock table nodes in share row exclusive mode')
    const [{ older }] = await sql.unsafe(`
      select count(*)::int as older from nodes where schema_version < ${schemaVersion}
        and seen_at > extract(epoch from clock_timestamp()) * 1000 - ${nodeSilentMs}`)
    if (older === 0) await sql.unsafe(await contraction(sql))
    await sql.unsafe('commit')
    return { older, contracted: older === 0 }
  } catch (error) {
    await sql.unsafe('rollback')
    throw error
  }
}

/** The contracting statements of every version whose were not executed, and the end of old functions. */
async function contraction(sql: SQL): Promise<string> {
  const versions = await sql.unsafe(
    'select version::int from schema_version where not is_contracted order by version',
  )
  const statements = versions.map(({ version }: { version: number }) => {
    return migrations[version - 1]?.contract ?? ''
  })
  return `
    ${statements.join('\n')}
    do $do$
    declare old regprocedure;
    begin
      for old in
        select oid from pg_proc where pronamespace = current_schema()::regnamespace
          and substring(proname from '_v([0-9]+)$')::int < ${schemaVersion}
      loop
        execute format('drop function %s', old);
      end loop;
    end
    $do$;
    update schema_version set is_contracted = true`
}

async function inTransaction(sql: SQL, statements: string): Promise<void> {
  try {
    await sql.unsafe(`begin;\n${statements};\ncommit`)
  } catch (error) {
    await sql.unsafe('rollback')
    throw error
  }
}

async function schemaFor(sql: SQL): Promise<string> {
  const [row] = await sql.unsafe(`select current_user as role, current_schema() as schema,
    has_schema_privilege(current_schema(), 'CREATE') as may`)
  if (row?.may) return row.schema
  throw settingsAreWrong(
    `role ${row?.role} may not define tables in ${row?.schema ?? 'any schema'}: make it the owner ` +
      'of the database, or of a schema that its search_path names first',
  )
}

/** Tables of another application, whose names may be ours: extensions' own do not count. */
async function refuseForeignTables(sql: SQL, schema: string): Promise<void> {
  const [row] = await sql.unsafe(`
    select relname::text as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select from pg_depend where classid = 'pg_class'::regclass
        and objid = pg_class.oid and deptype = 'e')
    order by 1 limit 1`)
  if (!row) return
  throw settingsAreWrong(
    `schema ${schema} has a table ${row.name} of another application: give OtpMint a database, or ` +
      'a schema, of its own',
  )
}

import type { SQL } from 'bun'
import { cannotStart, settingsAreWrong } from '../../startup-error.ts'
import { newerSchema } from '../newer-schema.ts'
import { connectError, type Target } from './connect.ts'
import { sqlState } from './failure.ts'
import { roleFaults } from './roles.ts'
import { schemaVersion, suffix } from './versioned.ts'

const oldestServer = 150_000

type Facts = {
  server: number
  encoding: string
  standby: boolean
  role: string
  schema: string | null
  tables: number
  ours: boolean
  readable: boolean
  /** The same for every URL that leads to the database, until its server starts again. */
  identity: string
}

/**
 * Why the service cannot use this database as this role: sentences for an admin, all at once; empty
 * where it can. `others` must lead to the same database. Throws `StartupError` when it cannot be asked.
 */
export async function databaseFaults(target: Target, others: Target[]): Promise<string[]> {
  const faults: string[] = []
  const identity = await withClient(target, async (sql) => {
    // In one transaction, which shows that a pooler lets one be.
    await sql.unsafe('begin')
    const facts = await readFacts(sql)
    faults.push(...(await faultsOf(sql, target, facts)))
    await sql.unsafe('rollback')
    return facts.identity
  })
  for (const other of others) {
    const { identity: found } = await withClient(other, readFacts)
    if (found !== identity) {
      faults.push(`${other.name} leads to another database than ${target.name}`)
    }
  }
  return faults
}

/** Uses a client and closes it; converts the errors of connecting. */
export async function withClient<Result>(
  target: Target,
  work: (sql: SQL) => Promise<Result>,
): Promise<Result> {
  const sql = target.connect()
  try {
    return await work(sql)
  } catch (error) {
    throw connectError(target, error) ?? error
  } finally {
    await sql.close({ timeout: 0 }).catch(() => {})
  }
}

async function readFacts(sql: SQL): Promise<Facts> {
  const [facts] = await sql.unsafe(`
    select current_setting('server_version_num')::int as server,
      current_setting('server_encoding') as encoding,
      pg_is_in_recovery() as standby,
      current_user::text as role,
      current_schema()::text as schema,
      (select count(*)::int from pg_class
        where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')) as tables,
      to_regclass('schema_version') is not null and to_regclass('audit_state') is not null as ours,
      coalesce(has_table_privilege(to_regclass('schema_version'), 'select'), false) as readable,
      (select oid::text from pg_database where datname = current_database())
        || ' ' || pg_postmaster_start_time() as identity`)
  return facts
}

async function faultsOf(sql: SQL, target: Target, facts: Facts): Promise<string[]> {
  const { name, place, database } = target
  const { server, encoding, standby, role, schema, tables, ours, readable } = facts
  if (standby) throw cannotStart(`${name}: ${place} is a standby: name the primary`)
  const faults: string[] = []
  const fault = (says: string) => void faults.push(`${name}: ${says}`)
  if (server < oldestServer) fault(`${place} is too old: PostgreSQL 15 or newer is needed`)
  if (encoding !== 'UTF8') fault(`database ${database} has the encoding ${encoding}: make it UTF8`)
  if (schema === null) {
    fault(`role ${role} may use no schema that its search_path names: ${migrateIt}`)
  } else if (!ours) {
    fault(
      tables > 0
        ? `schema ${schema} has tables of another application and none of OtpMint`
        : `database ${database} has no tables of OtpMint: ${migrateIt}`,
    )
  } else {
    const version = readable ? await storedVersion(sql, schema) : schemaVersion
    if (version > schemaVersion) faults.push(newerSchema(version, schemaVersion))
    if (version < schemaVersion) {
      fault(`the database has schema ${version}, ${schemaVersion} is needed: ${migrateIt}`)
    }
  }
  return [...faults, ...(await roleFaults(sql, name, suffix))]
}

const migrateIt = 'run "otpmint migrate" with OTPMINT_DATABASE_MIGRATE_URL'

async function storedVersion(sql: SQL, schema: string): Promise<number> {
  try {
    const [row] = await sql.unsafe('select max(version)::int as version from schema_version')
    return row?.version ?? 0
  } catch (error) {
    if (sqlState(error) !== '42703') throw error
    throw settingsAreWrong(`schema ${schema} has a table schema_version of another application`)
  }
}

import type { SQL } from 'bun'

/**
 * What the role of the service may do with each table besides reading it, where that is not
 * everything. Old audit records are deleted by a function of the role that owns the tables.
 */
export const narrowTables: Record<string, readonly string[]> = {
  schema_version: [],
  audit: ['insert'],
}
const writes = ['insert', 'update', 'delete'] as const

/** Statements that give the role of the service what it needs, and nothing more. */
export function grants(role: string, schema: string, suffix: string): string {
  const [to, within] = [quoted(role), quoted(schema)]
  const narrow = Object.entries(narrowTables).flatMap(([table, allowed]) => {
    const refused = writes.filter((write) => !allowed.includes(write))
    return refused.length === 0 ? [] : [`revoke ${refused} on ${within}.${table} from ${to};`]
  })
  return `
    revoke create on schema ${within} from public;
    grant usage on schema ${within} to ${to};
    grant select, insert, update, delete on all tables in schema ${within} to ${to};
    ${narrow.join('\n')}
    do $do$
    declare named regprocedure;
    begin
      for named in select oid from pg_proc
        where pronamespace = '${within}'::regnamespace and proname like '%${suffix.replace('_', '\\_')}'
      loop
        execute format('revoke execute on function %s from public', named);
        execute format('grant execute on function %s to ${to.replaceAll("'", "''")}', named);
      end loop;
    end $do$`
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

type Facts = {
  role: string
  schema: string | null
  powers: string[]
  createsSchemas: boolean
  creates: boolean
  owned: string[]
  beyond: string[]
  missing: string[]
  uncallable: string[]
}

/**
 * Why this role is not one for the service: sentences for an admin, empty for a right one. It reads
 * and writes rows and calls functions of this version; it defines nothing and is no superuser, so that
 * nobody who takes over a server can change what the database keeps to.
 */
export async function roleFaults(sql: SQL, name: string, suffix: string): Promise<string[]> {
  const [facts] = (await sql.unsafe(question, [suffix, JSON.stringify(narrowTables)])) as [Facts]
  const { role, powers, owned, beyond, missing, uncallable } = facts
  const too = (much: string) => `${name}: role ${role} ${much}`
  const faults: string[] = []
  if (powers.length > 0) {
    faults.push(too(`is or may ${powers.join(', ')}: use a role that is not and may not`))
  }
  if (facts.creates || facts.createsSchemas) {
    const where = facts.creates ? `in schema ${facts.schema}` : 'in the database'
    faults.push(too(`may define tables ${where}: revoke CREATE from it and from PUBLIC`))
  }
  if (owned.length > 0) {
    const advice = 'the role of OTPMINT_DATABASE_MIGRATE_URL should, and not be granted to it'
    faults.push(too(`owns ${few(owned)}, or is a member of what does: ${advice}`))
  }
  if (beyond.length > 0) faults.push(too(`may do too much with ${few(beyond)}: revoke that`))
  if (missing.length > 0) {
    faults.push(too(`may do too little with ${few(missing)}: run "otpmint migrate"`))
  }
  if (uncallable.length > 0) {
    faults.push(too(`may not call ${few(uncallable)}: run "otpmint migrate"`))
  }
  return faults
}

function few(names: string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}

// Partitions are reached by their tables only. A superuser owns and may everything, which its first
// sentence says.
const question = `
  with me as (select * from pg_roles where rolname = current_user),
  tables as (
    select c.oid, c.relname::text as name, c.relowner
    from pg_class c
    where c.relnamespace = current_schema()::regnamespace
      and c.relkind in ('r', 'p') and not c.relispartition
  ),
  allowed as (
    select tables.name, privilege,
      privilege = 'select' or coalesce($2::jsonb -> tables.name,
        '["insert", "update", "delete"]') @> to_jsonb(privilege) as is_due,
      has_table_privilege(tables.oid, privilege) as has_it
    from tables, unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'trigger',
      'references']) as privilege
  ),
  functions as (
    select oid, proname::text as name, proowner from pg_proc
    where pronamespace = current_schema()::regnamespace and right(proname, length($1)) = $1
  )
  select current_user::text as role, current_schema()::text as schema,
    array_remove(array[
      case when rolsuper then 'superuser' end,
      case when rolcreaterole then 'CREATEROLE' end,
      case when rolcreatedb then 'CREATEDB' end,
      case when rolreplication then 'REPLICATION' end,
      case when rolbypassrls then 'BYPASSRLS' end], null) as powers,
    not rolsuper and has_database_privilege(current_database(), 'CREATE') as "createsSchemas",
    not rolsuper and has_schema_privilege(current_schema(), 'CREATE') as creates,
    array(select name from tables where not rolsuper and pg_has_role(relowner, 'MEMBER')
      union select name from functions where not rolsuper and pg_has_role(proowner, 'MEMBER')
      order by 1) as owned,
    array(select name || ' (' || string_agg(privilege, ', ') || ')' from allowed
      where not rolsuper and has_it and not is_due
        and name not in (select name from tables where pg_has_role(relowner, 'MEMBER'))
      group by name order by 1) as beyond,
    array(select name || ' (' || string_agg(privilege, ', ') || ')' from allowed
      where is_due and not has_it group by name order by 1) as missing,
    array(select name from functions where not has_function_privilege(oid, 'EXECUTE')
      order by 1) as uncallable
  from me`

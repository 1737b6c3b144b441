import type { SQL } from 'bun'
import { tables } from './tables.ts'

/** Something of the schema: how it is dropped, and how it is made again. */
export type Definition = { drop: string; statement: string }

/** Secondary indexes, unique constraints and references, but for those that tell rows apart. */
export async function secondaryDefinitions(sql: SQL): Promise<Definition[]> {
  const names = tables.map(({ name }) => name)
  const keys = tables.map(({ name, key }) => `${name} UNIQUE (${key.join(', ')})`)
  const indexes: { name: string; statement: string }[] = await sql.unsafe(
    `select c.relname as name, pg_get_indexdef(c.oid) as statement
    from pg_index as i join pg_class as c on c.oid = i.indexrelid
      join pg_class as t on t.oid = i.indrelid
    where t.relnamespace = current_schema()::regnamespace and t.relname = any($1::text[])
      and not i.indisprimary and not c.relispartition
      and not exists (select from pg_constraint where conindid = c.oid)
    order by c.relname`,
    [names],
  )
  const constraints: { table: string; name: string; statement: string }[] = await sql.unsafe(
    `select t.relname as table, c.conname as name, pg_get_constraintdef(c.oid) as statement
    from pg_constraint as c join pg_class as t on t.oid = c.conrelid
    where t.relnamespace = current_schema()::regnamespace and t.relname = any($1::text[])
      and c.contype in ('u', 'f') and c.conparentid = 0
    order by c.contype = 'f', t.relname, c.conname`,
    [names],
  )
  return [
    ...indexes.map(({ name, statement }) => ({
      drop: `drop index ${name}`,
      // The parts of a partitioned table get theirs too.
      statement: statement.replace(' ON ONLY ', ' ON '),
    })),
    ...constraints
      .filter(({ table, statement }) => !keys.includes(`${table} ${statement}`))
      .map(({ table, name, statement }) => ({
        drop: `alter table ${table} drop constraint ${name}`,
        statement: `alter table ${table} add constraint ${name} ${statement}`,
      })),
  ]
}

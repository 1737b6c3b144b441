import type { MetaStore } from '../../domain/stores.ts'
import { isSame } from '../same-bytes.ts'
import type { AuditChain } from './audit.ts'
import type { Parts } from './parts.ts'

type Deps = Pick<Parts, 'database'> & { audit: AuditChain }

export function createMetaStore({ database, audit }: Deps): MetaStore {
  return {
    async read(name) {
      const [row] = await database.read<{ value: Uint8Array }>(
        'select value from meta where name = $name',
        { name },
      )
      return row?.value ?? null
    },
    write: (facts, { expected = {}, audit: append } = {}) =>
      database.transaction(async (session) => {
        if (append && !(await audit.isNext(session, append))) return false
        // A value that is not there has no row that could be locked, so the table is.
        await session.run('lock table meta in share row exclusive mode')
        const names = Object.keys(expected)
        const rows = await session.query<{ name: string; value: Uint8Array }>(
          'select name, value from meta where name = any($names::text[])',
          { names },
        )
        const stored = new Map(rows.map(({ name, value }) => [name, value]))
        const holds = names.every((name) => {
          return isSame(stored.get(name) ?? null, expected[name] ?? null)
        })
        if (!holds) return false
        for (const [name, value] of Object.entries(facts)) {
          await session.run(
            value === null
              ? 'delete from meta where name = $name'
              : `insert into meta (name, value) values ($name, $value)
                on conflict (name) do update set value = excluded.value`,
            { name, value },
          )
        }
        if (append) await audit.append(session, append)
        return true
      }),
  }
}

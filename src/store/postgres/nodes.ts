import { Problem } from '../../domain/problem.ts'
import type { Node, NodeStore } from '../../domain/stores.ts'
import type { Parts } from './parts.ts'
import { schemaVersion } from './versioned.ts'

export function createNodeStore({ database }: Pick<Parts, 'database'>): NodeStore {
  return {
    beat: async (node) => {
      // A node that was silent may find a schema from which what it uses was taken away.
      const marked = await database.run(
        `insert into nodes (id, seen_at, keyset_version, next_key_id, schema_version)
        select $id, $seenAt::bigint, $keysetVersion::bigint, $nextKeyId, $schemaVersion::bigint
        where not exists (
          select from schema_version where version > $schemaVersion and is_contracted)
        on conflict (id) do update set seen_at = excluded.seen_at,
          keyset_version = excluded.keyset_version, next_key_id = excluded.next_key_id`,
        { ...node, schemaVersion },
      )
      if (marked === 0) throw new Problem('store_unavailable', { retryAfterSeconds: 5 })
    },
    leave: async (id) => {
      await database.run('delete from nodes where id = $id', { id })
    },
    forget: async (seenBefore) => {
      await database.run('delete from nodes where seen_at < $seenBefore', { seenBefore })
    },
    list: () =>
      database.read<Node>('select id, seen_at, keyset_version, next_key_id from nodes order by id'),
  }
}

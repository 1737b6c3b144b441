import type { Node, NodeStore } from '../../domain/stores.ts'
import type { Parts } from './parts.ts'

export function createNodeStore({ database }: Pick<Parts, 'database'>): NodeStore {
  return {
    beat: async (node) => {
      await database.run(
        `insert into nodes (id, seen_at, keyset_version, next_key_id)
        values ($id, $seenAt, $keysetVersion, $nextKeyId)
        on conflict (id) do update set seen_at = excluded.seen_at,
          keyset_version = excluded.keyset_version, next_key_id = excluded.next_key_id`,
        node,
      )
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

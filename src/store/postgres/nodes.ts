import { Problem } from '../../domain/problem.ts'
import type { Node, NodeStore } from '../../domain/stores.ts'
import type { Parts } from './parts.ts'
import { schemaVersion } from './versioned.ts'

export function createNodeStore({ database }: Pick<Parts, 'database'>): NodeStore {
  return {
    beat: async ({ settings, ...node }) => {
      // A node that was silent may find a schema from which what it uses was taken away.
      const marked = await database.run(
        `insert into nodes (id, seen_at, keyset_version, next_key_id, settings, schema_version)
        select $id, $seenAt::bigint, $keysetVersion::bigint, $nextKeyId, $settings,
          $schemaVersion::bigint
        where not exists (
          select from schema_version where version > $schemaVersion and is_contracted)
        on conflict (id) do update set seen_at = excluded.seen_at,
          keyset_version = excluded.keyset_version, next_key_id = excluded.next_key_id`,
        { ...node, settings: settings ? JSON.stringify(settings) : null, schemaVersion },
      )
      if (marked === 0) throw new Problem('store_unavailable', { retryAfterSeconds: 5 })
    },
    leave: async (id) => {
      await database.run('delete from nodes where id = $id', { id })
    },
    forget: async (seenBefore) => {
      await database.run('delete from nodes where seen_at < $seenBefore', { seenBefore })
    },
    list: async () => {
      const rows = await database.read<Row>(
        'select id, seen_at, keyset_version, next_key_id, settings from nodes order by id',
      )
      return rows.map(({ settings, ...node }) =>
        settings === null ? node : { ...node, settings: JSON.parse(settings) },
      )
    },
  }
}

type Row = Omit<Node, 'settings'> & { settings: string | null }

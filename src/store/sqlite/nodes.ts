import type { Node, NodeStore } from '../../domain/stores.ts'
import type { Parts } from './parts.ts'

export function createNodeStore({ database, read, write }: Parts): NodeStore {
  const beat = database.prepare<null, Omit<Node, 'settings'>>(`
    insert or replace into nodes (id, seen_at, keyset_version, next_key_id)
    values ($id, $seenAt, $keysetVersion, $nextKeyId)`)
  const leave = database.prepare<null, { id: string }>('delete from nodes where id = $id')
  const forget = database.prepare<null, { seenBefore: number }>(
    'delete from nodes where seen_at < $seenBefore',
  )
  const list = database.prepare<Node, []>(`
    select id, seen_at as seenAt, keyset_version as keysetVersion, next_key_id as nextKeyId
    from nodes order by id`)

  return {
    // One node has nothing to compare its settings with.
    beat: ({ settings: _, ...node }) => write(() => void beat.run(node)),
    leave: (id) => write(() => void leave.run({ id })),
    forget: (seenBefore) => write(() => void forget.run({ seenBefore })),
    list: () => read(() => list.all()),
  }
}

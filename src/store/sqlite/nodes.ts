import type { Node, NodeStore } from '../../domain/stores.ts'
import type { Parts } from './parts.ts'

export function createNodeStore({ database, read, write }: Parts): NodeStore {
  const beat = database.prepare<null, Node>(`
    insert or replace into nodes (id, seen_at, keyset_version)
    values ($id, $seenAt, $keysetVersion)`)
  const leave = database.prepare<null, { id: string }>('delete from nodes where id = $id')
  const list = database.prepare<Node, []>(`
    select id, seen_at as seenAt, keyset_version as keysetVersion from nodes order by id`)

  return {
    beat: (node) => write(() => void beat.run(node)),
    leave: (id) => write(() => void leave.run({ id })),
    list: () => read(() => list.all()),
  }
}

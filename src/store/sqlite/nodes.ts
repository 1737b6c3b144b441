import type { Node, NodeStore } from '../../domain/stores.ts'
import type { Parts } from './parts.ts'

export function createNodeStore({ database, read, write }: Parts): NodeStore {
  const beat = database.prepare<null, Node>(`
    insert or replace into nodes (id, seen_at, keyset_version)
    values ($id, $seenAt, $keysetVersion)`)
  const leave = database.prepare<null, { id: string }>('delete from nodes where id = $id')
  const list = database.prepare<Row, []>('select * from nodes order by id')

  return {
    beat: (node) => write(() => void beat.run(node)),
    leave: (id) => write(() => void leave.run({ id })),
    list: () => read(() => list.all().map(toNode)),
  }
}

type Row = { id: string; seen_at: number; keyset_version: number }

function toNode({ id, seen_at: seenAt, keyset_version: keysetVersion }: Row): Node {
  return { id, seenAt, keysetVersion }
}

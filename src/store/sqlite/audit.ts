import type { Database } from 'bun:sqlite'
import type { AuditAppend, AuditRecord, AuditState } from '../../domain/audit.ts'
import type { Timers } from '../../domain/ports.ts'
import type { AuditStore } from '../../domain/stores.ts'
import { readCursor, toPage } from '../page.ts'
import { createTurns } from '../turns.ts'
import type { Parts } from './parts.ts'

export type AuditChain = ReturnType<typeof createAuditChain>

/** Reads and appends audit records and their sealed state, inside other transactions. */
export function createAuditChain(database: Database) {
  const state = database.prepare<AuditState, []>(`
    select id, link, cut_id as cutId, cut_link as cutLink, cut_at as cutAt, seal from audit_state`)
  const setState = database.prepare<null, AuditState>(`
    insert or replace into audit_state (only, id, link, cut_id, cut_link, cut_at, seal)
    values (1, $id, $link, $cutId, $cutLink, $cutAt, $seal)`)
  const insert = database.prepare<null, AuditRecord>(`
    insert into audit (id, at, who, action, object, detail, request_id, link)
    values ($id, $at, $who, $action, $object, $detail, $requestId, $link)`)

  return {
    state: () => state.get(),
    /** True while this is the id of the last record. */
    isHead: (expected: number): boolean => (state.get()?.id ?? 0) === expected,
    /**
     * True when no record was added or deleted since this one was linked; otherwise its state would
     * undo that. Every audited write tests this first.
     */
    isNext({ expected, state: { cutId } }: AuditAppend): boolean {
      const now = state.get()
      return (now?.id ?? 0) === expected && (now?.cutId ?? 0) === cutId
    },
    setState: (next: AuditState) => void setState.run(next),
    append({ record, state: next }: AuditAppend): void {
      insert.run(record)
      setState.run(next)
    },
  }
}

export function createAuditStore(
  { database, read, write, timers }: Parts & { timers: Pick<Timers, 'after'> },
  chain: AuditChain,
): AuditStore {
  const columns = 'id, at, who, action, object, detail, request_id as requestId, link'
  const newest = database.prepare<AuditRecord, { before: number; limit: number }>(
    `select ${columns} from audit where id < $before order by id desc limit $limit`,
  )
  const after = database.prepare<AuditRecord, { id: number; limit: number }>(
    `select ${columns} from audit where id > $id order by id limit $limit`,
  )
  const cut = database.prepare<null, { cutId: number }>('delete from audit where id <= $cutId')

  return {
    list: ({ limit, cursor }) =>
      read(() => {
        const rows = newest.all({ before: readCursor(cursor), limit: limit + 1 })
        return toPage(rows, limit)
      }),
    after: (id, limit) => read(() => after.all({ id, limit })),
    state: () => read(chain.state),
    append: (append) =>
      write(() => {
        if (!chain.isNext(append)) return 'head_moved'
        chain.append(append)
        return 'appended'
      }),
    inTurn: createTurns({ timers }),
    cut: ({ expected, state }) =>
      write(() => {
        if (!chain.isHead(expected)) return 'head_moved'
        chain.setState(state)
        return cut.run(state).changes
      }),
  }
}

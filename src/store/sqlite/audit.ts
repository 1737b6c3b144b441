import type { Database } from 'bun:sqlite'
import type { AuditAppend, AuditRecord, AuditState } from '../../domain/audit.ts'
import type { AuditStore } from '../../domain/stores.ts'
import { readCursor, toPage } from './page.ts'
import type { Parts } from './parts.ts'

export type AuditChain = ReturnType<typeof createAuditChain>

/** Reads and appends audit records and their sealed state, inside other transactions. */
export function createAuditChain(database: Database) {
  const state = database.prepare<StateRow, []>('select * from audit_state')
  const setState = database.prepare<null, AuditState>(`
    insert or replace into audit_state (only, id, link, cut_id, cut_link, cut_at, seal)
    values (1, $id, $link, $cutId, $cutLink, $cutAt, $seal)`)
  const insert = database.prepare<null, AuditRecord>(`
    insert into audit (id, at, who, action, object, detail, request_id, link)
    values ($id, $at, $who, $action, $object, $detail, $requestId, $link)`)

  return {
    state(): AuditState | null {
      const row = state.get()
      return row ? toState(row) : null
    },
    /** True while this is the id of the last record. */
    isHead: (expected: number): boolean => (state.get()?.id ?? 0) === expected,
    /**
     * True when no record was added or deleted since this one was linked; otherwise its state would
     * undo that. Every audited write tests this first.
     */
    isNext({ expected, state: { cutId } }: AuditAppend): boolean {
      const now = state.get()
      return (now?.id ?? 0) === expected && (now?.cut_id ?? 0) === cutId
    },
    setState: (next: AuditState) => void setState.run(next),
    append({ record, state: next }: AuditAppend): void {
      insert.run(record)
      setState.run(next)
    },
  }
}

export function createAuditStore({ database, read, write }: Parts, chain: AuditChain): AuditStore {
  const newest = database.prepare<RecordRow, { before: number; limit: number }>(
    'select * from audit where id < $before order by id desc limit $limit',
  )
  const after = database.prepare<RecordRow, { id: number; limit: number }>(
    'select * from audit where id > $id order by id limit $limit',
  )
  const cut = database.prepare<null, { cutId: number }>('delete from audit where id <= $cutId')

  return {
    list: ({ limit, cursor }) =>
      read(() => {
        const rows = newest.all({ before: readCursor(cursor), limit: limit + 1 })
        return toPage(rows, limit, ({ id }) => id, toRecord)
      }),
    after: (id, limit) => read(() => after.all({ id, limit }).map(toRecord)),
    state: () => read(chain.state),
    append: (append) =>
      write(() => {
        if (!chain.isNext(append)) return 'head_moved'
        chain.append(append)
        return 'appended'
      }),
    cut: ({ expected, state }) =>
      write(() => {
        if (!chain.isHead(expected)) return 'head_moved'
        chain.setState(state)
        return cut.run(state).changes
      }),
  }
}

type RecordRow = Omit<AuditRecord, 'requestId'> & { request_id: string | null }
type StateRow = {
  id: number
  link: Uint8Array
  cut_id: number
  cut_link: Uint8Array
  cut_at: number
  seal: Uint8Array
}

function toRecord({ request_id: requestId, link, ...row }: RecordRow): AuditRecord {
  return { ...row, requestId, link }
}

function toState(row: StateRow): AuditState {
  const { id, link, cut_id: cutId, cut_link: cutLink, cut_at: cutAt, seal } = row
  return { id, link, cutId, cutLink, cutAt, seal }
}

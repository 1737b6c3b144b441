import type { AuditAppend, AuditRecord, AuditState } from '../../domain/audit.ts'
import type { AuditStore } from '../../domain/stores.ts'
import { readCursor, toPage } from '../page.ts'
import { createTurns } from '../turns.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

/** Appends audit records and their sealed state, inside other transactions. */
export type AuditChain = {
  /**
   * True when no record was added or deleted since this one was linked; otherwise its state would
   * undo that. Every audited write asks this first: until its transaction ends, no other one can
   * append.
   */
  isNext(session: Session, append: AuditAppend): Promise<boolean>
  append(session: Session, append: AuditAppend): Promise<void>
}

type Head = Pick<AuditState, 'id' | 'cutId'>

export function createAuditChain(): AuditChain {
  return {
    async isNext(session, { expected, state: { cutId } }) {
      const head = await lockHead(session)
      return head.id === expected && head.cutId === cutId
    },
    async append(session, { record, state }) {
      await session.run(
        `insert into audit (id, at, who, action, object, detail, request_id, link)
        values ($id, $at, $who, $action, $object, $detail, $requestId, $link)`,
        record,
      )
      await setState(session, state)
    },
  }
}

export function createAuditStore({ database, timers }: Parts, chain: AuditChain): AuditStore {
  const columns = 'id, at, who, action, object, detail, request_id, link'

  return {
    async list({ limit, cursor }) {
      const rows = await database.read<AuditRecord>(
        `select ${columns} from audit where id < $before order by id desc limit $limit`,
        { before: readCursor(cursor), limit: limit + 1 },
      )
      return toPage(rows, limit)
    },
    after: (id, limit) =>
      database.read(`select ${columns} from audit where id > $id order by id limit $limit`, {
        ...{ id, limit },
      }),
    async state() {
      const [state] = await database.read<AuditState>(
        'select id, link, cut_id, cut_link, cut_at, seal from audit_state where id > 0',
      )
      return state ?? null
    },
    append: (append) =>
      database.transaction(async (session) => {
        if (!(await chain.isNext(session, append))) return 'head_moved'
        await chain.append(session, append)
        return 'appended'
      }),
    inTurn: createTurns({ timers }),
    cut: ({ expected, state }) =>
      database.transaction(async (session) => {
        if ((await lockHead(session)).id !== expected) return 'head_moved'
        await setState(session, state)
        const [cut] = await session.query<{ count: number }>('select cut_audit__v() as count')
        return cut?.count ?? 0
      }),
  }
}

/**
 * Locks the state's row and reads it anew. Where no record was ever added it makes the row, with the
 * id 0, so that there is something to lock.
 */
async function lockHead(session: Session): Promise<Head> {
  const [head] = await session.query<Head>(`
    insert into audit_state as kept (single, id, link, cut_id, cut_link, cut_at, seal)
    values (1, 0, '', 0, '', 0, '')
    on conflict (single) do update set id = kept.id
    returning id, cut_id`)
  if (!head) throw new Error('the state of the audit log cannot be locked')
  return head
}

async function setState(session: Session, state: AuditState): Promise<void> {
  await session.run(
    `update audit_state set id = $id, link = $link, cut_id = $cutId, cut_link = $cutLink,
      cut_at = $cutAt, seal = $seal`,
    state,
  )
}

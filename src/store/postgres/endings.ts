import type { EventType } from '../../domain/event.ts'
import type { Verification, VerificationKey } from '../../domain/verification/verification.ts'
import {
  type ExpiredRow,
  endedStatus,
  expiredColumns,
  expiredEvent,
  forgotten,
  isPending,
  isThis,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from '../verification-row.ts'
import type { AddEvents } from './events.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

type Deps = Parts & { addEvents: AddEvents }
type End = { now: number; event: EventType }

/** Verifications that one transaction of an expiry ends. */
const expiredAtOnce = 500

/** Ends verifications: clears what is not needed any more, and ends their deliveries. */
export function createEndings({ database, addEvents, counters }: Deps) {
  async function expire(session: Session, command: End & { lastId: string }): Promise<Expired[]> {
    const { now, event, lastId } = command
    const rows = await session.query<Expired>(lockUnforgotten, { now, lastId })
    await session.run(forget, { ids: rows.map(({ id }) => id) })
    await end(session, rows)
    const told = rows.filter(({ wasPending }) => wasPending)
    await addEvents(
      session,
      told.map((row) => expiredEvent(row, event, now)),
    )
    return rows
  }

  return {
    cancel: (command: VerificationKey & End): Promise<Verification | null> =>
      database.transaction(async (session) => {
        const { appId, mode, id, now: at, event: type } = command
        const [row] = await session.query<VerificationRow>(cancel, { appId, mode, id, now: at })
        if (!row) return null
        await end(session, [row])
        await addEvents(session, [{ at, appId, type, verificationId: id, data: {} }])
        await counters.add(session, [{ appId, name: 'cancels', at }])
        return toVerification(row)
      }, 'start'),

    /**
     * Ends those that are there when it begins, a few hundred in a transaction, so that none is long. One
     * that fails leaves the rest to the next call.
     */
    async expirePending(command: End): Promise<number> {
      const [last] = await database.read<{ id: string | null }>(
        'select max(id) as id from verifications',
      )
      const lastId = last?.id ?? ''
      let count = 0
      for (;;) {
        const rows = await database.transaction((session) =>
          expire(session, { ...command, lastId }),
        )
        count += rows.filter(({ wasPending }) => wasPending).length
        // Those that were found may have ended in the meantime.
        if (rows.length === 0 && (await database.read(anyUnforgotten, { lastId })).length === 0) {
          return count
        }
      }
    },
  }
}

const cancel = `
  update verifications
  set status = 'canceled', ${forgotten}, delivery_status = ${endedStatus}
  ${isThis} and ${isPending} returning ${verificationColumns}`

type Expired = ExpiredRow & { route: string | null; wasPending: boolean }

const anyUnforgotten =
  'select id from verifications where code_digest is not null and id <= $lastId limit 1'
const lockUnforgotten = `
  select ${expiredColumns}, route, ${isPending} as was_pending from verifications
  where code_digest is not null and id in (
    select id from verifications where code_digest is not null and id <= $lastId
    order by expires_at limit ${expiredAtOnce})
  order by id for update`
const forget = `
  update verifications set ${forgotten}, delivery_status = ${endedStatus}
  where id = any ($ids::text[])`

/** What follows an end of verifications that are locked. */
async function end(session: Session, rows: { id: string; route: string | null }[]): Promise<void> {
  const ids = rows.map(({ id }) => id)
  if (rows.some(({ route }) => route !== null)) {
    await session.run(
      `update verification_recipients set recipient_sealed = null
      where verification_id = any ($ids::text[])`,
      { ids },
    )
  }
  await session.run('select end_deliveries__v($ids::text[])', { ids })
}

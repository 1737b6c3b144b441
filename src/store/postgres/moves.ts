import type { Follow } from '../../domain/delivery/stores.ts'
import { deliveryData } from '../../domain/event.ts'
import { lateMs } from '../../domain/ports.ts'
import type {
  FallBackCommand,
  Move,
  Moved,
  ResendCommand,
} from '../../domain/verification/stores.ts'
import type { Verification, VerificationKey } from '../../domain/verification/verification.ts'
import {
  isPending,
  isThis,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from '../verification-row.ts'
import type { Database } from './database.ts'
import { enqueue } from './deliveries.ts'
import type { AddEvents } from './events.ts'
import type { Session } from './lanes.ts'
import type { Count, Counters } from './stats.ts'

type Deps = {
  database: Pick<Database, 'read'>
  addEvents: AddEvents
  counters: Pick<Counters, 'add'>
}

export type Moves = ReturnType<typeof createMoves>

/** Queues the next delivery of a verification, inside other transactions. */
export function createMoves({ database, addEvents, counters }: Deps) {
  /** Ends the deliveries of other channels than the one that the verification has moved to. */
  async function stopOthers(
    session: Session,
    { id, appId, channel }: Verification,
    { event: type, detail }: Move['stopped'],
    at: number,
  ): Promise<string[]> {
    const stopped = await session.query<{ id: string; channel: string }>(stop, {
      ...{ id, channel, detail },
    })
    const events = stopped.map((delivery) => {
      const data = deliveryData({ delivery, detail })
      return { at, appId, type, verificationId: id, data }
    })
    await addEvents(session, events)
    return stopped.map((delivery) => delivery.id)
  }

  async function moved(
    session: Session,
    row: VerificationRow,
    { move, counts, now }: { move: Move; counts: Count[]; now: number },
  ): Promise<Moved> {
    const verification = toVerification(row)
    await enqueue(session, verification, move.delivery)
    // With one channel there is nothing to stop.
    const stopped =
      row.route === null ? [] : await stopOthers(session, verification, move.stopped, now)
    const { appId } = verification
    const undeliverable = { appId, name: 'undeliverable', at: now, by: stopped.length } as const
    await counters.add(session, stopped.length > 0 ? [...counts, undeliverable] : counts)
    return { verification, stopped }
  }

  return {
    async resend(session: Session, command: ResendCommand): Promise<Moved | null> {
      const { delivery, hasNext, stopped, ...rest } = command
      const values = { ...rest, ...toPlace(command) }
      const [row] = await session.query<VerificationRow>(resend, values)
      if (!row) return null
      const { appId, now } = command
      const counts: Count[] = [{ appId, name: 'resends', at: now }]
      return moved(session, row, { move: { delivery, hasNext, stopped }, counts, now })
    },
    async fallBack(session: Session, { move, ...command }: FallBackCommand): Promise<Moved | null> {
      const [row] = move
        ? await session.query<VerificationRow>(fallBack, { ...command, ...toPlace(move) })
        : []
      if (move && row) return moved(session, row, { move, counts: [], now: command.now })
      await session.run(forgetFallBack, command)
      return null
    },
    /** Queues what follows the verification's latest delivery; false where it was not the latest. */
    async follow(
      session: Session,
      { deliveryId: endedId, ...key }: VerificationKey & { deliveryId: string },
      next: Follow,
      now: number,
    ): Promise<boolean> {
      const values = { ...key, ...toPlace(next), endedId, now }
      const [row] = await session.query<VerificationRow>(follow, values)
      if (!row) return false
      await enqueue(session, toVerification(row), next.delivery)
      return true
    },
    /** Verifications whose fall-back is due. */
    async due(query: { now: number; limit: number }): Promise<Verification[]> {
      const rows = await database.read<VerificationRow>(due, query)
      return rows.map(toVerification)
    },
  }
}

function toPlace({ delivery, hasNext }: Follow) {
  return { deliveryId: delivery.id, channel: delivery.channel, hasNext }
}

const move = `channel = $channel, delivery_id = $deliveryId, delivery_status = 'queued',
  delivery_detail = null,
  fall_back_at = case when $hasNext::boolean then $now::bigint + fall_back_ms end`

const resend = `
  update verifications
  set resends_spent = resends_spent + 1, resend_at = $now::bigint + $resendAfterMs::bigint, ${move}
  ${isThis} and ${isPending} and resends_spent < resends_max
    and (resend_at <= $now or resend_at > $now::bigint + $resendAfterMs::bigint + ${lateMs})
  returning ${verificationColumns}`

const fallBack = `
  update verifications set ${move} ${isThis} and ${isPending} and fall_back_at = $fallBackAt
  returning ${verificationColumns}`

const forgetFallBack = `
  update verifications set fall_back_at = null ${isThis} and fall_back_at = $fallBackAt`

const follow = `
  update verifications set ${move} ${isThis} and ${isPending} and delivery_id = $endedId
  returning ${verificationColumns}`

/** Locks in the order of ids, as every transaction does. */
const stop = `
  with others as (
    select id from deliveries
    where verification_id = $id and channel <> $channel and due_at is not null
    order by id for update)
  update deliveries
  set status = 'undeliverable', detail = $detail, due_at = null, leased_by = ''
  where id = any(array(select id from others)) and due_at is not null
  returning id, channel`

/** A time beyond the wait was written by a wrong clock. */
const due = `
  select * from (
    select ${verificationColumns} from verifications
    where fall_back_at is not null and fall_back_at <= $now
    order by fall_back_at limit $limit) as late
  union all select * from (
    select ${verificationColumns} from verifications
    where fall_back_at is not null and fall_back_at - fall_back_ms > $now::bigint + ${lateMs} limit $limit) as far
  limit $limit`

import type { Database } from 'bun:sqlite'
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
import type { Enqueue } from './deliveries.ts'
import type { AddEvent } from './events.ts'
import type { Counters } from './stats.ts'

type Deps = {
  database: Database
  enqueue: Enqueue
  addEvent: AddEvent
  counters: Pick<Counters, 'count'>
}

export type Moves = ReturnType<typeof createMoves>

/** Queues the next delivery of a verification, inside other transactions. */
export function createMoves({ database, enqueue, addEvent, counters }: Deps) {
  const statements = prepare(database)

  /** Ends the deliveries of other channels than the one that the verification has moved to. */
  function stopOthers(
    { id, appId, channel }: Verification,
    { event: type, detail }: Move['stopped'],
    at: number,
  ): string[] {
    const stopped = statements.stop.all({ id, channel, detail })
    for (const delivery of stopped) {
      const data = deliveryData({ delivery, detail })
      addEvent({ at, appId, type, verificationId: id, data })
      counters.count(appId, 'undeliverable', at)
    }
    return stopped.map((delivery) => delivery.id)
  }

  function moved(row: VerificationRow, { delivery, stopped }: Move, now: number): Moved {
    const verification = toVerification(row)
    // With one channel there is nothing to stop.
    const ended = row.route === null ? [] : stopOthers(verification, stopped, now)
    enqueue(verification, delivery)
    return { verification, stopped: ended }
  }

  return {
    resend({ delivery, hasNext, stopped, ...command }: ResendCommand): Moved | null {
      const place = { deliveryId: delivery.id, channel: delivery.channel, hasNext: flag(hasNext) }
      const row = statements.resend.get({ ...command, ...place })
      if (!row) return null
      counters.count(command.appId, 'resends', command.now)
      return moved(row, { delivery, hasNext, stopped }, command.now)
    },
    fallBack({ move, ...command }: FallBackCommand): Moved | null {
      const row = move && statements.fallBack.get({ ...command, ...toPlace(move) })
      if (!move || !row) {
        const { now: _, ...place } = command
        statements.forgetFallBack.run(place)
        return null
      }
      return moved(row, move, command.now)
    },
    /** Queues what follows the verification's latest delivery; false where it was not the latest. */
    follow(
      { deliveryId: endedId, ...key }: VerificationKey & { deliveryId: string },
      follow: Follow,
      now: number,
    ): boolean {
      const row = statements.follow.get({ ...key, ...toPlace(follow), endedId, now })
      if (!row) return false
      enqueue(toVerification(row), follow.delivery)
      return true
    },
    /** Verifications whose fall-back is due. */
    due: (query: { now: number; limit: number }): Verification[] =>
      statements.due.all(query).map(toVerification),
  }
}

function toPlace({ delivery, hasNext }: Follow): Place {
  return { deliveryId: delivery.id, channel: delivery.channel, hasNext: flag(hasNext) }
}

function flag(value: boolean): 0 | 1 {
  return value ? 1 : 0
}

function prepare(database: Database) {
  const move = `channel = $channel, delivery_id = $deliveryId, delivery_status = 'queued',
    delivery_detail = null, fall_back_at = iif($hasNext, $now + fall_back_ms, null)`

  return {
    resend: database.prepare<VerificationRow, Key & Place & { resendAfterMs: number }>(`
      update verifications
      set resends_spent = resends_spent + 1, resend_at = $now + $resendAfterMs, ${move}
      ${isThis} and ${isPending} and resends_spent < resends_max
        and (resend_at <= $now or resend_at > $now + $resendAfterMs + ${lateMs})
      returning ${verificationColumns}`),
    fallBack: database.prepare<VerificationRow, Key & Place & { fallBackAt: number }>(`
      update verifications set ${move} ${isThis} and ${isPending} and fall_back_at = $fallBackAt
      returning ${verificationColumns}`),
    forgetFallBack: database.prepare<null, VerificationKey & { fallBackAt: number }>(`
      update verifications set fall_back_at = null ${isThis} and fall_back_at = $fallBackAt`),
    follow: database.prepare<VerificationRow, Key & Place & { endedId: string }>(`
      update verifications set ${move} ${isThis} and ${isPending} and delivery_id = $endedId
      returning ${verificationColumns}`),
    stop: database.prepare<
      { id: string; channel: string },
      { id: string; channel: string; detail: string }
    >(`
      update deliveries
      set status = 'undeliverable', detail = $detail, due_at = null, leased_by = ''
      where verification_id = $id and channel <> $channel and due_at is not null
      returning id, channel`),
    // A time beyond the wait was written by a wrong clock.
    due: database.prepare<VerificationRow, { now: number; limit: number }>(`
      select * from (
        select ${verificationColumns} from verifications indexed by verifications_to_fall_back
        where fall_back_at is not null and fall_back_at <= $now
        order by fall_back_at limit $limit)
      union all select * from (
        select ${verificationColumns} from verifications indexed by verifications_fall_back_from
        where fall_back_at is not null and fall_back_at - fall_back_ms > $now + ${lateMs} limit $limit)
      limit $limit`),
  }
}

type Key = VerificationKey & { now: number }
type Place = { deliveryId: string; channel: string; hasNext: 0 | 1 }

import type { Database } from 'bun:sqlite'
import type { DeliveryStatus, Try } from '../../domain/delivery/delivery.ts'
import type { SettleCommand } from '../../domain/delivery/stores.ts'
import { deliveryData } from '../../domain/event.ts'
import { tryColumns } from '../delivery-row.ts'
import type { AddEvent } from './events.ts'
import type { Moves } from './moves.ts'
import type { Counters } from './stats.ts'
import type { Suppressions } from './suppressions.ts'

export type TryDeps = {
  database: Database
  moves: Moves
  addEvent: AddEvent
  counters: Pick<Counters, 'count' | 'tried'>
  suppressions: Suppressions
}

/** Ends a try: in the delivery, its verification, its events and statistics. */
export function createSettle(deps: TryDeps, tries: Tries): (command: SettleCommand) => boolean {
  const { database, moves, addEvent, counters, suppressions } = deps
  const statements = prepareSettle(database)

  function settle(command: SettleCommand): boolean {
    const { delivery, made, follow, suppress, now } = command
    countTry(command)
    const open = statements.settle.get(toValues(command))
    if (!open) {
      settleEnded(command)
      return false
    }
    if (made) tries.add(delivery.id, made)
    tell(command, open)
    if (suppress) suppressions.add(delivery, suppress, now)
    if (!follow) return false
    const { id: deliveryId, appId, mode, verificationId: id } = delivery
    return moves.follow({ deliveryId, appId, mode, id }, follow, now)
  }

  function countTry({ delivery: { appId }, counted, now }: SettleCommand): void {
    if (counted === null) return
    const { endpointId, isRefusal } = counted
    if (isRefusal) suppressions.refused({ appId, endpointId, tries: 1 }, now)
    else counters.tried(appId, endpointId, now)
  }

  /** A delivery that ended during its try stays ended, but shows that it was sent. */
  function settleEnded(command: SettleCommand): void {
    const { delivery, made } = command
    const ended = statements.ended.get({ id: delivery.id, ...keyOf(delivery) })
    if (!ended || !made) return
    tries.add(delivery.id, made)
    // A gateway may have reported that it arrived before its answer was written.
    const isNews = command.status === 'sent' && !['sent', 'delivered'].includes(ended.status)
    const { status, detail } = isNews ? command : ended
    statements.count.run({ id: delivery.id, status, detail })
    if (isNews) tell(command, ended)
  }

  function tell(command: SettleCommand, { channel }: { channel: string }): void {
    const { delivery, made, status, detail, event, now } = command
    const { id, appId, verificationId } = delivery
    statements.tell.run({ id, status, detail, ...keyOf(delivery) })
    const about = { delivery: { id, channel }, detail, cause: made?.cause, code: made?.code }
    const data = deliveryData(about)
    addEvent({ at: now, appId, type: event, verificationId, data })
    if (status !== 'queued') counters.count(appId, status, now)
  }

  return settle
}

function toValues({ delivery, made, status, detail, again, now }: SettleCommand): Settled {
  return {
    id: delivery.id,
    ...keyOf(delivery),
    made: made ? 1 : 0,
    status,
    detail,
    endpointId: again ? (again.endpointId ?? '') : null,
    tryAt: again?.at ?? now,
    dueAt: again ? (again.lease?.until ?? again.at) : null,
    leasedBy: again?.lease?.node ?? '',
  }
}

function keyOf({ appId, mode, verificationId }: SettleCommand['delivery']): Key {
  return { appId, mode, verificationId }
}

function prepareSettle(database: Database) {
  const isThis = `id = $id and app_id = $appId and mode = $mode
    and verification_id = $verificationId`
  const isVerification = 'id = $verificationId and app_id = $appId and mode = $mode'

  return {
    settle: database.prepare<{ channel: string }, Settled>(`
      update deliveries set status = $status, detail = $detail, tries = tries + $made,
        endpoint_id = ifnull($endpointId, endpoint_id), try_at = $tryAt, due_at = $dueAt,
        leased_by = $leasedBy
      where ${isThis} and due_at is not null
      returning channel`),
    ended: database.prepare<
      { status: DeliveryStatus; detail: string | null; channel: string },
      Key & { id: string }
    >(`select status, detail, channel from deliveries where ${isThis} and due_at is null`),
    count: database.prepare<null, { id: string; status: string; detail: string | null }>(`
      update deliveries set tries = tries + 1, status = $status, detail = $detail
      where id = $id`),
    // The verification shows its latest delivery, which the end of an older one must not change.
    tell: database.prepare<null, Key & { id: string; status: string; detail: string | null }>(`
      update verifications set delivery_status = $status, delivery_detail = $detail
      where ${isVerification} and delivery_id = $id`),
  }
}

type Key = Omit<SettleCommand['delivery'], 'id'>
type Settled = Key & {
  id: string
  made: 0 | 1
  status: DeliveryStatus
  detail: string | null
  endpointId: string | null
  tryAt: number
  dueAt: number | null
  leasedBy: string
}

type Tries = ReturnType<typeof createTries>

/** Reads and writes the tries of deliveries. */
export function createTries(database: Database) {
  const insert = database.prepare<null, TryRow & { id: string }>(`
    insert into delivery_tries (delivery_id, number, endpoint_id, at, took_ms, status,
      cause, ambiguous, code, detail, remote_id)
    values ($id, $number, $endpointId, $at, $tookMs, $status, $cause, $ambiguous, $code, $detail,
      $remoteId) on conflict (delivery_id, number) do nothing`)
  const last = database.prepare<{ number: number }, { id: string }>(
    'select max(number) as number from delivery_tries where delivery_id = $id',
  )
  const of = database.prepare<TryRow, { id: string }>(`
    select ${tryColumns} from delivery_tries where delivery_id = $id order by number`)

  return {
    add(id: string, made: Try): void {
      const row = { ...made, id, ambiguous: made.ambiguous ? 1 : 0 } as const
      if (insert.run(row).changes > 0) return
      // Two nodes may both have made a first try; each is kept, with its own number.
      insert.run({ ...row, number: (last.get({ id })?.number ?? 0) + 1 })
    },
    of: (id: string): Try[] =>
      of.all({ id }).map((row) => ({ ...row, ambiguous: row.ambiguous === 1 })),
  }
}

type TryRow = Omit<Try, 'ambiguous'> & { ambiguous: 0 | 1 }

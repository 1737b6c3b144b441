import type { DeliveryStatus, Try } from '../../domain/delivery/delivery.ts'
import type { SettleCommand } from '../../domain/delivery/stores.ts'
import { deliveryData } from '../../domain/event.ts'
import { tryColumns } from '../delivery-row.ts'
import type { Database } from './database.ts'
import type { AddEvents, NewEvent } from './events.ts'
import type { Session } from './lanes.ts'
import type { Moves } from './moves.ts'
import type { CountedTries, Counters } from './stats.ts'
import type { Suppressions } from './suppressions.ts'

export type TryDeps = {
  moves: Pick<Moves, 'follow'>
  addEvents: AddEvents
  counters: Counters
  suppressions: Suppressions
}

/**
 * Ends tries, each of another delivery: in the deliveries, their verifications, their events and
 * statistics. Answers for each whether its following delivery was queued.
 */
export type Settle = (session: Session, commands: SettleCommand[]) => Promise<boolean[]>

export function createSettle({ moves, addEvents, counters, suppressions }: TryDeps): Settle {
  async function follow(session: Session, { delivery, follow, now }: SettleCommand) {
    if (!follow) return false
    const { id: deliveryId, appId, mode, verificationId: id } = delivery
    return moves.follow(session, { deliveryId, appId, mode, id }, follow, now)
  }

  async function count(session: Session, commands: SettleCommand[], told: End[]): Promise<void> {
    const counts = told.flatMap(({ command: { delivery, status, now } }) =>
      status === 'queued' ? [] : [{ appId: delivery.appId, name: status, at: now }],
    )
    await counters.add(session, counts)
    // Refusals that suppress are counted one by one below, but their rows are locked in order.
    await counters.addTries(
      session,
      commands.flatMap((command) => {
        const tries = triesOf(command)
        return command.suppress ? tries.map((row) => ({ ...row, tries: 0, refusals: 0 })) : tries
      }),
    )
  }

  async function suppress(session: Session, command: SettleCommand, isOpen: boolean) {
    if (!command.suppress) return
    await counters.addTries(session, triesOf(command))
    if (isOpen) await suppressions.add(session, command.delivery, command.suppress, command.now)
  }

  return async (session, commands) => {
    await suppressions.lock(session, commands)
    const standings = await lock(session, commands)
    const ends = commands.flatMap((command) => endOf(command, standings) ?? [])
    const open = new Set(ends.flatMap(({ wasOpen, command }) => (wasOpen ? [command] : [])))
    const told = ends.filter(({ isTold }) => isTold)
    await write(session, endDeliveries, ends.map(toRow))
    await write(session, insertTries, ends.flatMap(toTryRow))
    await write(session, tellVerifications, told.map(toRow))
    const followed: boolean[] = []
    for (const command of commands) {
      followed.push(open.has(command) && (await follow(session, command)))
    }
    await addEvents(session, told.map(toEvent))
    await count(session, commands, told)
    for (const command of commands) await suppress(session, command, open.has(command))
    return followed
  }
}

/** A delivery as it is when its try ends. */
type Standing = {
  id: string
  status: DeliveryStatus
  detail: string | null
  channel: string
  isOpen: boolean
}

/** What the end of a try changes. */
type End = {
  command: SettleCommand
  channel: string
  status: DeliveryStatus
  detail: string | null
  wasOpen: boolean
  /** Shown by the verification, with an event. */
  isTold: boolean
}

/** Locks the verifications, then their deliveries, each in the order of ids. */
async function lock(session: Session, commands: SettleCommand[]): Promise<Map<string, Standing>> {
  const deliveries = commands.map(({ delivery }) => delivery)
  await session.run(lockVerifications, {
    ids: deliveries.map(({ verificationId }) => verificationId),
  })
  const rows = JSON.stringify(deliveries)
  const standings = await session.query<Standing>(lockDeliveries, { rows })
  return new Map(standings.map((standing) => [standing.id, standing]))
}

/** A delivery that ended during its try stays ended, but shows that it was sent. */
function endOf(command: SettleCommand, standings: Map<string, Standing>): End | null {
  const standing = standings.get(command.delivery.id)
  if (!standing) return null
  const { channel, isOpen: wasOpen } = standing
  if (wasOpen) {
    const { status, detail } = command
    return { command, channel, status, detail, wasOpen, isTold: true }
  }
  if (!command.made) return null
  // A gateway may have reported that it arrived before its answer was written.
  const isTold = command.status === 'sent' && !['sent', 'delivered'].includes(standing.status)
  const { status, detail } = isTold ? command : standing
  return { command, channel, status, detail, wasOpen, isTold }
}

async function write(session: Session, statement: string, rows: unknown[]): Promise<void> {
  if (rows.length > 0) await session.run(statement, { rows: JSON.stringify(rows) })
}

function toRow({ command, status, detail, wasOpen }: End) {
  const { delivery, made, again, now } = command
  const next = wasOpen ? again : null
  return {
    ...delivery,
    ...{ status, detail, made: made ? 1 : 0 },
    endpointId: next ? (next.endpointId ?? '') : null,
    tryAt: wasOpen ? (next?.at ?? now) : null,
    dueAt: next ? (next.lease?.until ?? next.at) : null,
    leasedBy: next?.lease?.node ?? '',
  }
}

function toTryRow({ command: { delivery, made } }: End) {
  return made ? [{ ...made, id: delivery.id }] : []
}

function toEvent({ command, channel, detail }: End): NewEvent {
  const { delivery, made, event: type, now: at } = command
  const { id, appId, verificationId } = delivery
  const about = { delivery: { id, channel }, detail, cause: made?.cause, code: made?.code }
  return { at, appId, type, verificationId, data: deliveryData(about) }
}

function triesOf({ delivery: { appId }, counted, now: at }: SettleCommand): CountedTries[] {
  if (counted === null) return []
  const { endpointId, isRefusal } = counted
  return [{ appId, endpointId, at, tries: 1, refusals: isRefusal ? 1 : 0 }]
}

const lockVerifications = `
  select id from verifications where id = any($ids::text[]) order by id for update`

const lockDeliveries = `
  select id, status, detail, channel, due_at is not null as is_open from deliveries
  where (id, app_id, mode, verification_id) in (
    select id, "appId", mode, "verificationId" from jsonb_to_recordset($rows::jsonb)
      as settled (id text, "appId" text, mode text, "verificationId" text))
  order by id for update of deliveries`

const endDeliveries = `
  update deliveries set status = ended.status, detail = ended.detail,
    tries = deliveries.tries + ended.made,
    endpoint_id = coalesce(ended."endpointId", deliveries.endpoint_id),
    try_at = coalesce(ended."tryAt", deliveries.try_at), due_at = ended."dueAt",
    leased_by = ended."leasedBy"
  from jsonb_to_recordset($rows::jsonb) as ended (id text, status text, detail text, made bigint,
    "endpointId" text, "tryAt" bigint, "dueAt" bigint, "leasedBy" text)
  where deliveries.id = ended.id`

/** Two nodes may both have made a first try; each is kept, with its own number. */
const insertTries = `
  insert into delivery_tries (delivery_id, number, endpoint_id, at, took_ms, status, cause,
    ambiguous, code, detail, remote_id)
  select made.id, case when last.number >= made.number then last.number + 1 else made.number end,
    "endpointId", at, "tookMs", status, cause, ambiguous, code, detail, "remoteId"
  from jsonb_to_recordset($rows::jsonb) as made (id text, number bigint, "endpointId" text,
    at bigint, "tookMs" bigint, status text, cause text, ambiguous boolean, code text,
    detail text, "remoteId" text)
  left join lateral (
    select max(number) as number from delivery_tries where delivery_id = made.id) as last on true`

/** The verification shows its latest delivery, which the end of an older one must not change. */
const tellVerifications = `
  update verifications set delivery_status = told.status, delivery_detail = told.detail
  from jsonb_to_recordset($rows::jsonb) as told (id text, "appId" text, mode text,
    "verificationId" text, status text, detail text)
  where verifications.id = told."verificationId" and app_id = told."appId"
    and verifications.mode = told.mode and delivery_id = told.id`

/** The tries of these deliveries, oldest first. */
export async function triesBy(
  { read }: Pick<Database, 'read'>,
  ids: string[],
): Promise<Map<string, Try[]>> {
  const rows = await read<Try & { deliveryId: string }>(
    `select delivery_id, ${tryColumns} from delivery_tries
    where delivery_id = any($ids::text[]) order by delivery_id, number`,
    { ids },
  )
  const byDelivery = Map.groupBy(rows, ({ deliveryId }) => deliveryId)
  return new Map(
    [...byDelivery].map(([id, tries]) => [id, tries.map(({ deliveryId: _, ...made }) => made)]),
  )
}

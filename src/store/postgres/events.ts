import type { Event } from '../../domain/event.ts'
import type { EventStore } from '../../domain/stores.ts'
import { toldAs } from '../../domain/webhook/webhook.ts'
import { readCursor, toPage } from '../page.ts'
import { ofVerification } from '../story-events.ts'
import { createBatch } from './batch.ts'
import { only } from './database.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

export type NewEvent = Omit<Event, 'id'>

/** Writes events inside another noun's transaction, in their order. */
export type AddEvents = (session: Session, events: NewEvent[]) => Promise<void>

/** Writes what webhooks are told of events, in their transaction. */
export type Tell = (session: Session, events: Event[]) => Promise<void>

/** `tell` gets the events whose type a webhook of their app is told of. */
export function createAddEvents({ tell }: { tell: Tell }): AddEvents {
  return async (session, events) => {
    if (events.length === 0) return
    const rows = events.map(({ data, ...event }) => {
      return { ...event, toldAs: toldAs[event.type], data: JSON.stringify(data) }
    })
    const { ids, told } = only(await session.query<Added>(insert, { events: JSON.stringify(rows) }))
    const added = events.map((event, index): Event => ({ ...event, id: ids[index] ?? 0 }))
    const wanted = new Set(told ?? [])
    if (wanted.size > 0)
      await tell(
        session,
        added.filter((_, index) => wanted.has(index + 1)),
      )
  }
}

/** `told`: the places, from 1 on, of the events that are told; null for none. */
type Added = { ids: number[]; told: number[] | null }

const insert = `
  with new as materialized (
    select * from rows from (jsonb_to_recordset($events::jsonb) as (at bigint, "appId" text,
      type text, "verificationId" text, data text, "toldAs" text)) with ordinality),
  added as (
    insert into events (at, app_id, type, verification_id, data)
    select at, "appId", type, "verificationId", data from new order by ordinality
    returning id)
  select (select json_agg(id order by id) from added) as ids,
    (select json_agg(ordinality) from new where exists (
      select from webhooks where app_id = "appId" and types::jsonb ? "toldAs")) as told`

/** The most events that come one by one and are written in one transaction. */
const batchMax = 500

/**
 * Events are listed backwards only. An id is taken before the commit, so a smaller one may appear after
 * a greater one; whoever followed the ids forwards would miss it.
 */
export function createEventStore(
  { database, timers }: Pick<Parts, 'database' | 'timers'>,
  addEvents: AddEvents,
): EventStore {
  let count = 0
  const add = createBatch<{ event: NewEvent; place: number }, null>({
    timers,
    keyOf: ({ place }) => String(place).padStart(16, '0'),
    max: batchMax,
    atOnce: 1,
    run: (added) =>
      database.transaction(async (session) => {
        await addEvents(
          session,
          added.map(({ event }) => event),
        )
        return added.map(() => null)
      }),
  })

  return {
    async list({ appId, type, limit, cursor }) {
      const rows = await database.read<EventRow>(
        `
        select ${columns} from events
        where id < $before
          ${appId === null ? '' : 'and app_id = $appId'}
          ${type === null ? '' : 'and type = $type'}
        order by id desc limit $limit`,
        { appId, type, before: readCursor(cursor), limit: limit + 1 },
      )
      return toPage(rows.map(toEvent), limit)
    },
    async ofVerification(key) {
      const text = `select ${columns} from events ${ofVerification}`
      return (await database.read<EventRow>(text, key)).map(toEvent)
    },
    add: async (event) => void (await add({ event, place: count++ })),
  }
}

const columns = 'id, at, app_id, type, verification_id, data'

function toEvent(row: EventRow): Event {
  return { ...row, data: JSON.parse(row.data) }
}

type EventRow = Omit<Event, 'data'> & { data: string }

import type { Event } from '../../domain/event.ts'
import type { EventStore } from '../../domain/stores.ts'
import { readCursor, toPage } from '../page.ts'
import { createBatch } from './batch.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

export type NewEvent = Omit<Event, 'id'>

/** Writes events inside another noun's transaction, in their order. */
export type AddEvents = (session: Session, events: NewEvent[]) => Promise<void>

/** Writes what webhooks are told of events, in their transaction. */
export type Tell = (session: Session, events: Event[]) => Promise<void>

export function createAddEvents({ tell }: { tell: Tell }): AddEvents {
  return async (session, events) => {
    if (events.length === 0) return
    const rows = await session.query<{ id: number }>(insert, {
      events: JSON.stringify(
        events.map((event) => ({ ...event, data: JSON.stringify(event.data) })),
      ),
    })
    const ids = rows.map(({ id }) => id).sort((a, b) => a - b)
    await tell(
      session,
      events.map((event, index) => ({ ...event, id: Number(ids[index]) })),
    )
  }
}

const insert = `
  insert into events (at, app_id, type, verification_id, data)
  select at, "appId", type, "verificationId", data
  from rows from (jsonb_to_recordset($events::jsonb) as
    (at bigint, "appId" text, type text, "verificationId" text, data text)) with ordinality
  order by ordinality returning id`

/** Events that come one by one and are written in one transaction. */
const batchMax = 500

/**
 * Events are listed backwards only. An id is taken before the commit, so a smaller one may appear after
 * a greater one; whoever followed the ids forwards would miss it.
 */
export function createEventStore({ database, timers }: Parts, addEvents: AddEvents): EventStore {
  let count = 0
  const add = createBatch<NewEvent & { place: string }, void>({
    timers,
    keyOf: ({ place }) => place,
    max: batchMax,
    atOnce: 1,
    run: (events) =>
      database.transaction(async (session) => {
        await addEvents(
          session,
          events.map(({ place: _, ...event }) => event),
        )
        return events.map(() => undefined)
      }),
  })

  return {
    async list({ appId, type, limit, cursor }) {
      const rows = await database.read<EventRow>(
        `select id, at, app_id, type, verification_id, data from events
        where id < $before
          ${appId === null ? '' : 'and app_id = $appId'}
          ${type === null ? '' : 'and type = $type'}
        order by id desc limit $limit`,
        { appId, type, before: readCursor(cursor), limit: limit + 1 },
      )
      return toPage(
        rows.map((row): Event => ({ ...row, data: JSON.parse(row.data) })),
        limit,
      )
    },
    add: (event) => add({ ...event, place: String(count++).padStart(16, '0') }),
  }
}

type EventRow = Omit<Event, 'data'> & { data: string }

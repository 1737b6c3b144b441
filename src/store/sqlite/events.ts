import type { Database } from 'bun:sqlite'
import type { Event } from '../../domain/event.ts'
import type { EventStore } from '../../domain/stores.ts'
import { readCursor, toPage } from '../page.ts'
import { ofVerification } from '../story-events.ts'
import type { Parts } from './parts.ts'
import type { Tell } from './tell.ts'

/** Writes an event inside another noun's transaction. */
export type AddEvent = (event: Omit<Event, 'id'>) => void

/** `tell` writes what webhooks are told of it. */
export function createAddEvent(database: Database, tell: Tell): AddEvent {
  const insert = database.prepare<null, Omit<Event, 'id' | 'data'> & { data: string }>(`
    insert into events (at, app_id, type, verification_id, data)
    values ($at, $appId, $type, $verificationId, $data)`)
  return (event) => {
    const { at, appId, type, verificationId } = event
    const data = JSON.stringify(event.data)
    const { lastInsertRowid } = insert.run({ at, appId, type, verificationId, data })
    tell(event, Number(lastInsertRowid))
  }
}

export function createEventStore({ database, read, write }: Parts, addEvent: AddEvent): EventStore {
  return {
    list: ({ appId, type, limit, cursor }) =>
      read(() => {
        const rows = database
          .query<EventRow, Record<string, string | number>>(`
            select ${columns} from events where id < $before
              ${appId === null ? '' : 'and app_id = $appId'}
              ${type === null ? '' : 'and type = $type'}
            order by id desc limit $limit`)
          .all({
            before: readCursor(cursor),
            limit: limit + 1,
            ...(appId !== null && { appId }),
            ...(type !== null && { type }),
          })
        return toPage(rows.map(toEvent), limit)
      }),
    ofVerification: (key) =>
      read(() =>
        database
          .query<EventRow, typeof key>(`select ${columns} from events ${ofVerification}`)
          .all(key)
          .map(toEvent),
      ),
    add: (event) => write(() => addEvent(event)),
  }
}

const columns = 'id, at, app_id as appId, type, verification_id as verificationId, data'

function toEvent(row: EventRow): Event {
  return { ...row, data: JSON.parse(row.data) }
}

type EventRow = Omit<Event, 'data'> & { data: string }

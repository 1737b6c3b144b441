import type { Database } from 'bun:sqlite'
import type { Alarm, AlarmPlace } from '../../domain/alarm.ts'
import type { AlarmChange, AlarmStore } from '../../domain/stores.ts'
import { readCursor, toPage } from '../page.ts'
import type { AppCache } from './apps.ts'
import type { AddEvent } from './events.ts'
import type { Parts } from './parts.ts'

/** Turns alarms on and off inside a transaction; false where nothing changed. */
export type AlarmRows = Record<'raise' | 'clear', (command: AlarmChange) => boolean>

type Deps = {
  database: Database
  addEvent: AddEvent
  cache: Pick<AppCache, 'forget'>
}

export function createAlarmRows({ database, addEvent, cache }: Deps): AlarmRows {
  const raise = database.prepare<null, AlarmPlace & { now: number }>(`
    insert into alarms (kind, app_id, endpoint_id, since)
    values ($kind, $appId, $endpointId, $now) on conflict do nothing`)
  const clear = database.prepare<null, AlarmPlace & { now: number }>(`
    update alarms set until = $now
    where kind = $kind and ifnull(app_id, '') = ifnull($appId, '')
      and ifnull(endpoint_id, '') = ifnull($endpointId, '') and until is null`)

  /** Writes an event only for a change, and drops cached apps, which contain their alarm. */
  const change = (statement: typeof raise, command: AlarmChange) => {
    const { kind, appId, endpointId, now, event: type, data } = command
    if (statement.run({ kind, appId, endpointId, now }).changes === 0) return false
    addEvent({ at: now, appId, type, verificationId: null, data })
    cache.forget()
    return true
  }
  return {
    raise: (command) => change(raise, command),
    clear: (command) => change(clear, command),
  }
}

export function createAlarmStore({ database, read, write }: Parts, rows: AlarmRows): AlarmStore {
  return {
    raise: (command) => write(() => rows.raise(command)),
    clear: (command) => write(() => rows.clear(command)),
    list: ({ appId, open, limit, cursor }) =>
      read(() => {
        const rows = database
          .query<Alarm, Record<string, string | number>>(`
            select id, kind, app_id as appId, endpoint_id as endpointId, since, until
            from alarms where id < $before
              ${appId === null ? '' : 'and app_id = $appId'} ${open ? 'and until is null' : ''}
            order by id desc limit $limit`)
          .all({
            before: readCursor(cursor),
            limit: limit + 1,
            ...(appId !== null && { appId }),
          })
        return toPage(rows, limit)
      }),
  }
}

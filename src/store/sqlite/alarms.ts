import type { Alarm, AlarmPlace } from '../../domain/alarm.ts'
import type { AlarmChange, AlarmStore } from '../../domain/stores.ts'
import type { AppCache } from './apps.ts'
import type { AddEvent } from './events.ts'
import { readCursor, toPage } from './page.ts'
import type { Parts } from './parts.ts'

type Deps = Parts & { addEvent: AddEvent; cache: Pick<AppCache, 'forget'> }

export function createAlarmStore({ database, read, write, addEvent, cache }: Deps): AlarmStore {
  const raise = database.prepare<null, AlarmPlace & { now: number }>(`
    insert into alarms (kind, app_id, endpoint_id, since)
    values ($kind, $appId, $endpointId, $now) on conflict do nothing`)
  const clear = database.prepare<null, AlarmPlace & { now: number }>(`
    update alarms set until = $now
    where kind = $kind and ifnull(app_id, '') = ifnull($appId, '')
      and ifnull(endpoint_id, '') = ifnull($endpointId, '') and until is null`)

  /** Writes an event only for a change, and drops cached apps, which contain their alarm. */
  const change = (statement: typeof raise, command: AlarmChange) =>
    write(() => {
      if (statement.run(command).changes === 0) return false
      const { appId, now: at, event: type, data } = command
      addEvent({ at, appId, type, verificationId: null, data })
      cache.forget()
      return true
    })

  return {
    raise: (command) => change(raise, command),
    clear: (command) => change(clear, command),
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

import type { Alarm } from '../../domain/alarm.ts'
import type { AlarmChange, AlarmStore } from '../../domain/stores.ts'
import { readCursor, toPage } from '../page.ts'
import { touchApp } from './cache.ts'
import type { AddEvents } from './events.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

/** Turns alarms on and off inside a transaction; false where nothing changed. */
export type AlarmRows = Record<
  'raise' | 'clear',
  (session: Session, command: AlarmChange) => Promise<boolean>
>

export function createAlarmRows({ addEvents }: { addEvents: AddEvents }): AlarmRows {
  /** Writes an event only for a change. Apps in memory contain their spray alarm. */
  const changeBy = (statement: string) => async (session: Session, command: AlarmChange) => {
    const { kind, appId, endpointId, now, event: type, data } = command
    const changed = await session.run(statement, { kind, appId, endpointId, now })
    if (changed === 0) return false
    if (kind === 'spray' && appId !== null) await touchApp(session, appId)
    await addEvents(session, [{ at: now, appId, type, verificationId: null, data }])
    return true
  }
  return { raise: changeBy(raise), clear: changeBy(clear) }
}

const raise = `
  insert into alarms (kind, app_id, endpoint_id, since)
  values ($kind, $appId, $endpointId, $now) on conflict do nothing`

const clear = `
  update alarms set until = $now
  where kind = $kind and coalesce(app_id, '') = coalesce($appId::text, '')
    and coalesce(endpoint_id, '') = coalesce($endpointId::text, '') and until is null`

export function createAlarmStore(
  { database }: Pick<Parts, 'database'>,
  rows: AlarmRows,
): AlarmStore {
  return {
    raise: (command) => database.transaction((session) => rows.raise(session, command)),
    clear: (command) => database.transaction((session) => rows.clear(session, command)),
    async list({ appId, open, limit, cursor }) {
      const rows = await database.read<Alarm>(
        `
        select id, kind, app_id, endpoint_id, since, until from alarms
        where id < $before
          ${appId === null ? '' : 'and app_id = $appId'} ${open ? 'and until is null' : ''}
        order by id desc limit $limit`,
        { appId, before: readCursor(cursor), limit: limit + 1 },
      )
      return toPage(rows, limit)
    },
  }
}

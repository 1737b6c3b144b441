import type { Database } from 'bun:sqlite'
import {
  type CounterName,
  counterNames,
  type StatsRow,
  type StatsStore,
} from '../../domain/stores.ts'
import type { Collected } from './group-commit.ts'
import type { Parts } from './parts.ts'

const minuteMs = 60_000

export type Counters = Collected & {
  count(appId: string, name: CounterName, now: number): void
  /** Counts a try through an endpoint whose recipient was not refused. */
  tried(appId: string, endpointId: string, now: number): void
}

type Counted =
  | { appId: string; minute: number; name: CounterName }
  | { appId: string; minute: number; endpointId: string }

/**
 * Counts the operations of a group in memory, and writes the sums by app and minute, those of tries
 * also by endpoint.
 */
export function createCounters(database: Database): Counters {
  const add = database.prepare<null, MinuteRow>(`
    insert into app_minutes (app_id, minute, ${counterNames.join(', ')})
    values ($appId, $minute, ${counterNames.map((name) => `$${name}`).join(', ')})
    on conflict (app_id, minute) do update set
    ${counterNames.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`)
  const addTries = database.prepare<null, TriesRow>(`
    insert into endpoint_minutes (app_id, endpoint_id, minute, tries, refusals)
    values ($appId, $endpointId, $minute, $tries, 0)
    on conflict (app_id, endpoint_id, minute) do update set tries = tries + excluded.tries`)
  const counted: Counted[] = []

  return {
    counted,
    count(appId, name, now) {
      counted.push({ appId, name, minute: Math.floor(now / minuteMs) })
    },
    tried(appId, endpointId, now) {
      counted.push({ appId, endpointId, minute: Math.floor(now / minuteMs) })
    },
    write() {
      const rows = new Map<string, MinuteRow>()
      const tries = new Map<string, TriesRow>()
      for (const one of counted) {
        const { appId, minute } = one
        const key = `${minute} ${appId}`
        if ('name' in one) {
          const row = rows.get(key) ?? { ...noCounts, appId, minute }
          row[one.name] += 1
          rows.set(key, row)
        } else {
          const row = tries.get(key + one.endpointId) ?? { ...one, tries: 0 }
          row.tries += 1
          tries.set(key + one.endpointId, row)
        }
      }
      for (const row of rows.values()) add.run(row)
      for (const row of tries.values()) addTries.run(row)
      counted.length = 0
    },
  }
}

export function createStatsStore({ database, read }: Parts): StatsStore {
  const failures = database.prepare<FailuresRow, { minute: number }>(`
    select app_id, sum(checks) as checks, sum(failures) as failures, max(alarmed) as alarmed
    from (
      select app_id, checks, failures, 0 as alarmed from app_minutes where minute >= $minute
      union all
      select app_id, 0, 0, 1 from alarms
      where kind = 'spray' and until is null and app_id is not null)
    group by app_id having sum(failures) > 0 or max(alarmed) = 1`)

  return {
    read: ({ appId, from, to, bucketMs }) =>
      read(() => {
        const sums = counterNames.map((name) => `sum(${name}) as ${name}`).join(', ')
        return database
          .query<StatsRow, Record<string, string | number>>(`
            select minute * ${minuteMs} / $bucketMs * $bucketMs as at, ${sums} from app_minutes
            where minute >= $from and minute < $to ${appId === null ? '' : 'and app_id = $appId'}
            group by 1 order by 1`)
          .all({
            bucketMs,
            from: Math.floor(from / minuteMs),
            to: Math.ceil(to / minuteMs),
            ...(appId !== null && { appId }),
          })
      }),
    failures: ({ since }) =>
      read(() =>
        failures
          .all({ minute: Math.floor(since / minuteMs) })
          .map(({ app_id: appId, alarmed, ...sums }) => ({
            appId,
            ...sums,
            alarmed: alarmed === 1,
          })),
      ),
  }
}

type MinuteRow = { appId: string; minute: number } & Record<CounterName, number>
type TriesRow = { appId: string; endpointId: string; minute: number; tries: number }
type FailuresRow = { app_id: string; checks: number; failures: number; alarmed: number }

const noCounts = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<
  CounterName,
  number
>

import {
  type AppFailures,
  type CounterName,
  counterNames,
  type StatsRow,
  type StatsStore,
} from '../../domain/stores.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

const minuteMs = 60_000
/** The number of rows that processes count in, for each app and minute. */
export const counterShards = 16

export type Count = { appId: string; name: CounterName; at: number; by?: number }
/** Tries through an endpoint. */
export type CountedTries = {
  appId: string
  endpointId: string
  at: number
  tries: number
  refusals: number
}

/** Both are a transaction's last statements: everything that writes locks these rows. */
export type Counters = ReturnType<typeof createCounters>

/**
 * Counts the operations of a transaction. `shard` is the one of this process, so that processes
 * rarely wait for one another.
 */
export function createCounters(shard: number) {
  return {
    shard,
    async add(session: Session, counts: Count[]): Promise<void> {
      const rows = sumOf(counts)
      if (rows.length === 0) return
      await session.run(addCounts, { shard, rows: JSON.stringify(rows) })
    },
    async addTries(session: Session, counted: CountedTries[]): Promise<void> {
      if (counted.length === 0) return
      const tries = counted.map(({ at, ...row }) => ({ ...row, minute: minuteOf(at) }))
      await session.run(addTries, { tries: JSON.stringify(tries) })
    },
  }
}

const addCounts = `
  insert into app_minutes (app_id, minute, shard, ${counterNames.join(', ')})
  select "appId", minute, $shard::bigint, ${counterNames.join(', ')}
  from jsonb_to_recordset($rows::jsonb)
    as counted ("appId" text, minute bigint, ${counterNames.map((name) => `${name} bigint`).join(', ')})
  order by "appId" collate "C", minute
  on conflict (app_id, minute, shard) do update set
  ${counterNames.map((name) => `${name} = app_minutes.${name} + excluded.${name}`).join(', ')}`

const addTries = `
  insert into endpoint_minutes (app_id, endpoint_id, minute, tries, refusals)
  select "appId", "endpointId", minute, sum(tries), sum(refusals)
  from jsonb_to_recordset($tries::jsonb) as counted
    ("appId" text, "endpointId" text, minute bigint, tries bigint, refusals bigint)
  group by 1, 2, 3 order by "appId" collate "C", "endpointId" collate "C", minute
  on conflict (app_id, endpoint_id, minute) do update set
    tries = endpoint_minutes.tries + excluded.tries,
    refusals = endpoint_minutes.refusals + excluded.refusals`

type MinuteRow = { appId: string; minute: number } & Record<CounterName, number>

function sumOf(counts: Count[]): MinuteRow[] {
  const rows = new Map<string, MinuteRow>()
  for (const { appId, name, at, by = 1 } of counts) {
    const minute = minuteOf(at)
    const key = `${minute} ${appId}`
    const row = rows.get(key) ?? { ...noCounts, appId, minute }
    row[name] += by
    rows.set(key, row)
  }
  return [...rows.values()]
}

const noCounts = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<
  CounterName,
  number
>

function minuteOf(at: number): number {
  return Math.floor(at / minuteMs)
}

export function createStatsStore({ database }: Pick<Parts, 'database'>): StatsStore {
  return {
    read: ({ appId, from, to, bucketMs }) =>
      database.read<StatsRow>(
        `
        select minute * ${minuteMs} / $bucketMs::bigint * $bucketMs::bigint as at,
          ${counterNames.map((name) => `sum(${name})::bigint as ${name}`).join(', ')}
        from app_minutes
        where minute >= $from and minute < $to
          and ($appId::text is null or app_id = $appId::text)
        group by 1 order by 1`,
        { appId, bucketMs, from: minuteOf(from), to: Math.ceil(to / minuteMs) },
      ),
    failures: ({ since }) =>
      database.read<AppFailures>(
        `
        select app_id, sum(checks)::bigint as checks, sum(failures)::bigint as failures,
          bool_or(alarmed) as alarmed
        from (
          select app_id, checks, failures, false as alarmed from app_minutes
          where minute >= $minute
          union all
          select app_id, 0, 0, true from alarms
          where kind = 'spray' and until is null and app_id is not null) as counted
        group by app_id having sum(failures) > 0 or bool_or(alarmed)`,
        { minute: minuteOf(since) },
      ),
  }
}

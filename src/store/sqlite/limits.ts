import type { Database } from 'bun:sqlite'
import type { LimitResult, LimitStore } from '../../domain/stores.ts'
import { type Arrivals, type LimitRow, takeRates } from '../../domain/verification/limits.ts'
import type { Parts } from './parts.ts'

export type StoredLimit = { arrivals: Arrivals; latestId: string | null }
export type LimitRows = ReturnType<typeof createLimitRows>

/** Reads and writes the rows of limits, inside other transactions. */
export function createLimitRows(database: Database) {
  const find = database.prepare<Row, { key: Uint8Array }>(
    'select arrival_1, arrival_2, arrival_3, latest_id from limits where key = $key',
  )
  const set = database.prepare<null, Values>(`
    insert into limits (key, arrival_1, arrival_2, arrival_3, latest_id, kept_until)
    values ($key, $first, $second, $third, $latestId, $keptUntil)
    on conflict (key) do update set arrival_1 = excluded.arrival_1,
      arrival_2 = excluded.arrival_2, arrival_3 = excluded.arrival_3,
      latest_id = excluded.latest_id, kept_until = excluded.kept_until`)

  return {
    find(key: Uint8Array): StoredLimit {
      const row = find.get({ key })
      if (!row) return { arrivals: [], latestId: null }
      return { arrivals: [row.arrival_1, row.arrival_2, row.arrival_3], latestId: row.latest_id }
    },
    /** `keptUntil` is the earliest that the row may be swept. */
    set(key: Uint8Array, { arrivals, latestId }: StoredLimit, keptUntil: number): void {
      const [first = null, second = null, third = null] = arrivals
      set.run({ key, first, second, third, latestId, keptUntil })
    },
  }
}

export function createLimitStore({ database, read, write }: Parts, rows: LimitRows): LimitStore {
  const remember = database.prepare<null, { key: Uint8Array; until: number }>(`
    insert into limits (key, kept_until) values ($key, $until)
    on conflict (key) do update set kept_until = excluded.kept_until`)
  const remembers = database.prepare<
    { found: 1 },
    { key: Uint8Array; now: number; latest: number }
  >(`
    select 1 as found from limits
    where key = $key and kept_until > $now and kept_until <= $latest`)

  function take({ key, rates }: LimitRow, now: number): LimitResult {
    const { arrivals, latestId } = rows.find(key)
    const decision = takeRates(rates, arrivals, now)
    if (!decision.taken) return decision
    rows.set(key, { arrivals: decision.arrivals, latestId }, Math.max(...decision.arrivals))
    return { taken: true }
  }

  return {
    take: (row, now) => write(() => take(row, now), 'start'),
    remember: (key, until) => write(() => void remember.run({ key, until })),
    remembers: ({ key, now, withinMs }) =>
      read(() => remembers.get({ key, now, latest: now + withinMs }) !== null),
  }
}

type Row = {
  arrival_1: number | null
  arrival_2: number | null
  arrival_3: number | null
  latest_id: string | null
}
type Values = {
  key: Uint8Array
  first: number | null
  second: number | null
  third: number | null
  latestId: string | null
  keptUntil: number
}

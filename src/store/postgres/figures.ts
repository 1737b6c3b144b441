import type { FigureKey, Slot } from '../../domain/figures/count.ts'
import type {
  Begun,
  Ended,
  FigureStore,
  KeptState,
  WriteFigures,
} from '../../domain/figures/store.ts'
import { idAt } from '../../domain/id.ts'
import { dayMs } from '../../domain/verification/limits.ts'
import {
  type BegunRow,
  begunColumns,
  type FigureRow,
  figureColumns,
  toBegun,
  toFigure,
  toFigureRow,
} from '../figure-row.ts'
import type { Database } from './database.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

/**
 * Ids are followed forwards here, up to a time that is minutes ago: what was still being committed
 * then, for example because no standby confirmed it, is not counted.
 */
export function createFigureStore({ database }: Pick<Parts, 'database'>): FigureStore {
  return {
    state: async () => (await database.read<KeptState>(state))[0] ?? null,
    async started(query) {
      const rows = await database.read<Row>(started, query)
      return withHandOvers(database, rows)
    },
    ended: (query) => readEnded(database, query),
    of: async (slots) =>
      (await database.read<FigureRow>(of, { slots: JSON.stringify(slots) })).map(toFigure),
    between: async (query) => (await database.read<FigureRow>(between, query)).map(toFigure),
    withRecipients: (query) => database.read<Slot>(withRecipients, query),
    write: (command) => database.transaction((session) => write(session, command)),
  }
}

type Row = Omit<BegunRow, 'handedOverAt'>

const state = `
  select version, after_id as after, after_event, counted_until from figures_state`

const started = `
  select ${begunColumns} from verifications
  where id > $after and id < $before order by id limit $limit`

async function readEnded(
  database: Pick<Database, 'read'>,
  { after, ends, limit }: Parameters<FigureStore['ended']>[0],
): Promise<Ended[]> {
  const told = await database.read<{ id: number; at: number; ended: string | null }>(
    `select id, at, case when type = any($ends::text[]) then verification_id end as ended
    from events where id > $after order by id limit $limit`,
    { after, ends: [...ends], limit },
  )
  const ids = told.flatMap(({ ended }) => ended ?? [])
  const rows = ids.length === 0 ? [] : await database.read<Row>(byId, { ids })
  const found = await withHandOvers(database, rows)
  const byVerification = new Map(found.map((begun) => [begun.id, begun]))
  return told.map(({ id, at, ended }) => {
    return { id, at, verification: (ended && byVerification.get(ended)) || null }
  })
}

const byId = `select ${begunColumns} from verifications where id = any($ids::text[])`

/** A code lives for a day at most, and messages are made while it does. */
const messagesMs = dayMs + 60_000

/** With the time of the first hand-over, from the partitions in which the deliveries may be. */
async function withHandOvers(database: Pick<Database, 'read'>, rows: Row[]): Promise<Begun[]> {
  if (rows.length === 0) return []
  const times = rows.map(({ createdAt }) => createdAt)
  const read = await database.read<{ id: string; at: number }>(handOvers, {
    ids: rows.map(({ id }) => id),
    from: idAt(Math.min(...times) - messagesMs),
    to: idAt(Math.max(...times) + messagesMs),
  })
  const byVerification = new Map(read.map(({ id, at }) => [id, at]))
  return rows.map((row) => toBegun({ ...row, handedOverAt: byVerification.get(row.id) ?? null }))
}

const handOvers = `
  select verification_id as id, min(delivery_tries.at + took_ms) as at
  from deliveries join delivery_tries on delivery_id = deliveries.id
  where verification_id = any($ids::text[]) and deliveries.id >= $from and deliveries.id < $to
    and delivery_id >= $from and delivery_id < $to
    and (delivery_tries.status = 'sent' or ambiguous)
  group by 1`

const of = `
  select ${figureColumns} from figures
  where (app_id, span_ms, at) in (select scope, "spanMs", at
    from jsonb_to_recordset($slots::jsonb) as slot (scope text, "spanMs" bigint, at bigint))`

const between = `
  select ${figureColumns} from figures
  where app_id = $scope and span_ms = $spanMs and at >= $from and at < $to
    and ($part::text is null or part = $part::text)
  order by at, part, value`

const withRecipients = `
  select distinct app_id as scope, span_ms as "spanMs", at from figures
  where recipients is not null and at < $before order by at limit $limit`

/** The row of the state is written first: of two that count at once, the other finds it changed. */
async function write(session: Session, command: WriteFigures): Promise<boolean> {
  const { expectedVersion, figures, removed } = command
  const { after, afterEvent, countedUntil } = command.state
  const values = { after, afterEvent, countedUntil }
  const changed =
    expectedVersion === 0
      ? await session.run(first, values)
      : await session.run(next, { ...values, version: expectedVersion })
  if (changed === 0) return false
  if (removed.length > 0) await session.run(remove, { keys: JSON.stringify(removed.map(keyOf)) })
  if (figures.length > 0) {
    await session.run(replace, { figures: JSON.stringify(figures.map(toFigureRow)) })
  }
  return true
}

function keyOf({ scope, spanMs, at, part, value }: FigureKey): FigureKey {
  return { scope, spanMs, at, part, value }
}

const first = `
  insert into figures_state (id, version, after_id, after_event, counted_until)
  values (1, 1, $after, $afterEvent, $countedUntil) on conflict do nothing`

const next = `
  update figures_state set version = version + 1, after_id = $after, after_event = $afterEvent,
    counted_until = $countedUntil where version = $version`

const key = 'scope text, "spanMs" bigint, at bigint, part text, value text'

const remove = `
  delete from figures using jsonb_to_recordset($keys::jsonb) as old (${key})
  where app_id = old.scope and span_ms = old."spanMs" and figures.at = old.at
    and figures.part = old.part and figures.value = old.value`

const counts = ['started', 'handed_over', 'approved', 'failed']
const texts = ['hand_over_times', 'approval_times', 'recipients']

const replace = `
  insert into figures (app_id, span_ms, at, part, value, ${[...counts, ...texts].join(', ')})
  select scope, "spanMs", at, part, value, started, "handedOver", approved, failed,
    "handOverTimes", "approvalTimes", recipients
  from jsonb_to_recordset($figures::jsonb) as new (${key}, started bigint, "handedOver" bigint,
    approved bigint, failed bigint, "handOverTimes" text, "approvalTimes" text, recipients text)
  where scope = '' or exists (select from apps where id = scope)
  on conflict (app_id, span_ms, at, part, value) do update set
    ${[...counts, ...texts].map((column) => `${column} = excluded.${column}`).join(', ')}`

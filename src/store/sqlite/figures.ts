import type { Database } from 'bun:sqlite'
import type { FigureKey, Slot } from '../../domain/figures/count.ts'
import type { Ended, FigureState, FigureStore, KeptState } from '../../domain/figures/store.ts'
import {
  type BegunRow,
  begunColumns,
  type FigureRow,
  figureColumns,
  toBegun,
  toFigure,
  toFigureRow,
} from '../figure-row.ts'
import type { Parts } from './parts.ts'

export function createFigureStore({ database, read, write }: Parts): FigureStore {
  const reads = prepareReads(database)
  const writes = prepareWrites(database)

  return {
    state: () => read(() => reads.state.get()),
    started: (query) => read(() => reads.started.all(query).map(toBegun)),
    ended: ({ ends, ...query }) =>
      read(() => reads.ended.all({ ...query, ends: JSON.stringify(ends) }).map(toEnded)),
    of: (slots) => read(() => reads.of.all({ slots: JSON.stringify(slots) }).map(toFigure)),
    between: (query) => read(() => reads.between.all(query).map(toFigure)),
    withRecipients: (query) => read(() => reads.withRecipients.all(query)),
    write: ({ expectedVersion, state, figures, removed }) =>
      write(() => {
        const { changes } =
          expectedVersion === 0
            ? writes.first.run(state)
            : writes.next.run({ ...state, version: expectedVersion })
        if (changes === 0) return false
        for (const key of removed) writes.remove.run(keyOf(key))
        for (const figure of figures) writes.replace.run(toFigureRow(figure))
        return true
      }),
  }
}

function keyOf({ scope, spanMs, at, part, value }: FigureKey): FigureKey {
  return { scope, spanMs, at, part, value }
}

type EndedRow = { eventId: number; eventAt: number } & (BegunRow | { id: null })

function toEnded({ eventId: id, eventAt: at, ...row }: EndedRow): Ended {
  return { id, at, verification: row.id === null ? null : toBegun(row) }
}

/** By the index of the verification's deliveries, each with a few tries. */
const handedOverAt = `
  (select min(delivery_tries.at + took_ms) from deliveries
    join delivery_tries on delivery_id = deliveries.id
    where verification_id = verifications.id and (delivery_tries.status = 'sent' or ambiguous = 1)
  ) as handedOverAt`

function prepareReads(database: Database) {
  type Between = Parameters<FigureStore['between']>[0]
  return {
    state: database.prepare<KeptState, []>(`
      select version, after_id as after, after_event as afterEvent, counted_until as countedUntil
      from figures_state`),
    started: database.prepare<BegunRow, { after: string; before: string; limit: number }>(`
      select ${begunColumns}, ${handedOverAt} from verifications
      where id > $after and id < $before order by id limit $limit`),
    // The events are chosen first, so that the limit counts them and not what they are joined with.
    ended: database.prepare<EndedRow, { after: number; ends: string; limit: number }>(`
      select told.id as eventId, told.at as eventAt, ${begunColumns}, ${handedOverAt}
      from (select id, at, verification_id, type in (select value from json_each($ends)) as isEnd
        from events where id > $after order by id limit $limit) as told
      left join verifications on isEnd and verifications.id = told.verification_id
      order by told.id`),
    of: database.prepare<FigureRow, { slots: string }>(`
      select ${figureColumns} from figures
      where (app_id, span_ms, at) in (
        select value ->> 'scope', value ->> 'spanMs', value ->> 'at' from json_each($slots))`),
    between: database.prepare<FigureRow, Between>(`
      select ${figureColumns} from figures
      where app_id = $scope and span_ms = $spanMs and at >= $from and at < $to
        and ($part is null or part = $part)
      order by at, part, value`),
    withRecipients: database.prepare<Slot, { before: number; limit: number }>(`
      select distinct app_id as scope, span_ms as spanMs, at from figures
      where recipients is not null and at < $before order by at limit $limit`),
  }
}

function prepareWrites(database: Database) {
  return {
    first: database.prepare<null, FigureState>(`
      insert into figures_state (id, version, after_id, after_event, counted_until)
      values (1, 1, $after, $afterEvent, $countedUntil) on conflict do nothing`),
    next: database.prepare<null, FigureState & { version: number }>(`
      update figures_state set version = version + 1, after_id = $after, after_event = $afterEvent,
        counted_until = $countedUntil where version = $version`),
    remove: database.prepare<null, FigureKey>(`
      delete from figures where app_id = $scope and span_ms = $spanMs and at = $at
        and part = $part and value = $value`),
    replace: database.prepare<null, FigureRow>(`
      insert or replace into figures (app_id, span_ms, at, part, value, started, handed_over,
        approved, failed, hand_over_times, approval_times, recipients)
      select $scope, $spanMs, $at, $part, $value, $started, $handedOver, $approved, $failed,
        $handOverTimes, $approvalTimes, $recipients
      where $scope = '' or exists (select 1 from apps where id = $scope)`),
  }
}

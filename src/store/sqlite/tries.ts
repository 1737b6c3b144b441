import type { Database } from 'bun:sqlite'
import type { Try } from '../../domain/delivery/delivery.ts'

export type Tries = ReturnType<typeof createTries>

/** Reads and writes the tries of deliveries. */
export function createTries(database: Database) {
  const insert = database.prepare<null, TryRow & { id: string }>(`
    insert into delivery_tries (delivery_id, number, endpoint_id, at, took_ms, status,
      cause, ambiguous, code, detail, remote_id)
    values ($id, $number, $endpointId, $at, $tookMs, $status, $cause, $ambiguous, $code, $detail,
      $remoteId) on conflict (delivery_id, number) do nothing`)
  const last = database.prepare<{ number: number }, { id: string }>(
    'select max(number) as number from delivery_tries where delivery_id = $id',
  )
  const of = database.prepare<TryRow, { id: string }>(`
    select number, endpoint_id as endpointId, at, took_ms as tookMs, status, cause, ambiguous, code,
      detail, remote_id as remoteId
    from delivery_tries where delivery_id = $id order by number`)

  return {
    add(id: string, made: Try): void {
      const row = { ...made, id, ambiguous: made.ambiguous ? 1 : 0 } as const
      if (insert.run(row).changes > 0) return
      // Two nodes may both have made a first try; each is kept, with its own number.
      insert.run({ ...row, number: (last.get({ id })?.number ?? 0) + 1 })
    },
    of: (id: string): Try[] =>
      of.all({ id }).map((row) => ({ ...row, ambiguous: row.ambiguous === 1 })),
  }
}

type TryRow = Omit<Try, 'ambiguous'> & { ambiguous: 0 | 1 }

import type { Database } from 'bun:sqlite'
import type { Try } from '../../domain/delivery/delivery.ts'

export type Tries = ReturnType<typeof createTries>

/** Reads and writes the tries of deliveries. */
export function createTries(database: Database) {
  // Two nodes may both have made a first try; each is kept, with its own number.
  const insert = database.prepare<null, Omit<Try, 'ambiguous'> & { id: string; ambiguous: 0 | 1 }>(`
    insert into delivery_tries (delivery_id, number, endpoint_id, at, took_ms, status, cause,
      ambiguous, code, detail, remote_id)
    values ($id,
      max($number, (select ifnull(max(number), 0) + 1 from delivery_tries where delivery_id = $id)),
      $endpointId, $at, $tookMs, $status, $cause, $ambiguous, $code, $detail, $remoteId)`)
  const of = database.prepare<TryRow, { id: string }>(
    'select * from delivery_tries where delivery_id = $id order by number',
  )

  return {
    add(id: string, made: Try): void {
      insert.run({ ...made, id, ambiguous: made.ambiguous ? 1 : 0 })
    },
    of: (id: string): Try[] => of.all({ id }).map(toTry),
  }
}

type TryRow = Pick<Try, 'number' | 'at' | 'status' | 'cause' | 'code' | 'detail'> & {
  endpoint_id: string | null
  took_ms: number
  ambiguous: 0 | 1
  remote_id: string | null
}

function toTry(row: TryRow): Try {
  return {
    number: row.number,
    endpointId: row.endpoint_id,
    at: row.at,
    tookMs: row.took_ms,
    status: row.status,
    cause: row.cause,
    ambiguous: row.ambiguous === 1,
    code: row.code,
    detail: row.detail,
    remoteId: row.remote_id,
  }
}

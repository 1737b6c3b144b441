/**
 * How far a move has come, in the fact `move` of either database. The old one is `copying` while it
 * is served as always and its changes are written down; `frozen` while it refuses every write and
 * nothing serves the new one; `handed` from when the new one may be served, and `moved` once that is
 * certain. The new one is `arriving`, and then `arrived`.
 */
export type MoveState = 'copying' | 'frozen' | 'handed' | 'moved' | 'arriving' | 'arrived'

/** `place` is the other database, without secrets. */
export type Mark = { id: string; state: MoveState; place: string; since: number }

export const moveFact = 'move'

export function parseMark(value: Uint8Array): Mark {
  return JSON.parse(Buffer.from(value).toString())
}

export function markBytes(mark: Mark): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(mark))
}

/** Whether the database must not be served. */
export function isClosed({ state }: Mark): boolean {
  return state !== 'copying' && state !== 'arrived'
}

import type { Page } from '../../domain/stores.ts'

/** A page of `limit` items from rows with one more, which shows whether more follow. */
export function toPage<Row, Item>(
  rows: Row[],
  limit: number,
  place: (row: Row) => number | string,
  toItem: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = rows.length > limit && last !== undefined
  return { items: shown.map(toItem), nextCursor: hasMore ? String(place(last)) : null }
}

/** The number in a cursor; the first page for anything else. */
export function readCursor(cursor: string | null): number {
  const value = cursor === null ? Number.NaN : Number(cursor)
  return Number.isSafeInteger(value) && value > 0 ? value : Number.MAX_SAFE_INTEGER
}

import type { Page } from '../domain/stores.ts'

/** A page of `limit` items, given one more, which shows whether more follow; the cursor is an id. */
export function toPage<Item extends { id: number | string }>(
  items: Item[],
  limit: number,
): Page<Item> {
  const shown = items.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = items.length > limit && last !== undefined
  return { items: shown, nextCursor: hasMore ? String(last.id) : null }
}

/** The number in a cursor; the first page for anything else. */
export function readCursor(cursor: string | null): number {
  const value = cursor === null ? Number.NaN : Number(cursor)
  return Number.isSafeInteger(value) && value > 0 ? value : Number.MAX_SAFE_INTEGER
}

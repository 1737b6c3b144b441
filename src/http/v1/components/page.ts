import { type TSchema, t } from 'elysia'
import { cursorPatterns } from '../../core/patterns.ts'
import { integer, nullable, object, output, shaped } from '../../core/schema.ts'

export const limitField = t.Optional(integer(1, 100, 'How many at most (default 20).'))

/** The `next_cursor` of the previous page; any other text is refused. */
export function cursorField(kind: keyof typeof cursorPatterns) {
  const reason = 'must be the next_cursor of the page before'
  return t.Optional(shaped(cursorPatterns[kind], reason, 'The `next_cursor` of the previous page.'))
}

/** The query of a list. */
export function pageQuery<Fields extends Record<string, TSchema>>(
  cursor: keyof typeof cursorPatterns,
  fields: Fields,
) {
  return object({ ...fields, limit: limitField, cursor: cursorField(cursor) })
}

/** One page of such items. */
export function pageOf<Item extends TSchema>(name: string, item: Item) {
  return output(name, {
    items: t.Array(item),
    next_cursor: nullable(t.String(), 'Null on the last page.'),
  })
}

/** A page as it is answered. */
export function presentPage<From, To>(
  { items, nextCursor }: { items: From[]; nextCursor: string | null },
  present: (item: From) => To,
) {
  return { items: items.map(present), next_cursor: nextCursor }
}

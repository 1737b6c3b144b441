import { type Digest, emptyDigest, isEqual, plus, type Row } from './cells.ts'
import { type Context, Unequal } from './context.ts'
import type { Progress } from './postgres-place.ts'
import type { Shape } from './shapes.ts'
import { keyOf } from './sqlite-rows.ts'
import { pageRows } from './tables.ts'

export type Page = {
  rows: Row[]
  /** The key that it begins after, and the one that it ends with; null for no bound. */
  after: Row | null
  upTo: Row | null
  isLast: boolean
}

/** A page of a table by its rows; the last one reaches to the end of all keys. */
export function pageOf(shape: Shape, after: Row | null, rows: Row[]): Page {
  const last = rows.at(-1)
  const isLast = !last || rows.length < (shape.page ?? pageRows)
  return { rows, after, upTo: isLast ? null : keyOf(shape, last), isLast }
}

/** Compares a table page by page. Throws `Unequal`. */
export async function compareTable(context: Context, shape: Shape): Promise<Digest> {
  const { sqlite, postgres, onStep } = context
  const total = sqlite.count(shape)
  let after: Row | null = null
  let sum = emptyDigest
  for (;;) {
    onStep({ phase: 'compare', table: shape.name, done: sum.rows, total })
    const page: Page = pageOf(shape, after, sqlite.page(shape, after))
    const asked = postgres.digest(shape, after, page.upTo)
    const digest = sqlite.digest(shape, page.rows)
    if (!isEqual(digest, await asked)) throw new Unequal(shape.name)
    sum = plus(sum, digest)
    if (page.isLast) return sum
    after = page.upTo
  }
}

type Copying = {
  shape: Shape
  from: Progress
  total: number
  read(after: Row | null): Promise<Row[]> | Row[]
  /** Writes a page and how far it reaches in one transaction. */
  write(page: Page, progress: Progress): Promise<void>
}

/** Copies a table page by page, from where an earlier run has come. */
export async function copyTable(
  { onStep }: Pick<Context, 'onStep'>,
  { shape, from, total, read, write }: Copying,
): Promise<void> {
  let progress = from
  while (!progress.isDone) {
    onStep({ phase: 'copy', table: shape.name, done: progress.rows, total })
    const page = pageOf(shape, progress.after, await read(progress.after))
    const rows = progress.rows + page.rows.length
    progress = { after: page.upTo, rows, isDone: page.isLast }
    await write(page, progress)
  }
  onStep({ phase: 'copy', table: shape.name, done: progress.rows, total: progress.rows })
}

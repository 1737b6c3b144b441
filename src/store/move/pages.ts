import { type Digest, emptyDigest, isEqual, plus, type Row } from './cells.ts'
import { type Context, createMeter, type Meter, Unequal } from './context.ts'
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
export async function compareTable(
  { sqlite, postgres }: Pick<Context, 'sqlite' | 'postgres'>,
  shape: Shape,
  meter: Meter,
): Promise<Digest> {
  let after: Row | null = null
  let sum = emptyDigest
  for (;;) {
    const page: Page = pageOf(shape, after, sqlite.page(shape, after))
    const asked = postgres.digest(shape, after, page.upTo)
    const digest = sqlite.digest(shape, page.rows)
    if (!isEqual(digest, await asked)) throw new Unequal(shape.name)
    sum = plus(sum, digest)
    meter.add(shape.name, page.rows.length)
    if (page.isLast) return sum
    after = page.upTo
  }
}

/** Compares every table; answers the sums of their rows. Throws `Unequal`. */
export async function compareAll(context: Context): Promise<Map<string, Digest>> {
  const { shapes, sqlite } = context
  const total = shapes.reduce((sum, shape) => sum + sqlite.count(shape), 0)
  const meter = createMeter(context, 'compare', total)
  const totals = new Map<string, Digest>()
  for (const shape of shapes) totals.set(shape.name, await compareTable(context, shape, meter))
  return totals
}

type Copying = {
  shape: Shape
  from: Progress
  meter: Meter
  read(after: Row | null): Promise<Row[]> | Row[]
  /** Writes a page and how far it reaches in one transaction. */
  write(page: Page, progress: Progress): Promise<void>
}

/** Copies a table page by page, from where an earlier run has come. */
export async function copyTable({ shape, from, meter, read, write }: Copying): Promise<void> {
  let progress = from
  meter.add(shape.name, from.rows)
  while (!progress.isDone) {
    const page = pageOf(shape, progress.after, await read(progress.after))
    const rows = progress.rows + page.rows.length
    progress = { after: page.upTo, rows, isDone: page.isLast }
    await write(page, progress)
    meter.add(shape.name, page.rows.length)
  }
}

import type { Database } from 'bun:sqlite'
import type { SQL } from 'bun'
import {
  type Context,
  createContext,
  createMeter,
  type Meter,
  type Moved,
  type Step,
} from './context.ts'
import { writeMark } from './journal.ts'
import { keyFromText, keyText } from './key-text.ts'
import type { Mark } from './mark.ts'
import { compareAll, copyTable } from './pages.ts'
import type { Progress } from './postgres-place.ts'
import type { Shape } from './shapes.ts'
import { movedOf } from './to-postgres.ts'

export type ToSqlite = {
  /** A new database with its schema, which nobody else opens. */
  draft: Database
  /** A connection to a database that takes no writes. */
  sql: SQL
  mark: Mark
  onStep(step: Step): void
  pageRows?: number
}

/**
 * Fills a new SQLite database from a PostgreSQL database that takes no writes, and compares them. A
 * page is one transaction with how far it reaches, so a mover that was killed goes on where it was.
 */
export async function fillSqlite(parts: ToSqlite): Promise<Moved[]> {
  const { draft, mark } = parts
  const context = await createContext({ ...parts, reader: draft, writer: draft })
  const { shapes, postgres, sqlite } = context
  prepareDraft(draft, { ...mark, state: 'arriving' })
  const known = readProgress(draft)
  let total = 0
  for (const shape of shapes) total += await postgres.count(shape)
  const meter = createMeter(context, 'copy', total)
  for (const shape of shapes) {
    const from = known.get(shape.name) ?? { after: null, rows: 0, isDone: false }
    await copyOne(context, { shape, from, meter })
  }
  const totals = await compareAll(context)
  for (const shape of shapes) {
    if (shape.counter) sqlite.countFrom(shape, await postgres.counted(shape))
  }
  return shapes.map((shape) => movedOf(shape, totals))
}

/** Makes the filled database one that can be served. */
export function finishDraft(draft: Database, mark: Mark): void {
  draft.transaction(() => {
    draft.run('drop table if exists move_progress')
    writeMark(draft, { ...mark, state: 'arrived' })
  })()
  draft.run('pragma wal_checkpoint(truncate)')
}

function prepareDraft(draft: Database, mark: Mark): void {
  draft.transaction(() => {
    draft.run(
      `create table if not exists move_progress (
        name text primary key, after text, rows integer not null, is_done integer not null) strict`,
    )
    writeMark(draft, mark)
  })()
}

type Copied = { shape: Shape; from: Progress; meter: Meter }

async function copyOne(
  { reader: draft, sqlite, postgres }: Context,
  { shape, from, meter }: Copied,
): Promise<void> {
  const save = draft.prepare(`
    insert or replace into move_progress (name, after, rows, is_done) values (?1, ?2, ?3, ?4)`)
  await copyTable({
    ...{ shape, from, meter },
    read: (after) => postgres.page(shape, after),
    write: async ({ rows }, progress) => {
      const after = progress.after && keyText(progress.after)
      draft.transaction(() => {
        sqlite.add(shape, rows)
        save.run(shape.name, after, progress.rows, Number(progress.isDone))
      })()
    },
  })
  save.finalize()
}

function readProgress(draft: Database): Map<string, Progress> {
  const rows = draft
    .query<{ name: string; after: string | null; rows: number; done: number }, []>(
      'select name, after, rows, is_done as done from move_progress',
    )
    .all()
  return new Map(
    rows.map(({ name, after, rows, done }) => {
      const key = after === null ? null : keyFromText(after)
      return [name, { after: key, rows, isDone: done === 1 }]
    }),
  )
}

import type { Timers } from '../../domain/ports.ts'
import { type Digest, emptyDigest, isEqual, minus, plus } from './cells.ts'
import {
  type Context,
  createContext,
  createMeter,
  type Moved,
  type MoveParts,
  Unequal,
} from './context.ts'
import { createFollower, type Follower, untilCalm } from './follow.ts'
import { type Changes, freezeSqlite, thawSqlite, writeMark } from './journal.ts'
import { compareAll, copyTable, type Page } from './pages.ts'
import type { Progress } from './postgres-place.ts'
import type { Shape } from './shapes.ts'

/** Sums of all rows, by table. */
type Totals = Map<string, Digest>

/** Rows of a table after which changes are copied, so that few wait. */
const followEvery = 100_000
/** The longest that the old database refuses writes before anything is handed over, in ms. */
export const switchMaxMs = 60_000

/**
 * Fills a prepared database from one that is being served: copies every row and then the changes
 * since, while the old server goes on. Each page is one transaction with how far it reaches, so a
 * mover that was killed goes on where it was.
 */
export async function fillPostgres(parts: MoveParts): Promise<Filled> {
  const context = await createContext(parts)
  const { shapes, place, onStep } = context
  const follower = createFollower(context)
  const progress = await place.progress()
  const isCopied = shapes.every(({ name }) => progress.get(name)?.isDone)
  if (!isCopied) await copyAll(context, follower, progress)
  // From here on every transaction copies all changes of one moment, which fit together.
  await follower.settle()
  await place.rebuild((done, total) => onStep({ phase: 'index', table: '', done, total }))
  await follower.settle()
  const totals = await follower.atOnce(async (changes) => {
    await follower.apply(changes)
    return compareAll(context)
  })
  return { context, follower, totals }
}

export type Filled = { context: Context; follower: Follower; totals: Totals }

async function copyAll(
  context: Context,
  follower: Follower,
  known: Map<string, Progress>,
): Promise<void> {
  const { shapes, sqlite } = context
  const total = shapes.reduce((sum, shape) => sum + sqlite.count(shape), 0)
  const meter = createMeter(context, 'copy', total)
  for (const shape of shapes) {
    const from = known.get(shape.name) ?? { after: null, rows: 0, isDone: false }
    let sinceFollowed = 0
    const write = async (page: Page, progress: Progress) => {
      await writePage(context, shape, page, progress)
      sinceFollowed += page.rows.length
      if (sinceFollowed < followEvery) return
      sinceFollowed = 0
      await follower.inParts()
    }
    await copyTable({ shape, from, meter, read: (after) => sqlite.page(shape, after), write })
    await follower.inParts()
  }
}

async function writePage(
  { sql, postgres, place }: Context,
  shape: Shape,
  { after, upTo, rows }: Page,
  progress: Progress,
): Promise<void> {
  await place.inTransaction(async () => {
    // After a crash of the server the rows are lost together with the note of them.
    await sql.unsafe('set local synchronous_commit = off')
    await postgres.removeRange(shape, after, upTo)
    await postgres.add(shape, rows)
    await place.saveProgress(shape.name, progress)
  })
}

export type Switched = {
  tables: Moved[]
  /** How long the old database refused writes before the new one was open, in ms. */
  refusedMs: number
}

/**
 * Refuses every write in the old database, copies the rest and opens the new one. When that fails
 * before anybody may have served the new one, the old one is opened again.
 */
export async function switchToPostgres(
  { context, follower, totals }: Filled,
  timers: Pick<Timers, 'after' | 'monotonic'>,
): Promise<Switched> {
  const { writer, mark, shapes, sqlite, postgres, place, onStep } = context
  const step = (done: number) => onStep({ phase: 'switch', table: '', done, total: 3 })
  const copyRest = () =>
    follower.atOnce((changes) => copyCompared(context, { follower, totals, changes }))
  step(0)
  await untilCalm(copyRest)
  const since = timers.monotonic()
  freezeSqlite(writer, { ...mark, state: 'frozen' })
  try {
    step(1)
    await inTime(timers, async () => {
      await copyRest()
      for (const shape of shapes) {
        if (shape.counter) await postgres.countFrom(shape, sqlite.counted(shape))
      }
    })
  } catch (error) {
    thawSqlite(writer, { ...mark, state: 'copying' })
    throw error
  }
  step(2)
  writeMark(writer, { ...mark, state: 'handed' })
  await place.open({ ...mark, state: 'arrived' })
  writeMark(writer, { ...mark, state: 'moved' })
  step(3)
  return {
    tables: shapes.map((shape) => movedOf(shape, totals)),
    refusedMs: timers.monotonic() - since,
  }
}

/** Ends a switch that takes too long, so that the old database is opened again. */
async function inTime({ after }: Pick<Timers, 'after'>, work: () => Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const cancel = after(switchMaxMs, () => reject(new SwitchTooLong()))
  try {
    await Promise.race([work(), late])
  } finally {
    cancel()
  }
}

export class SwitchTooLong extends Error {}

type Rest = { follower: Follower; totals: Totals; changes: Changes }

/** Copies changes and compares their rows; `totals` become those with them. Returns their number. */
async function copyCompared(
  { shapes, sqlite, postgres }: Context,
  { follower, totals, changes }: Rest,
): Promise<number> {
  const changed = shapes.filter(({ name }) => changes.keys.has(name))
  const before = new Map<string, Digest>()
  for (const shape of changed) {
    before.set(shape.name, await postgres.digestByKeys(shape, keysOf(shape)))
  }
  await follower.apply(changes)
  for (const shape of changed) {
    const now = sqlite.digest(shape, sqlite.byKeys(shape, keysOf(shape)))
    const there = await postgres.digestByKeys(shape, keysOf(shape))
    if (!isEqual(now, there)) throw new Unequal(shape.name)
    const unchanged = minus(of(totals, shape), of(before, shape))
    totals.set(shape.name, plus(unchanged, now))
  }
  return changes.count

  function keysOf({ name }: Shape) {
    return changes.keys.get(name) ?? []
  }
}

export function movedOf(shape: Shape, totals: Totals): Moved {
  const { rows, sum } = of(totals, shape)
  const checksum = BigInt.asUintN(64, sum).toString(16).padStart(16, '0')
  return { table: shape.name, rows, checksum }
}

function of(digests: Map<string, Digest>, { name }: Shape): Digest {
  return digests.get(name) ?? emptyDigest
}

import type { Row } from './cells.ts'
import type { Context } from './context.ts'
import { type Changes, pruneJournal, readJournal } from './journal.ts'
import type { Shape } from './shapes.ts'
import { keyOf } from './sqlite-rows.ts'

/** Changes that are copied in one transaction while rows of different moments lie side by side. */
const batchMax = 20_000
/** A database is calm when a round of changes is this small; the switch begins after so many rounds. */
const calmMax = 2_000
const roundsMax = 20
const noLimit = 2 ** 31

export type Follower = {
  /** Copies what has changed, in several moments. */
  inParts(): Promise<void>
  /** Copies all changes of one moment at a time, until few come. */
  settle(): Promise<void>
  /** Runs work in one view of the old database, with the changes that are not copied yet. */
  atOnce<Result>(work: (changes: Changes) => Promise<Result>): Promise<Result>
  /** Copies the rows with these keys as they are now, and removes those that are gone. */
  apply(changes: Changes): Promise<void>
}

/** Copies changed rows from the journal. */
export function createFollower(context: Context): Follower {
  const { reader, writer, sqlite } = context
  let applied = 0

  async function atOnce<Result>(
    work: (changes: Changes) => Promise<Result>,
    limit = noLimit,
  ): Promise<Result> {
    const [result, last] = await sqlite.atOnce(async () => {
      const changes = readJournal(reader, applied, limit)
      return [await work(changes), changes.last] as const
    })
    if (last !== null) {
      applied = last
      pruneJournal(writer, last)
    }
    return result
  }
  const apply = (changes: Changes) => applyChanges(context, changes)
  const round = (limit: number) =>
    atOnce(async (changes) => {
      if (changes.count > 0) await apply(changes)
      return changes.count
    }, limit)

  return {
    atOnce: (work) => atOnce(work),
    apply,
    async inParts() {
      while ((await round(batchMax)) === batchMax) {}
    },
    settle: () => untilCalm(() => round(noLimit)),
  }
}

/** Repeats a round that answers the number of changes, until few come. */
export async function untilCalm(round: () => Promise<number>): Promise<void> {
  for (let rounds = 0; rounds < roundsMax; rounds++) if ((await round()) < calmMax) return
}

/**
 * All changed rows are removed before any is added, so that two rows that have exchanged a unique
 * value never have it both.
 */
async function applyChanges(context: Context, { keys }: Changes): Promise<void> {
  const { shapes, sqlite, postgres, place } = context
  const changed = shapes.flatMap((shape) => {
    const wanted = keys.get(shape.name)
    return wanted ? [{ shape, wanted, rows: sqlite.byKeys(shape, wanted) }] : []
  })
  await place.inTransaction(async () => {
    for (const { shape, wanted, rows } of changed.toReversed()) {
      // Removing an app or an account removes all that refers to it.
      await postgres.removeKeys(shape, shape.isReferred ? gone(shape, wanted, rows) : wanted)
    }
    for (const { shape, rows } of changed) {
      await (shape.isReferred ? postgres.put(shape, rows) : postgres.add(shape, rows))
    }
  })
}

function gone(shape: Shape, wanted: Row[], rows: Row[]): Row[] {
  const there = new Set(rows.map((row) => String(keyOf(shape, row))))
  return wanted.filter((key) => !there.has(String(key)))
}

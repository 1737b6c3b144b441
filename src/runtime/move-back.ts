import { existsSync, renameSync, rmSync } from 'node:fs'
import type { SQL } from 'bun'
import type { Settings } from '../config/load.ts'
import { newId } from '../domain/id.ts'
import { syncDirectory } from '../keys/key-file.ts'
import { cannotStart } from '../startup-error.ts'
import type { Step } from '../store/move/context.ts'
import { readMark } from '../store/move/journal.ts'
import type { Mark } from '../store/move/mark.ts'
import { openDraft, openPair } from '../store/move/open.ts'
import { createPostgresPlace, type PostgresPlace } from '../store/move/postgres-place.ts'
import { fillSqlite, finishDraft } from '../store/move/to-sqlite.ts'
import { withClient } from '../store/postgres/judge.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import { type DataDirectory, dataDirectory, prepareDataDirectory } from './data-directory.ts'
import { explained, type MoveResult, noteMove, placeOf, targetOf } from './move.ts'
import { openPostgres } from './open-postgres.ts'

type Options = { directory: string; onStep(step: Step): void }

/**
 * Moves a PostgreSQL database, whose servers are stopped, to a new SQLite database. It takes no writes
 * from the first step on; a mover that was killed goes on where it was.
 */
export async function moveToSqlite(
  settings: Settings,
  { directory: path, onStep }: Options,
): Promise<MoveResult> {
  const directory = dataDirectory(path)
  prepareDataDirectory(directory)
  const target = await targetOf(settings)
  const since = systemTimers.monotonic()
  return withClient(target, async (sql) => {
    const place = createPostgresPlace(sql)
    if (!(await place.enter())) throw cannotStart('another "otpmint move" is at work: wait for it')
    const mark = await beginAtSource(settings, { place, directory, from: placeOf(target) })
    const moving = { sql, place, directory, mark, onStep }
    const tables = await fillAndPlace(moving).catch((error: unknown) => {
      throw explained(error)
    })
    const refusedMs = systemTimers.monotonic() - since
    return { place: mark.place, state: 'moved', tables, refusedMs, unsettled: 0 }
  })
}

type Source = { place: PostgresPlace; directory: DataDirectory; from: string }

/** Refuses writes from now on, or goes on; returns the move. */
async function beginAtSource(
  settings: Settings,
  { place, directory, from }: Source,
): Promise<Mark> {
  const to = `sqlite ${directory.root}`
  const found = await place.readMark()
  if (found === null || found.state === 'arrived') {
    refuseExisting(directory, null)
    const live = await place.liveNodes()
    if (live > 0) throw cannotStart(`${live} servers run on ${from}: stop them and run this again`)
    await noteInAudit(settings, directory, `to ${to}`)
    const mark: Mark = {
      ...{ id: newId(systemRandom), state: 'frozen', place: to, since: systemClock.now() },
    }
    removeDraft(directory)
    await place.freeze(mark)
    return mark
  }
  if (found.place !== to) {
    const advice = 'go on with that one, or end it with "otpmint move --reopen"'
    throw cannotStart(`this database is being moved to ${found.place}: ${advice}`)
  }
  if (found.state === 'moved') throw cannotStart(`this database was moved to ${to} already`)
  refuseExisting(directory, found)
  return found
}

async function noteInAudit(
  settings: Settings,
  directory: DataDirectory,
  detail: string,
): Promise<void> {
  const { database } = settings
  if (!database) throw new Error('there is no database to move')
  const opened = await openPostgres(settings, { database, directory, serves: false })
  try {
    await noteMove(opened.ports, detail)
  } finally {
    await opened.close()
  }
}

/** Refuses a directory with a database that this move has not put there. */
function refuseExisting({ database }: DataDirectory, mark: Mark | null): void {
  if (!existsSync(database)) return
  const pair = openPair(database)
  try {
    if (mark && readMark(pair.reader)?.id === mark.id) return
  } finally {
    pair.close()
  }
  throw cannotStart(`${database} exists: name another directory`)
}

type Moving = {
  sql: SQL
  place: PostgresPlace
  directory: DataDirectory
  mark: Mark
  onStep(step: Step): void
}

/** Copies into a file beside the place of the database, which takes its name at the end. */
async function fillAndPlace({ sql, place, directory, mark, onStep }: Moving) {
  const { root, database } = directory
  const path = draftOf(directory)
  if (existsSync(database)) {
    await place.writeMark({ ...mark, state: 'moved' })
    return []
  }
  const draft = openDraft(path)
  let tables: Awaited<ReturnType<typeof fillSqlite>>
  try {
    tables = await fillSqlite({ draft, sql, mark, onStep })
    finishDraft(draft, mark)
  } finally {
    draft.close()
  }
  await place.writeMark({ ...mark, state: 'handed' })
  renameSync(path, database)
  syncDirectory(root)
  await place.writeMark({ ...mark, state: 'moved' })
  return tables
}

function draftOf({ database }: DataDirectory): string {
  return `${database}.moving`
}

/** Of a move that was ended. */
function removeDraft(directory: DataDirectory): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${draftOf(directory)}${end}`, { force: true })
}

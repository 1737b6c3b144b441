import type { Settings } from '../config/load.ts'
import { audited } from '../domain/audit.ts'
import { cannotStart } from '../startup-error.ts'
import { forgetMove, readMark } from '../store/move/journal.ts'
import type { Mark } from '../store/move/mark.ts'
import { openPair } from '../store/move/open.ts'
import { createPostgresPlace } from '../store/move/postgres-place.ts'
import { withClient } from '../store/postgres/judge.ts'
import { pauseSending } from './control.ts'
import { type DataDirectory, dataDirectory, isHeld, requireDatabase } from './data-directory.ts'
import { placeOf, targetOf, withSqlite } from './move.ts'
import type { OpenPorts } from './open.ts'
import { openPostgres } from './open-postgres.ts'
import { expirePending } from './run-id.ts'

export type Reopened = {
  place: string
  /** Verifications that were ended, because the new database may have been served. */
  expired: number
}

const actor = { who: 'cli', requestId: null }

/**
 * Opens the database of the settings again after a move from it, and forgets the move. Where the new
 * one may have been served, everything pending is ended first: a code may have been used there.
 */
export function reopen(settings: Settings): Promise<Reopened> {
  const directory = dataDirectory(settings.dataDir)
  return settings.database ? reopenPostgres(settings, directory) : reopenSqlite(settings, directory)
}

async function reopenSqlite(settings: Settings, directory: DataDirectory): Promise<Reopened> {
  requireDatabase(directory)
  const pair = openPair(directory.database)
  let mark: Mark
  try {
    mark = leaving(readMark(pair.reader))
    if (wasHanded(mark) && isHeld(directory)) {
      throw cannotStart('a server still runs on this database: stop it, and run this again')
    }
    forgetMove(pair.writer)
  } finally {
    pair.close()
  }
  const expired = await withSqlite(settings, directory, (ports) => note(ports, mark))
  await pauseSending(directory.root, 0)
  return { place: mark.place, expired }
}

async function reopenPostgres(settings: Settings, directory: DataDirectory): Promise<Reopened> {
  const target = await targetOf(settings)
  const mark = await withClient(target, async (sql) => {
    const place = createPostgresPlace(sql)
    if (!(await place.enter())) throw cannotStart('another "otpmint move" is at work: wait for it')
    const found = leaving(await place.readMark())
    if (wasHanded(found) && (await place.liveNodes()) > 0) {
      throw cannotStart(`servers still run on ${placeOf(target)}: stop them, and run this again`)
    }
    await place.forget()
    return found
  })
  const { database } = settings
  if (!database) throw new Error('there is no database to reopen')
  const opened = await openPostgres(settings, { database, directory, serves: false })
  try {
    return { place: mark.place, expired: await note(opened.ports, mark) }
  } finally {
    await opened.close()
  }
}

/** The move that the database leaves by. */
function leaving(mark: Mark | null): Mark {
  if (mark === null || mark.state === 'arrived') throw cannotStart('this database is not moved')
  if (mark.state !== 'arriving') return mark
  throw cannotStart(
    `this database is being filled from ${mark.place}: make it anew where that move was ended`,
  )
}

function wasHanded({ state }: Mark): boolean {
  return state === 'handed' || state === 'moved'
}

async function note(ports: OpenPorts, mark: Mark): Promise<number> {
  const { clock, audit } = ports
  const entry = { at: clock.now(), ...actor, action: 'store.reopen', object: 'database' } as const
  await audited(ports, { ...entry, detail: `not moved to ${mark.place}` }, audit.append)
  return wasHanded(mark) ? expirePending(ports, actor) : 0
}

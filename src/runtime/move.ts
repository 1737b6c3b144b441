import type { SQL } from 'bun'
import type { Settings } from '../config/load.ts'
import { audited } from '../domain/audit.ts'
import { newId } from '../domain/id.ts'
import { cannotStart, settingsAreWrong } from '../startup-error.ts'
import { type Moved, type Step, Unequal } from '../store/move/context.ts'
import {
  beginJournal,
  JournalFull,
  readMark,
  thawSqlite,
  writeMark,
} from '../store/move/journal.ts'
import type { Mark } from '../store/move/mark.ts'
import { isRotating, leasedDeliveries, openPair, type Pair } from '../store/move/open.ts'
import { makeDays } from '../store/move/postgres-days.ts'
import { createPostgresPlace, type PostgresPlace } from '../store/move/postgres-place.ts'
import { fillPostgres, SwitchTooLong, switchToPostgres } from '../store/move/to-postgres.ts'
import type { Target } from '../store/postgres/connect.ts'
import { sqlState } from '../store/postgres/failure.ts'
import { withClient } from '../store/postgres/judge.ts'
import { systemClock, systemRandom, systemTimers } from '../system.ts'
import { pauseSending } from './control.ts'
import { type DataDirectory, dataDirectory, isHeld, requireDatabase } from './data-directory.ts'
import { type OpenPorts, openDirectory } from './open.ts'
import { migrateDatabase, readTargets } from './open-postgres.ts'

export type MoveOptions = {
  /** Copies and compares; the old database stays open. */
  prepareOnly: boolean
  onStep(step: Step): void
}

export type MoveResult = {
  place: string
  /** `ready`: all is copied, and the switch is left to another run. */
  state: 'ready' | 'moved'
  tables: Moved[]
  /** How long neither database took writes, in ms; null where an earlier run has switched. */
  refusedMs: number | null
  /** Messages that the server did not finish sending, which may be sent once more. */
  unsettled: number
}

/** The longest wait for messages that are being sent, and the interval of looks, in ms. */
const settleMs = 15_000
const lookMs = 50
const pauseSeconds = 30

/** Moves the SQLite database of the data directory, which may be served, to an empty PostgreSQL one. */
export async function moveToPostgres(
  settings: Settings,
  options: MoveOptions,
): Promise<MoveResult> {
  const directory = dataDirectory(settings.dataDir)
  requireDatabase(directory)
  const target = await targetOf(settings)
  const place = placeOf(target)
  const pair = openPair(directory.database)
  try {
    return await withClient(target, async (sql) => {
      const there = createPostgresPlace(sql)
      if (!(await there.enter())) {
        throw cannotStart('another "otpmint move" is at work: wait for it')
      }
      if (readMark(pair.reader) === null) await refuseFilled(there, place)
      const mark = await beginAtSource(settings, { directory, pair, place })
      const moving = { directory, pair, mark, sql, place: there, ...options }
      return moveWith(moving).catch((error: unknown) => {
        throw explained(error)
      })
    })
  } finally {
    pair.close()
  }
}

/** The database of the settings as the role that owns its tables sees it, migrated. */
export async function targetOf({ database }: Settings): Promise<Target> {
  if (!database) {
    throw settingsAreWrong('OTPMINT_DATABASE_URL is missing: the database that is moved to or from')
  }
  const targets = readTargets(database)
  await migrateDatabase(targets)
  if (!targets.migration) throw new Error('migrated without a role')
  return targets.migration
}

export function placeOf({ place, database }: Target): string {
  return `postgres ${place}/${database}`
}

/** Errors of a move as sentences for an admin. */
export function explained(error: unknown): unknown {
  if (error instanceof Unequal) {
    return cannotStart(
      `${error.message}: nothing was switched; end the move with "otpmint move --reopen", make the ` +
        'new database anew, and begin again',
    )
  }
  if (error instanceof JournalFull) {
    return cannotStart(
      'more has changed than is written down while no move runs: end it with "otpmint move ' +
        '--reopen", make the new database anew, and begin again',
    )
  }
  if (error instanceof SwitchTooLong) {
    return cannotStart(
      'the new database did not take the last changes within a minute: nothing was switched, and ' +
        'the old one takes writes again; run this again',
    )
  }
  const state = sqlState(error)
  if (state !== null && /^2[23]/.test(state)) {
    return cannotStart(`a row does not fit into the new database (SQLSTATE ${state})`)
  }
  return error
}

type Source = { directory: DataDirectory; pair: Pair; place: string }

/** Begins to write changes down, or goes on; returns the state that the move is in. */
async function beginAtSource(
  settings: Settings,
  { directory, pair, place }: Source,
): Promise<Mark> {
  const found = readMark(pair.writer)
  if (found === null || found.state === 'arrived') {
    // Opening the ports shows that the master key is the right one.
    await withSqlite(settings, directory, (ports) => noteMove(ports, `to ${place}`))
    refuseRotating(pair)
    const mark: Mark = {
      ...{ id: newId(systemRandom), state: 'copying', place, since: systemClock.now() },
    }
    beginJournal(pair.writer, mark)
    return mark
  }
  if (found.place !== place) {
    const advice = 'go on with that one, or end it with "otpmint move --reopen"'
    throw cannotStart(`this database is being moved to ${found.place}: ${advice}`)
  }
  if (found.state === 'moved') throw cannotStart(`this database was moved to ${place} already`)
  // A mover that was killed in the switch had opened nothing yet.
  if (found.state === 'frozen') thawSqlite(pair.writer, { ...found, state: 'copying' })
  return found.state === 'handed' ? found : { ...found, state: 'copying' }
}

function refuseRotating({ reader }: Pair): void {
  if (!isRotating(reader)) return
  throw cannotStart('a rotation of the master key is not finished: run "otpmint key rotate" again')
}

type Moving = MoveOptions & {
  directory: DataDirectory
  pair: Pair
  mark: Mark
  sql: SQL
  place: PostgresPlace
}

async function moveWith(moving: Moving): Promise<MoveResult> {
  const { directory, pair, mark, sql, place, prepareOnly, onStep } = moving
  const { reader, writer } = pair
  const done = { place: mark.place, tables: [], refusedMs: null, unsettled: 0 }
  if (mark.state === 'handed') {
    await finishHanded(place, pair, mark)
    return { ...done, state: 'moved' }
  }
  await beginAtTarget({ place, sql, pair, mark })
  const filled = await fillPostgres({ reader, writer, sql, mark, onStep })
  if (prepareOnly) return { ...done, state: 'ready' }
  refuseRotating(pair)
  const unsettled = await stopSending(directory, pair)
  try {
    const switched = await switchToPostgres(filled, systemTimers)
    return { ...done, ...switched, state: 'moved', unsettled }
  } catch (error) {
    await pauseSending(directory.root, 0)
    throw error
  }
}

type Beginning = Pick<Moving, 'place' | 'sql' | 'pair' | 'mark'>

/** Takes an empty database, or one that this move has begun to fill. */
async function beginAtTarget({ place, sql, pair, mark }: Beginning): Promise<void> {
  const found = await place.readMark()
  if (found?.state === 'arriving' && found.id === mark.id) return
  await refuseFilled(place, mark.place)
  await makeDays(sql, pair.reader, systemClock.now())
  await place.prepare({ ...mark, state: 'arriving' })
}

async function refuseFilled(place: PostgresPlace, name: string): Promise<void> {
  const filled = await place.firstFilled()
  if (filled === null) return
  const advice = 'name one that was migrated and never served'
  throw cannotStart(`${name} is not empty (there are rows in ${filled}): ${advice}`)
}

async function finishHanded(place: PostgresPlace, { writer }: Pair, mark: Mark): Promise<void> {
  const found = await place.readMark()
  if (found?.id !== mark.id) {
    throw cannotStart(`${mark.place} is not the database that this one was moved to`)
  }
  if (found.state === 'arriving') await place.open({ ...mark, state: 'arrived' })
  writeMark(writer, { ...mark, state: 'moved' })
}

/**
 * Makes a running server finish the messages in its hands and begin no others, so that none is sent
 * by both; returns how many it had left after 15 s.
 */
async function stopSending(directory: DataDirectory, { reader }: Pair): Promise<number> {
  if (!isHeld(directory)) return 0
  if (!(await pauseSending(directory.root, pauseSeconds))) {
    const advice = 'stop it and run this again; without a server it goes on as well'
    throw cannotStart(`the running server does not answer at ${directory.control}: ${advice}`)
  }
  const until = systemTimers.monotonic() + settleMs
  let left = leasedDeliveries(reader)
  while (left > 0 && systemTimers.monotonic() < until) {
    await systemTimers.sleep(lookMs)
    left = leasedDeliveries(reader)
  }
  await pauseSending(directory.root, pauseSeconds)
  return left
}

/** Opens the SQLite database of the directory, whatever other database is in the settings. */
export async function withSqlite<Result>(
  settings: Settings,
  directory: DataDirectory,
  work: (ports: OpenPorts) => Promise<Result>,
): Promise<Result> {
  const opened = await openDirectory(settings, directory, directory.database)
  try {
    return await work(opened.ports)
  } finally {
    await opened.close()
  }
}

/** Writes the move to the audit log. */
export async function noteMove(
  ports: Pick<OpenPorts, 'audit' | 'keyring' | 'clock'>,
  detail: string,
): Promise<void> {
  const entry = { at: ports.clock.now(), who: 'cli', action: 'store.move', detail } as const
  await audited(ports, { ...entry, object: 'database', requestId: null }, ports.audit.append)
}

import {
  closeDay,
  countedAfterMs,
  createCounting,
  ends,
  type HashRecipient,
  overBefore,
  type Slot,
  slotKey,
  slotsOf,
  spansKeptLong,
} from '../domain/figures/count.ts'
import type { Begun, Ended, FigureState, KeptState } from '../domain/figures/store.ts'
import { idAt } from '../domain/id.ts'
import { type Log, lateMs, type Ports } from '../domain/ports.ts'
import { dayMs } from '../domain/verification/limits.ts'
import { type Gate, type Job, periodic } from './periodic.ts'

type FigurePorts = Pick<
  Ports,
  'figures' | 'maintenance' | 'keyring' | 'clock' | 'timers' | 'node'
> & { log: Log } & Gate

const everyMs = 10_000
/** How long the counting node has the turn of the job. */
const turnMs = 3 * everyMs
/**
 * Rows that one commit counts: many, because it writes each figure once, however many verifications
 * count in it. They are read in pieces with a pause after each, so that other work waits little.
 */
const batchRows = 2_000
const pieceRows = 500
const pauseMs = 5
/** Days that one run closes; each is one commit. */
const closedMax = 100

/**
 * Counts every 10 s, on one node at a time, what the overview shows: verifications that are old enough,
 * by their ids, and those that have ended, by their events. Counts and the position are one commit, so
 * that a node that is killed has counted both or neither.
 */
export function createFigures(ports: FigurePorts, rowsMax = 100_000): Job {
  const { maintenance, clock, node } = ports
  return periodic(ports, { everyMs, event: 'figures' }, async (signal) => {
    const now = clock.now()
    if (!(await maintenance.takeTurn({ job: 'figures', node, now, until: now + turnMs }))) return
    await correctPosition(ports)
    const run = { rowsMax, signal }
    const rows =
      (await countAll(ports, run, countStarted)) + (await countAll(ports, run, countEnded))
    await closeDays(ports, signal)
    if (rows > 0) ports.log.debug('figures', { count: rows })
  })
}

type Run = { rowsMax: number; signal: AbortSignal }
/** How many rows were read, or null when another node has counted meanwhile. */
type Step = (ports: FigurePorts, limit: number) => Promise<number | null>

async function countAll(ports: FigurePorts, { rowsMax, signal }: Run, step: Step): Promise<number> {
  let rows = 0
  while (rows < rowsMax && !signal.aborted) {
    const limit = Math.min(batchRows, rowsMax - rows)
    const read = await step(ports, limit)
    rows += read ?? 0
    if (read === null || read < limit) break
    await ports.timers.sleep(pauseMs)
  }
  return rows
}

/** `read` answers what follows the last row, up to so many. */
async function readInPieces<Row>(
  { timers }: FigurePorts,
  limit: number,
  read: (most: number, last: Row | undefined) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = []
  for (;;) {
    const most = Math.min(pieceRows, limit - rows.length)
    const piece = await read(most, rows.at(-1))
    rows.push(...piece)
    if (piece.length < most || rows.length === limit) return rows
    await timers.sleep(pauseMs)
  }
}

const countStarted: Step = async (ports, limit) => {
  const { figures, clock } = ports
  const { known, state } = await readState(ports)
  const until = clock.now() - countedAfterMs
  const before = idAt(until)
  const begun = await readInPieces(ports, limit, (most, last: Begun | undefined) =>
    figures.started({ after: last?.id ?? state.after, before, limit: most }),
  )
  const last = begun.at(-1)
  if (!last) return 0
  const countedUntil = begun.length < limit ? until : last.createdAt
  return await write(ports, known, {
    state: { ...state, after: last.id, countedUntil },
    rows: begun,
    count: (counting) => {
      for (const each of begun) counting.started(each)
    },
  })
}

/** Events in their order, up to the first one that is too young. */
const countEnded: Step = async (ports, limit) => {
  const { figures, clock } = ports
  const { known, state } = await readState(ports)
  const now = clock.now()
  const read = await readInPieces(ports, limit, (most, last: Ended | undefined) =>
    figures.ended({ after: last?.id ?? state.afterEvent, ends, limit: most }),
  )
  // One that is later than now was written by a wrong clock.
  const isYoung = (at: number) => at > now - countedAfterMs && at <= now + lateMs
  const first = read.findIndex(({ at }) => isYoung(at))
  const old = first < 0 ? read : read.slice(0, first)
  const last = old.at(-1)
  if (!last) return 0
  const ended = old.flatMap(({ at, verification }) => {
    return verification ? { at, verification } : []
  })
  const written = await write(ports, known, {
    state: { ...state, afterEvent: last.id },
    rows: ended.map(({ verification }) => verification),
    count: (counting) => {
      for (const { at, verification } of ended) counting.ended(verification, at)
    },
  })
  return written === null ? null : old.length
}

async function readState({ figures }: FigurePorts) {
  const known = await figures.state()
  const state: FigureState = known ?? { after: '', afterEvent: 0, countedUntil: 0 }
  return { known, state }
}

/**
 * A position ahead of the clock was written by a wrong one: counting goes on with what was started
 * since the last run.
 */
async function correctPosition({ figures, clock }: FigurePorts): Promise<void> {
  const known = await figures.state()
  const now = clock.now()
  if (!known || known.after <= idAt(now)) return
  const { version: expectedVersion, afterEvent } = known
  const countedUntil = now - everyMs
  const state = { after: idAt(countedUntil), afterEvent, countedUntil }
  await figures.write({ expectedVersion, state, figures: [], removed: [] })
}

type Counted = {
  state: FigureState
  rows: Begun[]
  count(counting: ReturnType<typeof createCounting>): void
}

async function write(
  { figures, keyring }: FigurePorts,
  known: KeptState | null,
  { state, rows, count }: Counted,
): Promise<number | null> {
  const slots = new Map<string, Slot>()
  for (const row of rows) for (const slot of slotsOf(row)) slots.set(slotKey(slot), slot)
  const read = slots.size === 0 ? [] : await figures.of([...slots.values()])
  const { countedUntil } = state
  const counting = createCounting({ figures: read, countedUntil, hash: hashWith(keyring) })
  count(counting)
  const isWritten = await figures.write({
    expectedVersion: known?.version ?? 0,
    state,
    figures: counting.changed(),
    removed: [],
  })
  return isWritten ? rows.length : null
}

/** 48 bits tell the few recipients of a day apart that are kept at a time. */
function hashWith(keyring: Ports['keyring']): HashRecipient {
  return (day, recipientKey) => {
    const hash = keyring.limitIndex('figures', `${day} ${recipientKey.toHex()}`)
    return hash.subarray(0, 6).toHex()
  }
}

/** Forgets the recipients of days that are over, and the names of domains that had few of them. */
async function closeDays(ports: FigurePorts, signal: AbortSignal): Promise<void> {
  const { figures, clock, timers } = ports
  const state = await figures.state()
  if (!state) return
  // Where nothing is started, nothing is left to count before this time either.
  const isBehind = (
    await figures.started({
      after: state.after,
      before: idAt(clock.now() - countedAfterMs),
      limit: 1,
    })
  ).length
  const countedUntil = isBehind ? state.countedUntil : clock.now() - countedAfterMs
  const before = overBefore(countedUntil)
  for (const { scope, at } of await figures.withRecipients({ before, limit: closedMax })) {
    if (signal.aborted) return
    if (!(await closeOne(ports, { scope, at, countedUntil }))) return
    await timers.sleep(pauseMs)
  }
}

async function closeOne(
  { figures }: FigurePorts,
  { scope, at, countedUntil }: { scope: string; at: number; countedUntil: number },
): Promise<boolean> {
  const known = await figures.state()
  if (!known) return false
  const range = { scope, part: 'domain', from: at, to: at + dayMs } as const
  const read = await Promise.all(
    spansKeptLong.map(({ spanMs }) => figures.between({ ...range, spanMs })),
  )
  const { version, ...state } = known
  return figures.write({
    expectedVersion: version,
    state: { ...state, countedUntil: Math.max(state.countedUntil, countedUntil) },
    ...closeDay(read.flat()),
  })
}

import { Database } from 'bun:sqlite'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  advance,
  afterCut,
  chance,
  createDisk,
  type Disk,
  type FateName,
  fateNames,
  fateOf,
  type NameModel,
} from './disk.ts'
import { answersOf, type Broken, brokenPromises, promisedBefore, type Row } from './promises.ts'
import { attemptsMax, type Recording } from './story.ts'
import type { TraceEvent } from './trace.ts'

/** A power cut: the events before it, the model of names, and the fate of unsynced changes. */
export type Cut = { point: number; names: NameModel; fate: FateName; seed: number }

/** A cut, and the files after it. */
export type Remains = Cut & { files: Map<string, Uint8Array> }

const nameModels: NameModel[] = ['journal', 'posix']

type Options = {
  fates?: readonly FateName[]
  seed?: number
  /** Paths whose fsyncs the disk ignores. */
  ignores?: (path: string) => boolean
}

/** Replays the story, and cuts it at each point in every way. */
export function* cutsAt(
  { events, tree }: Pick<Recording, 'events' | 'tree'>,
  points: number[],
  { fates = fateNames, seed = 1, ignores }: Options = {},
): Generator<Remains> {
  const disks = nameModels.map((names) => createDisk(names, tree, ignores))
  let happened = 0
  for (const point of [...new Set(points)].sort((one, other) => one - other)) {
    for (; happened < point; happened++) letHappen(disks, events[happened])
    for (const disk of disks) {
      for (const fate of fates) {
        const cut = { point, names: disk.names, fate, seed }
        yield { ...cut, files: afterCut(disk, fateOf(fate, disk, chance(seed, point))) }
      }
    }
  }
}

function letHappen(disks: Disk[], event: TraceEvent | undefined): void {
  if (event) for (const disk of disks) advance(disk, event)
}

/**
 * Chooses points of a story for cuts, always the same: a third right after an answer, a third
 * around a change of a name, the rest anywhere.
 */
export function pointsOf(events: TraceEvent[], count: number): number[] {
  if (count >= events.length) return events.map((_, index) => index + 1)
  const after = (wanted: (event: TraceEvent) => boolean) => {
    return events.flatMap((event, index) => (wanted(event) ? [index + 1] : []))
  }
  const answered = after(({ kind }) => kind === 'answer')
  const named = after(({ kind }) => /^(open|rename|link|unlink|exit)$/.test(kind))
  const chosen = new Set([
    ...spread(answered, Math.floor(count / 3)),
    ...spread(
      named.flatMap((point) => [point - 1, point]),
      Math.floor(count / 3),
    ),
  ])
  const rest = after(() => true).filter((point) => !chosen.has(point))
  return [...chosen, ...spread(rest, count - chosen.size)].sort((one, other) => one - other)
}

/** Picks `count` of the values, evenly spread, with the last one. */
export function spread<Value>(values: Value[], count: number): Value[] {
  if (count >= values.length) return values
  const step = values.length / count
  return Array.from({ length: count }, (_, index) => {
    return values.slice(Math.ceil((index + 1) * step) - 1)[0]
  }).filter((value) => value !== undefined)
}

/** Writes the files of a cut to a folder, which is emptied first. */
export function rebuild(folder: string, files: Map<string, Uint8Array>): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'data'), { recursive: true })
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes, { mode: 0o600 })
  }
}

export type Found = { rows: Map<string, Row>; fault: string | null }

/** Reads the rows of a database among the files, after SQLite has recovered it. */
export function lookInto(folder: string, files: Map<string, Uint8Array>, path: string): Found {
  const parts = ['', '-wal', '-journal'].map((ending) => path + ending)
  rebuild(folder, new Map([...files].filter(([name]) => parts.includes(name))))
  return readDatabase(join(folder, path))
}

export function readDatabase(path: string): Found {
  const rows = new Map<string, Row>()
  let database: Database | null = null
  try {
    database = new Database(path, { readwrite: true, create: false })
    database.run('pragma synchronous = off')
    const fault = database.query<{ quick_check: string }, []>('pragma quick_check').get()
    if (fault?.quick_check !== 'ok') return { rows, fault: fault?.quick_check ?? 'no answer' }
    const all = database.query<{ id: string; status: string; spent: number }, []>(
      'select id, status, attempts_spent as spent from verifications',
    )
    for (const { id, status, spent } of all.all()) rows.set(id, { status, attemptsSpent: spent })
    return { rows, fault: null }
  } catch (error) {
    return { rows, fault: error instanceof Error ? error.message : String(error) }
  } finally {
    database?.close()
  }
}

export type Breach = Cut & Broken

export type Replayed = { directories: number; breaches: Breach[] }

/** Cuts the story at the points, and compares what the database holds with what was answered. */
export function replay(
  recording: Recording,
  points: number[],
  folder: string,
  options: Options & { onCut?: (directories: number, breaches: number) => void } = {},
): Replayed {
  const answers = answersOf(recording.events, attemptsMax)
  const firstAnswer = recording.events.findIndex(({ kind }) => kind === 'answer')
  const breaches: Breach[] = []
  let directories = 0
  for (const { files, ...cut } of cutsAt(recording, points, options)) {
    const promised = promisedBefore(answers, cut.point)
    const { rows, fault } = lookInto(folder, files, 'data/otpmint.db')
    directories++
    // Before the first answer there may be no database.
    if (fault !== null && cut.point > firstAnswer) {
      breaches.push({ ...cut, kind: 'database unusable', detail: fault })
    } else {
      breaches.push(...brokenPromises(rows, promised).map((broken) => ({ ...cut, ...broken })))
    }
    options.onCut?.(directories, breaches.length)
  }
  return { directories, breaches }
}

/** The number of breaches of each kind, as text. */
export function summary(breaches: Broken[]): string {
  const counts = new Map<string, number>()
  for (const { kind } of breaches) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return [...counts].map(([kind, count]) => `${kind}: ${count}`).join(', ') || 'nothing'
}

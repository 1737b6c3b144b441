import { base62Digits } from '../domain/id.ts'
import { countJudged, otherGroup, type Scores } from '../domain/learning/scores.ts'
import type { KeptScores } from '../domain/learning/store.ts'
import type { Learned, Log, Ports } from '../domain/ports.ts'
import { dayMs } from '../domain/verification/limits.ts'
import { type Gate, type Job, periodic } from './periodic.ts'

type LearningPorts = Pick<
  Ports,
  'learning' | 'apps' | 'maintenance' | 'clock' | 'timers' | 'node'
> & { log: Log } & Gate

const everyMs = 10_000
/** How long the counting node has the turn of the job. */
const turnMs = 3 * everyMs
/** The age at which a verification is counted; an approval after that comes too late. */
export const judgedAfterMs = 120_000
/** Verifications that one commit counts, and the pause after it, so that other work waits little. */
const batchRows = 200
const pauseMs = 5
/** `rows`: verifications that one run reads; `apps`: those that are counted and kept in memory. */
type Most = { rows: number; apps: number }
const usualMost: Most = { rows: 20_000, apps: 2_000 }

/**
 * Counts every 10 s, on one node at a time, the verifications of apps with a learned route, and keeps
 * the scores of these apps in memory. Without such an app it reads one index and writes nothing.
 */
export function createLearning(
  ports: LearningPorts,
  most: Most = usualMost,
): { learned: Learned; job: Job } {
  const { learning, maintenance, clock, node } = ports
  const kept = new Map<string, { version: number; scores: Scores }>()
  /** The app with which the next run begins, so that a busy one keeps none from being counted. */
  const place = { next: 0 }

  async function refresh(): Promise<void> {
    const apps = await learning.apps({ after: '', limit: most.apps })
    const ids = new Set(apps.map(({ appId }) => appId))
    for (const appId of kept.keys()) if (!ids.has(appId)) kept.delete(appId)
    for (const { appId, version } of apps) {
      if (version === 0 || kept.get(appId)?.version === version) continue
      const read = await learning.scores(appId)
      if (read) kept.set(appId, read)
    }
  }

  const job = periodic(ports, { everyMs, event: 'learning' }, async (signal) => {
    const now = clock.now()
    const apps = await learning.apps({ after: '', limit: most.apps })
    const turn = { job: 'learning', node, now, until: now + turnMs }
    if (apps.length > 0 && (await maintenance.takeTurn(turn))) {
      const ids = apps.map(({ appId }) => appId)
      await countApps(ports, { ids, place, rowsMax: most.rows, signal })
    }
    await refresh()
  })
  return { learned: { of: (appId) => kept.get(appId)?.scores ?? null }, job }
}

type Run = { ids: string[]; place: { next: number }; rowsMax: number; signal: AbortSignal }

async function countApps(
  ports: LearningPorts,
  { ids, place, rowsMax, signal }: Run,
): Promise<void> {
  const first = place.next % ids.length
  let rows = 0
  for (const [index, appId] of [...ids.slice(first), ...ids.slice(0, first)].entries()) {
    place.next = first + index
    rows += await countApp(ports, { appId, rowsMax: rowsMax - rows, signal })
    if (rows >= rowsMax || signal.aborted) break
  }
  if (rows > 0) ports.log.debug('learned', { count: rows })
}

/** Counts the verifications of one app that are old enough; how many were read. */
async function countApp(
  { learning, apps, clock, timers }: LearningPorts,
  { appId, rowsMax, signal }: { appId: string; rowsMax: number; signal: AbortSignal },
): Promise<number> {
  let rows = 0
  while (rows < rowsMax && !signal.aborted) {
    const [app, known] = await Promise.all([apps.get(appId), learning.scores(appId)])
    if (!app) break
    const range = rangeOf(known, clock.now())
    const limit = Math.min(batchRows, rowsMax - rows)
    const judged = await learning.judged({ appId, ...range, dayMs, limit })
    const last = judged.at(-1)
    if (!last) break
    const endpoints = new Set(app.endpoints.map(({ id }) => id))
    const { folded, ...counted } = countJudged(known?.scores ?? null, judged, endpoints)
    const isCounted = await learning.count({
      ...{ appId, expectedVersion: known?.version ?? 0, after: last.id },
      ...counted,
      folded: { ...folded, to: otherGroup },
    })
    rows += judged.length
    if (!isCounted || judged.length < limit) break
    await timers.sleep(pauseMs)
  }
  return rows
}

/**
 * The ids to count next. Ids begin with their time: what is older than a day is not counted any more.
 * A position ahead of the clock was written by a wrong one; the last day is then read again, in which
 * no recipient counts twice.
 */
function rangeOf(known: KeptScores | null, now: number): { after: string; before: string } {
  const at = (time: number) => base62Digits(time, 8)
  const earliest = at(now - dayMs)
  const isUsable = known !== null && known.after > earliest && known.after < at(now)
  return { after: isUsable ? known.after : earliest, before: at(now - judgedAfterMs) }
}

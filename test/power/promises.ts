import type { TraceEvent } from './trace.ts'

/** What an answer has said of a verification; it may only move on from there. */
export type Promised = {
  id: string
  /** `pending` also for expired and exhausted ones, which the database does not store. */
  status: 'pending' | 'approved' | 'canceled'
  attemptsSpent: number
}

/** A row of a verification. */
export type Row = { status: string; attemptsSpent: number }

/** `at` is the number of events up to and with the answer. */
export type Answered = { at: number; promised: Promised }

/** All that the server answered about verifications, oldest first. */
export function answersOf(events: TraceEvent[], attemptsMax: number): Answered[] {
  return events.flatMap((event, index) => {
    if (event.kind !== 'answer') return []
    const promised = promisedBy(event.text, attemptsMax)
    return promised ? [{ at: index + 1, promised }] : []
  })
}

function promisedBy(text: string, attemptsMax: number): Promised | null {
  const { id, status, attempts_left: left } = bodyOf(text)
  if (typeof id !== 'string' || typeof status !== 'string' || typeof left !== 'number') return null
  const stored = status === 'approved' || status === 'canceled' ? status : 'pending'
  return { id, status: stored, attemptsSpent: attemptsMax - left }
}

function bodyOf(text: string): Record<string, unknown> {
  const start = text.indexOf('\r\n\r\n')
  try {
    const body: unknown = JSON.parse(text.slice(start + 4))
    return typeof body === 'object' && body !== null ? { ...body } : {}
  } catch {
    return {}
  }
}

/** What the answers among the first `point` events promise, by id. */
export function promisedBefore(answers: Answered[], point: number): Map<string, Promised> {
  const promised = new Map<string, Promised>()
  for (const { at, promised: one } of answers) {
    if (at > point) break
    const before = promised.get(one.id)
    const attemptsSpent = Math.max(one.attemptsSpent, before?.attemptsSpent ?? 0)
    const status = before && before.status !== 'pending' ? before.status : one.status
    promised.set(one.id, { id: one.id, status, attemptsSpent })
  }
  return promised
}

export type Broken = {
  kind: 'start lost' | 'code good again' | 'attempt forgotten' | 'database unusable'
  detail: string
}

/** The promises that the rows do not keep. */
export function brokenPromises(rows: Map<string, Row>, promised: Map<string, Promised>): Broken[] {
  return [...promised.values()].flatMap((one): Broken[] => {
    const row = rows.get(one.id)
    if (!row) return [{ kind: 'start lost', detail: one.id }]
    const broken: Broken[] = []
    if (one.status !== 'pending' && row.status !== one.status) {
      broken.push({
        kind: 'code good again',
        detail: `${one.id}: ${one.status}, now ${row.status}`,
      })
    }
    if (row.attemptsSpent < one.attemptsSpent) {
      const counts = `${one.attemptsSpent} spent, now ${row.attemptsSpent}`
      broken.push({ kind: 'attempt forgotten', detail: `${one.id}: ${counts}` })
    }
    return broken
  })
}

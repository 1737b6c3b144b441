import type { Ports } from '../ports.ts'
import { invalidField } from '../problem.ts'
import { dayMs } from '../verification/limits.ts'
import { type Scores, shownGroup } from './scores.ts'
import type { Total } from './store.ts'

/** The most rows of an answer before small groups are put together. */
export const totalsMax = 5_000

type Range = { appId: string | null; from: number; to: number }

/** The range in whole days. */
export function wholeDays({ from, to }: Omit<Range, 'appId'>): { from: number; to: number } {
  return { from: Math.floor(from / dayMs) * dayMs, to: Math.ceil(to / dayMs) * dayMs }
}

/**
 * Messages and approvals by app, endpoint and group over `wholeDays` (UTC), the greatest first; groups of
 * few recipients together as `other`. Throws `invalid_request` where these would be too many.
 */
export async function endpointTotals(
  { learning }: Pick<Ports, 'learning'>,
  { appId, from, to }: Range,
): Promise<Total[]> {
  const days = { from: from / dayMs, to: to / dayMs }
  const totals = await learning.totals({ appId, ...days, limit: totalsMax + 1 })
  if (totals.length > totalsMax) {
    throw appId === null
      ? invalidField('app', `must be given: there are more than ${totalsMax} rows`)
      : invalidField('from', `must be later: there are more than ${totalsMax} rows`)
  }
  const scores = new Map<string, Scores | null>()
  const rows = new Map<string, Total>()
  for (const total of totals) {
    const known = scores.get(total.appId)
    const read = known ?? (await learning.scores(total.appId))?.scores ?? null
    scores.set(total.appId, read)
    addTo(rows, { ...total, group: shownGroup(read, total.group) })
  }
  return [...rows.values()].toSorted((a, b) => b.handedOver - a.handedOver)
}

function addTo(rows: Map<string, Total>, total: Total): void {
  const key = `${total.appId} ${total.endpointId} ${total.group}`
  const row = rows.get(key)
  if (!row) {
    rows.set(key, total)
    return
  }
  row.handedOver += total.handedOver
  row.approved += total.approved
}

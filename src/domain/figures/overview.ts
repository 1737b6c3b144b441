import type { Ports } from '../ports.ts'
import { dayMs, hourMs } from '../verification/limits.ts'
import {
  addFigure,
  allApps,
  type Counts,
  type Figure,
  namedDomains,
  otherValue,
  type Sum,
  slotStart,
} from './count.ts'
import { type Percentiles, percentilesOf } from './times.ts'

export const rangeNames = ['hour', 'day', 'week', 'month', 'year'] as const
export type RangeName = (typeof rangeNames)[number]

/** Each range with its buckets; a year is the last 13 months, so that months can be compared. */
const ranges: Record<RangeName, { spanMs: number; buckets: number }> = {
  hour: { spanMs: 300_000, buckets: 12 },
  day: { spanMs: hourMs, buckets: 24 },
  week: { spanMs: hourMs, buckets: 168 },
  month: { spanMs: dayMs, buckets: 30 },
  year: { spanMs: dayMs, buckets: 396 },
}

/** The values of a part that are told apart, the largest ones; all others are `other`. */
export const groupsShown = 20
export const groupedBy = ['app', 'channel', 'locale', 'domain'] as const
export type GroupedBy = (typeof groupedBy)[number]

export type Shown = Counts & {
  /** Approved verifications among those that were started; null where none was. */
  conversionPercent: number | null
  handOver: Percentiles | null
  approval: Percentiles | null
}

export type Overview = {
  range: RangeName
  from: number
  to: number
  bucketMs: number
  total: Shown
  /** Every bucket of the range, oldest first. */
  series: (Shown & { at: number })[]
  /** The largest first, `other` last. */
  by: Record<GroupedBy, (Shown & { value: string })[]>
}

/** Buckets that are read at a time, so that other work waits little. */
const bucketsRead = 24

/** What verifications that were started in the range came to, as far as it is counted. */
export async function readOverview(
  { figures, clock }: Pick<Ports, 'figures' | 'clock'>,
  { appId, range }: { appId: string | null; range: RangeName },
): Promise<Overview> {
  const { spanMs, buckets } = ranges[range]
  const to = slotStart(clock.now(), spanMs) + spanMs
  const from = to - buckets * spanMs
  const scope = appId ?? allApps
  const days = { scope, spanMs: dayMs, part: 'domain', from: slotStart(from, dayMs), to } as const
  const named = namedDomains(await figures.between(days))
  const sums = createSums(named)
  for (let at = from; at < to; at += bucketsRead * spanMs) {
    const end = Math.min(to, at + bucketsRead * spanMs)
    sums.add(await figures.between({ scope, spanMs, part: null, from: at, to: end }))
  }
  const starts = Array.from({ length: buckets }, (_, index) => from + index * spanMs)
  return {
    ...{ range, from, to, bucketMs: spanMs },
    total: shownOf(sums.total),
    series: starts.map((at) => ({ at, ...shownOf(sums.byTime.get(at) ?? newSum()) })),
    by: {
      app: largest(sums.by.app),
      channel: largest(sums.by.channel),
      locale: largest(sums.by.locale),
      domain: largest(sums.by.domain),
    },
  }
}

function newSum(): Sum {
  const none = { started: 0, handedOver: 0, approved: 0, failed: 0 }
  return { ...none, handOverTimes: {}, approvalTimes: {} }
}

type Sums = {
  total: Sum
  byTime: Map<number, Sum>
  by: Record<GroupedBy, Map<string, Sum>>
  add(figures: Figure[]): void
}

function createSums(named: ReadonlySet<string>): Sums {
  const total = newSum()
  const byTime = new Map<number, Sum>()
  const by = { app: newGroups(), channel: newGroups(), locale: newGroups(), domain: newGroups() }

  function add(figure: Figure): void {
    const { part, value } = figure
    if (part === 'total') {
      addFigure(total, figure)
      addFigure(sumOf(byTime, figure.at), figure)
      return
    }
    const isHidden = part === 'domain' && !named.has(value)
    addFigure(sumOf(by[part], isHidden ? otherValue : value), figure)
  }
  return { total, byTime, by, add: (figures) => figures.forEach(add) }
}

const newGroups = () => new Map<string, Sum>()

function sumOf<Key>(sums: Map<Key, Sum>, key: Key): Sum {
  const known = sums.get(key)
  if (known) return known
  const sum = newSum()
  sums.set(key, sum)
  return sum
}

function largest(groups: Map<string, Sum>): (Shown & { value: string })[] {
  const other = groups.get(otherValue) ?? newSum()
  const named = [...groups].filter(([value]) => value !== otherValue)
  const sorted = named.sort(([a, one], [b, two]) => two.started - one.started || (a < b ? -1 : 1))
  for (const [, sum] of sorted.slice(groupsShown)) addFigure(other, sum)
  const shown = sorted.slice(0, groupsShown).map(([value, sum]) => ({ value, ...shownOf(sum) }))
  const hasOther = other.started + other.approved + other.failed > 0
  return hasOther ? [...shown, { value: otherValue, ...shownOf(other) }] : shown
}

function shownOf({ handOverTimes, approvalTimes, ...sum }: Sum): Shown {
  const { started, handedOver, approved, failed } = sum
  return {
    ...{ started, handedOver, approved, failed },
    conversionPercent: started === 0 ? null : Math.round((1000 * approved) / started) / 10,
    handOver: percentilesOf(handOverTimes),
    approval: percentilesOf(approvalTimes),
  }
}

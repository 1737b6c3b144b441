/** Where values are between the bottom (0) and the top (1) of a chart, and which have a mark. */
export type Scale = { share(value: number): number; marks: number[] }

const marksMost = 5

/** From 0 on, with marks at whole numbers: half a verification would be a strange one. */
export function wholeScale(values: number[]): Scale {
  const most = Math.max(1, ...values)
  const step = stepFor(most / marksMost)
  const steps = Math.ceil(most / step)
  const end = steps * step
  const marks = Array.from({ length: steps + 1 }, (_, index) => index * step)
  return { marks, share: (value) => value / end }
}

/** The smallest of 1, 2, 5, 10, 20, 50 and so on that is not smaller. */
function stepFor(least: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, least))))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least) ?? 10 * power
}

/** Durations in ms that people know, each about ten times the one before. */
const knownMs = [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 86_400_000]

/** Logarithmic, with marks at durations that people know. */
export function durationScale(values: number[]): Scale {
  const [least, most] = [Math.min(...values, 1000), Math.max(...values, 1000)]
  const from = knownMs.findLast((ms) => ms <= least) ?? 1
  const to = knownMs.find((ms) => ms >= most && ms > from) ?? 86_400_000
  const share = (value: number) => Math.log(Math.max(1, value) / from) / Math.log(to / from)
  return { share, marks: knownMs.filter((ms) => ms >= from && ms <= to) }
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const stepsMs = [5, 15, 30]
  .map((count) => count * minute)
  .concat(
    [1, 3, 6, 12].map((count) => count * hour),
    [1, 2, 5].map((count) => count * day),
  )

/**
 * The places in `times` that have a mark, at round times of the reader, who is so much ahead of UTC, at
 * least `apartPx` apart; `bucketPx` is the distance of two places. Over months these are first days of
 * months.
 */
export function timeMarks(
  times: string[],
  { bucketPx, apartPx, aheadMs }: { bucketPx: number; apartPx: number; aheadMs: number },
): number[] {
  const [first, second] = times.map((time) => Date.parse(time))
  if (first === undefined || second === undefined) return times.length === 1 ? [0] : []
  const bucketMs = second - first
  const step = stepsMs.find((ms) => ms >= bucketMs && (ms / bucketMs) * bucketPx >= apartPx)
  const places = [...times.keys()]
  if (step === undefined) {
    const least = apartPx / (bucketPx * ((28 * day) / bucketMs))
    const months = [1, 2, 3, 4, 6].find((count) => count >= least) ?? 12
    return places.filter((place) => isFirstDay(times[place] ?? '', months))
  }
  // Whole days are those of UTC; of other buckets none begins at a full hour of some time zones.
  const offset = bucketMs >= day ? 0 : Math.round(aheadMs / bucketMs) * bucketMs
  return places.filter((place) => (first + place * bucketMs + offset) % step === 0)
}

function isFirstDay(time: string, everyMonths: number): boolean {
  const at = new Date(time)
  return at.getUTCDate() === 1 && at.getUTCMonth() % everyMonths === 0
}

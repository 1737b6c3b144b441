/**
 * How long something took, counted by length: the number of times in each bucket. The bounds of
 * buckets grow by a quarter, so that a percentile is off by an eighth at most.
 */
export type Times = Record<string, number>

const shortestMs = 10
const growth = 1.25
/** Beyond a day, the longest life of a code. */
const bucketMax = 72

/** Adds one time. What a wrong clock makes negative counts as none. */
export function addTime(times: Times, ms: number): void {
  const bucket = bucketOf(ms)
  times[bucket] = (times[bucket] ?? 0) + 1
}

export function addTimes(times: Times, others: Times): void {
  for (const [bucket, count] of Object.entries(others)) {
    times[bucket] = (times[bucket] ?? 0) + count
  }
}

function bucketOf(ms: number): number {
  if (ms < shortestMs) return 0
  return Math.min(bucketMax, 1 + Math.floor(Math.log(ms / shortestMs) / Math.log(growth)))
}

export type Percentiles = { p50: number; p95: number }

/** In whole ms; null without any time. */
export function percentilesOf(times: Times): Percentiles | null {
  const counts = Object.entries(times)
    .map(([bucket, count]) => ({ bucket: Number(bucket), count }))
    .sort((a, b) => a.bucket - b.bucket)
  const all = counts.reduce((sum, { count }) => sum + count, 0)
  if (all === 0) return null
  return { p50: percentile(counts, 0.5 * all), p95: percentile(counts, 0.95 * all) }
}

/** The time that so many are shorter than, as if those of a bucket were spread evenly in it. */
function percentile(counts: { bucket: number; count: number }[], rank: number): number {
  let below = 0
  for (const { bucket, count } of counts) {
    if (below + count >= rank) {
      const share = (rank - below) / count
      return Math.round(lowerBound(bucket) * (1 - share) + lowerBound(bucket + 1) * share)
    }
    below += count
  }
  return 0
}

function lowerBound(bucket: number): number {
  return bucket === 0 ? 0 : shortestMs * growth ** (bucket - 1)
}

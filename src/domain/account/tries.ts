/** How often a place was tried without success, and when last. */
export type Try = { count: number; at: number }

/** A place at which tries are counted, and how it slows them down. */
export type TryPlace = {
  key: Uint8Array
  /** Tries before the first pause. */
  free: number
  /** The longest pause, in ms. */
  pauseMaxMs: number
}

export type TryCommand = {
  /** Places of the one who tries: an address, and an address with a name. */
  own: TryPlace[]
  /** Places of all who try; they hold only for one who has failed at a place of their own. */
  shared: TryPlace[]
  now: number
}

export type TryDecision =
  | { begun: true; counted: (Try & { key: Uint8Array })[] }
  | { begun: false; retryAt: number }

/** Failures are forgotten this long after the last one. */
export const triesKeptMs = 86_400_000
const firstPauseMs = 2_000

/**
 * Counts one more try at every place, or refuses it and counts none. Whoever has not failed is not
 * held up by the failures of others, so nobody can lock a person out.
 */
export function decideTry(
  { own, shared, now }: TryCommand,
  stored: (key: Uint8Array) => Try | null,
): TryDecision {
  const hasFailed = own.some(({ key }) => countOf(stored(key), now) > 0)
  const holding = hasFailed ? [...own, ...shared] : own
  const retryAt = Math.max(...holding.map((place) => nextTryAt(place, stored(place.key), now)))
  if (retryAt > now) return { begun: false, retryAt }
  const counted = [...own, ...shared].map(({ key }) => {
    return { key, count: countOf(stored(key), now) + 1, at: now }
  })
  return { begun: true, counted }
}

/**
 * When this place may be tried again: at once while it was tried less than `free` times, then after a
 * pause that doubles. A time in the future was written by a wrong clock and counts as now.
 */
export function nextTryAt(
  { free, pauseMaxMs }: Pick<TryPlace, 'free' | 'pauseMaxMs'>,
  last: Try | null,
  now: number,
): number {
  const count = countOf(last, now)
  if (!last || count < free) return now
  const pause = Math.min(pauseMaxMs, firstPauseMs * 2 ** Math.min(count - free, 30))
  return Math.max(now, Math.min(last.at, now) + pause)
}

/** The failures that still count. */
function countOf(last: Try | null, now: number): number {
  return last && now - last.at < triesKeptMs ? last.count : 0
}

/** How a hand-over began: its latency counts unless it opened a connection. */
export type Begun = { at: number; opens: boolean }

/**
 * How many hand-overs a lane makes at a time. It grows by one with every hand-over that the server
 * answered as quickly as before while mail waits. It is halved when the server says that it is too
 * many or takes clearly longer, at most once for the hand-overs of one width; what was too many is
 * not tried again for 15 s.
 */
export type Width = {
  value(): number
  /** The width that it can grow to now, for estimates. */
  reachable(): number
  /** `running` includes this hand-over. */
  begin(running: number): Begun
  /** The server has answered; `wanting`: mail waits for a place. */
  answered(begun: Begun, wanting: boolean): void
  /** The server has too many connections; `others` still run. */
  tooMany(begun: Begun, others: number): void
  /** The connection broke, or could not be made. */
  broken(): void
  /** Begins again with one. */
  restart(): void
  /** Sets the maximum of the settings. */
  limit(max: number): void
}

const startWidth = 3
const ceilingHeldMs = 15_000
/** Latencies are compared with the quickest of this and the previous window. */
const windowMs = 30_000
/** Connections that nothing was sent over for so long are closed. */
const idleMs = 18_000
/** How much one latency weighs in their moving mean, and a difference of two in that of their noise. */
const weight = 0.2
const noiseWeight = 0.05
/** So many are averaged before their mean is judged. */
const judgedFrom = 5

type Clock = { monotonic(): number }

export function createWidth(clock: Clock, allowed: number): Width {
  let max = allowed
  const latency = createLatency(clock)
  let width = Math.min(startWidth, max)
  let ceiling = { at: max, since: Number.NEGATIVE_INFINITY }
  let cutAt = Number.NEGATIVE_INFINITY
  let opened = 0
  let usedAt = Number.NEGATIVE_INFINITY

  const cut = (to: number, newCeiling: number) => {
    const now = clock.monotonic()
    width = Math.max(1, Math.min(width, to))
    ceiling = { at: Math.min(max, Math.max(1, newCeiling)), since: now }
    cutAt = now
    latency.forget()
  }
  const raiseCeiling = () => {
    const now = clock.monotonic()
    if (ceiling.at >= max || now - ceiling.since < ceilingHeldMs) return
    ceiling = { at: Math.min(max, ceiling.at * 2), since: now }
  }
  return {
    value: () => width,
    reachable: () => {
      raiseCeiling()
      return Math.max(width, ceiling.at)
    },
    begin(running) {
      const at = clock.monotonic()
      if (at - usedAt > idleMs) opened = 0
      usedAt = at
      const opens = running > opened
      if (opens) opened = running
      return { at, opens }
    },
    answered(begun, wanting) {
      usedAt = clock.monotonic()
      // A hand-over from before a cut measures the width before it.
      if (begun.at <= cutAt) return
      if (!begun.opens) latency.add(usedAt - begun.at)
      if (latency.isSlow()) {
        cut(Math.floor(width / 2), width - 1)
        return
      }
      raiseCeiling()
      if (wanting && latency.isQuick()) width = Math.min(width + 1, ceiling.at)
    },
    tooMany(begun, others) {
      opened = others
      if (begun.at > cutAt) cut(Math.min(others, Math.floor(width / 2)), others)
      else ceiling = { ...ceiling, at: Math.max(1, Math.min(ceiling.at, others)) }
      width = Math.min(width, ceiling.at)
    },
    broken() {
      opened = Math.max(0, opened - 1)
    },
    restart() {
      width = 1
      opened = 0
      latency.forget()
    },
    limit(newMax) {
      if (newMax === max) return
      ceiling = { ...ceiling, at: ceiling.at >= max ? newMax : Math.min(ceiling.at, newMax) }
      max = newMax
      width = Math.min(width, ceiling.at)
    },
  }
}

/**
 * The moving mean of latencies, and its minimum of the last minute. The mean of few is high or low by
 * chance, the more so the more the answers of the server differ. How much is measured by the differences
 * of consecutive ones, in which a server that becomes slower hardly shows.
 */
function createLatency(clock: Clock) {
  const noise = createNoise()
  let [recent, count] = [0, 0]
  let since = clock.monotonic()
  let [least, leastBefore] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]

  const mayJudge = () => count >= judgedFrom
  const lowest = () => Math.min(least, leastBefore)
  /** Whether it is higher by more than so many standard errors of the mean. */
  const isHigher = (errors: number) => {
    const share = Math.max(1 / count, weight / (2 - weight))
    return recent - lowest() > errors * Math.sqrt(noise.variance() * share)
  }
  return {
    add(ms: number) {
      noise.add(ms)
      count++
      recent += Math.max(weight, 1 / count) * (ms - recent)
      if (!mayJudge()) return
      const now = clock.monotonic()
      if (now - since > windowMs) {
        leastBefore = now - since > 2 * windowMs ? Number.POSITIVE_INFINITY : least
        least = Number.POSITIVE_INFINITY
        since = now
      }
      least = Math.min(least, recent)
    },
    isSlow: () => mayJudge() && recent > 2 * lowest() + 100 && isHigher(8),
    isQuick: () => !mayJudge() || recent <= 1.5 * lowest() + 50 || !isHigher(4),
    forget() {
      count = 0
      noise.forget()
    },
  }
}

/** The variance of latencies, by the differences of consecutive ones. */
function createNoise() {
  let [variance, count] = [0, 0]
  let last: number | null = null
  return {
    variance: () => variance,
    add(ms: number) {
      if (last !== null) {
        count++
        variance += Math.max(noiseWeight, 1 / count) * ((ms - last) ** 2 / 2 - variance)
      }
      last = ms
    },
    forget() {
      last = null
    },
  }
}

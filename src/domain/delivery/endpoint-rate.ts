/**
 * A token bucket: as many hand-overs as an endpoint allows a minute, each of which gives its token
 * back 60 s after its end. So no 60 s see more hand-overs than allowed, whenever within its hand-over
 * a server counts a message. It is kept in memory: a restart begins with a full bucket.
 */
export type EndpointRate = {
  /** Null for no limit. */
  perMinute: number | null
  /** Hand-overs that have not ended. */
  running: number
  /** When each token of an ended hand-over comes back, earliest first. */
  backAt: number[]
}

export const rateWindowMs = 60_000

export function newEndpointRate(): EndpointRate {
  return { perMinute: null, running: 0, backAt: [] }
}

/**
 * What one of so many nodes may take of a number that an endpoint allows to all of them. Each may take
 * one, so that none holds messages that it may never send.
 */
export function shareOf(most: number, nodes: number): number {
  return Math.max(1, Math.floor(most / nodes))
}

/** Hand-overs that may begin now; Infinity without a limit. */
export function tokensLeft(rate: EndpointRate, now: number): number {
  if (rate.perMinute === null) return Number.POSITIVE_INFINITY
  const used = rate.running + rate.backAt.length - countBack(rate, now)
  return Math.max(0, rate.perMinute - used)
}

export function takeToken(rate: EndpointRate): void {
  rate.running++
}

/** Gives a token back in 60 s, or at once where no hand-over was begun. */
export function returnToken(rate: EndpointRate, now: number, begun: boolean): void {
  rate.running--
  if (rate.perMinute === null) rate.backAt = []
  else if (begun) {
    rate.backAt.splice(0, countBack(rate, now))
    rate.backAt.push(now + rateWindowMs)
  }
}

/**
 * How long a message waits for its token, in ms, where so many are before it and each hand-over ends
 * at once.
 */
export function tokenWaitMs(rate: EndpointRate, ahead: number, now: number): number {
  const { perMinute, backAt } = rate
  if (perMinute === null) return 0
  const back = countBack(rate, now)
  const used = rate.running + backAt.length - back
  const free = Math.max(0, perMinute - used)
  // In each round of 60 s, the free tokens are taken first, then those that come back.
  const turn = ahead % perMinute
  const rounds = Math.floor(ahead / perMinute) * rateWindowMs
  if (turn < free) return rounds
  // Where the limit was lowered, the first that come back are not given out again.
  const at = backAt[back + turn - free + Math.max(0, used - perMinute)] ?? now + rateWindowMs
  return at - now + rounds
}

/** Tokens of ended hand-overs that have come back. */
function countBack({ backAt }: EndpointRate, now: number): number {
  const first = backAt.findIndex((at) => at > now)
  return first < 0 ? backAt.length : first
}

/**
 * How long a code is still valid, as a message says it: whole minutes, and whole hours from two
 * hours on. A count of 0 is less than a minute.
 */
export type Life = {
  unit: 'minutes' | 'hours'
  count: number
  /** The count as it is written. */
  digits: string
}

const minuteMs = 60_000
const hourMs = 3_600_000

/** The life that is left, rounded down, so that no code is valid for less than its message says. */
export function lifeLeft(expiresAt: number, now: number): Life {
  const leftMs = Math.max(0, expiresAt - now)
  const unit = leftMs < 2 * hourMs ? 'minutes' : 'hours'
  const count = Math.floor(leftMs / (unit === 'minutes' ? minuteMs : hourMs))
  return { unit, count, digits: String(count) }
}

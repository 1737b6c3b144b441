/** One rate: `max` at once, then one each `windowMs / max` (GCRA with burst `max`). */
export type Limit = {
  /** Public name, as in docs/api.md and in a 429's `limit`. */
  name: string
  /** Keyed hash of what is counted. */
  key: Uint8Array
  max: number
  windowMs: number
}

/** Failures a recipient may collect in a sliding window before codes become long. */
export type BudgetWindow = { max: number; windowMs: number }

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs

/**
 * The chance in a year, for one recipient, that blind guessing hits a code: the budget's guesses
 * against the code space (NIST SP 800-63B-4 section 3.2.2 asks for a bound on failures).
 */
export function guessBoundPerYear(windows: BudgetWindow[], codeLength: number): number {
  const yearMs = 365.25 * dayMs
  const guesses = Math.min(...windows.map(({ max, windowMs }) => (max * yearMs) / windowMs))
  return 1 - (1 - 10 ** -codeLength) ** guesses
}

/**
 * Pauses a lane whose server does not answer: after three failures in a row nothing is tried for
 * 1 s, then one hand-over; while that fails too, the pauses double up to 15 s.
 */
export type Circuit = {
  /** True while nothing may be tried. */
  isPaused(): boolean
  /** True after a pause, while one hand-over tests whether the server is back. */
  isProbing(): boolean
  /** The rest of the pause, in ms; 0 without one. */
  pausedForMs(): number
  /** A hand-over that began at `begunAt` got no answer. True when a pause begins. */
  failed(begunAt: number): boolean
  answered(): void
}

const failuresMax = 3
const firstPauseMs = 1_000
export const pauseMaxMs = 15_000

export function createCircuit({ monotonic }: { monotonic(): number }): Circuit {
  let failures = 0
  let pause: { from: number; until: number; ms: number } | null = null

  return {
    isPaused: () => pause !== null && monotonic() < pause.until,
    isProbing: () => pause !== null && monotonic() >= pause.until,
    pausedForMs: () => (pause === null ? 0 : Math.max(0, pause.until - monotonic())),
    failed(begunAt) {
      failures++
      if (pause ? begunAt < pause.until : failures < failuresMax) return false
      const from = monotonic()
      const ms = pause ? Math.min(2 * pause.ms, pauseMaxMs) : firstPauseMs
      pause = { from, until: from + ms, ms }
      return true
    },
    answered() {
      failures = 0
      pause = null
    },
  }
}

import type { Clock, Timers } from '../domain/ports.ts'
import { Problem } from '../domain/problem.ts'

/** A clock that follows the database's, so that all nodes have the same time. */
export type DatabaseClock = Clock & {
  /** Asks the database. Rejects with `store_unavailable` where the answer takes too long to know. */
  measure(): Promise<void>
  /**
   * How far this machine's own clock was ahead of the database's at the last measurement, in ms, and
   * how far that may be wrong.
   */
  lead(): { ms: number; errorMs: number }
}

/** A node whose clock is further off is not ready; so is one that cannot tell so closely. */
export const clockOffMaxMs = 250
/** A sample as close as this needs no second one. */
const closeMs = 5
const samplesMax = 3

type ClockPorts = {
  /** The database's time, in epoch ms. */
  time(): Promise<number>
  machine: Clock
  timers: Pick<Timers, 'monotonic'>
}

type Sample = { at: number; monotonic: number; errorMs: number; leadMs: number }

/**
 * Measures as NTP does: the database's time belongs to the middle between question and answer, and is
 * wrong by half of their distance at most. Between measurements time follows the monotonic clock, so
 * that a step of the machine's clock changes nothing.
 */
export async function createDatabaseClock(ports: ClockPorts): Promise<DatabaseClock> {
  const { timers } = ports
  let known = await measure(ports)

  return {
    now: () => Math.round(known.at + timers.monotonic() - known.monotonic),
    async measure() {
      known = await measure(ports)
    },
    lead: () => ({ ms: known.leadMs, errorMs: known.errorMs }),
  }
}

/** The closest of some samples. */
async function measure({ time, machine, timers }: ClockPorts): Promise<Sample> {
  let best: Sample | null = null
  for (let count = 0; count < samplesMax && !(best && best.errorMs <= closeMs); count++) {
    const asked = timers.monotonic()
    const askedAt = machine.now()
    const at = await time()
    const errorMs = (timers.monotonic() - asked) / 2
    const leadMs = askedAt + errorMs - at
    if (!best || errorMs < best.errorMs) best = { at, monotonic: asked + errorMs, errorMs, leadMs }
  }
  if (best && best.errorMs <= clockOffMaxMs) return best
  throw new Problem('store_unavailable', { retryAfterSeconds: 5 })
}

/** True where the machine's clock is surely further off than allowed. */
export function isClockOff(clock: Pick<DatabaseClock, 'lead'>): boolean {
  const { ms, errorMs } = clock.lead()
  return Math.abs(ms) - errorMs > clockOffMaxMs
}

import type { Clock } from './domain/ports.ts'

/** The machine's clock; the one place where time enters. */
export const systemClock: Clock = { now: () => Date.now() }

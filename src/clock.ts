import type { Clock } from './domain/ports.ts'

/** The machine's clock, which only this file reads. */
export const systemClock: Clock = { now: () => Date.now() }

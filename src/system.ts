import type { Clock, Random, Timers } from './domain/ports.ts'

/** The machine's clock, which only this file reads. */
export const systemClock: Clock = { now: () => Date.now() }

/** The runtime's timers and its monotonic clock, which only this file uses. */
export const systemTimers: Timers = {
  sleep: (ms) => Bun.sleep(ms),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
  soon: (callback) => void setImmediate(callback),
  monotonic: () => performance.now(),
}

/** Secure random bytes of the operating system. */
export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
}

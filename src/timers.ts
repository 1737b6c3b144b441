import type { Timers } from './domain/ports.ts'

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

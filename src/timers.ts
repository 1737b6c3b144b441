import type { Timers } from './domain/ports.ts'

/** The runtime's timers and its monotonic clock; the one place where waiting is real. */
export const systemTimers: Timers = {
  sleep: (ms) => Bun.sleep(ms),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
  soon: (callback) => void setImmediate(callback),
  monotonic: () => performance.now(),
}

import { createLog } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { World } from '../support/world.ts'

/** A world with metrics and a recorded log. */
export function observed(w: World) {
  const metrics = createMetrics()
  const lines: { event: string; [field: string]: unknown }[] = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  const log = createLog({ level: 'debug', write, clock: w.clock })
  const events = () => lines.map(({ event }) => event)
  return { metrics, log, lines, events, ports: { ...w, metrics, log } }
}

/** Timers that the test moves: `pass` runs what is due, in order, and waits for its promises. */
export function steppedTimers() {
  let now = 0
  let waiting: { at: number; callback: () => void }[] = []
  const after = (ms: number, callback: () => void) => {
    const entry = { at: now + ms, callback }
    waiting.push(entry)
    return () => {
      waiting = waiting.filter((other) => other !== entry)
    }
  }
  const timers = {
    after,
    sleep: (ms: number) => new Promise<void>((resolve) => void after(ms, resolve)),
    soon: (callback: () => void) => void setImmediate(callback),
    monotonic: () => now,
  }
  const pass = async (ms: number) => {
    const until = now + ms
    for (;;) {
      await settled()
      const [next] = waiting.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (!next) break
      waiting = waiting.filter((other) => other !== next)
      now = Math.max(now, next.at)
      next.callback()
    }
    now = until
  }
  return { timers, pass }
}

/** Waits for pending promises and the store's commits. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise(setImmediate)
}

import type { Timers } from '../domain/ports.ts'
import { Problem } from '../domain/problem.ts'

type Options = {
  timers: Pick<Timers, 'after'>
  /** The longest wait for a turn, in ms. */
  waitMs?: number
  /** The most that wait; more are refused. */
  waitingMax?: number
}

type Waiting = { begin(): void; cancel(): void }

/**
 * Runs one work at a time, in the order in which they were asked for. Rejects with
 * `store_unavailable` where too many wait, or one has waited too long.
 */
export function createTurns({ timers, waitMs = 10_000, waitingMax = 1000 }: Options) {
  const waiting: Waiting[] = []
  let isRunning = false

  async function run<Result>(work: () => Promise<Result>): Promise<Result> {
    isRunning = true
    try {
      return await work()
    } finally {
      isRunning = false
      const next = waiting.shift()
      next?.cancel()
      next?.begin()
    }
  }

  return <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (!isRunning) return run(work)
    if (waiting.length >= waitingMax) return Promise.reject(unavailable())
    return new Promise((resolve, reject) => {
      const one: Waiting = { begin: () => run(work).then(resolve, reject), cancel: () => {} }
      one.cancel = timers.after(waitMs, () => {
        waiting.splice(waiting.indexOf(one), 1)
        reject(unavailable())
      })
      waiting.push(one)
    })
  }
}

function unavailable(): Problem {
  return new Problem('store_unavailable', { retryAfterSeconds: 5 })
}

import type { Timers } from '../../domain/ports.ts'
import { Problem } from '../../domain/problem.ts'
import { toProblem, Unavailable } from './failure.ts'

export type BatchOptions<Command, Result> = {
  timers: Pick<Timers, 'soon' | 'after'>
  /** One key or several. No two commands of a batch share one; the first sorts the batch. */
  keyOf(command: Command): string | string[]
  /** The most commands of a batch. */
  max: number
  /** The most batches at a time. */
  atOnce: number
  /**
   * How long a batch runs before the next one begins beside it, in ms; 0 begins at once. One batch at a
   * time is larger, and so cheaper; the next one does not wait for one that a fault holds up.
   */
  aloneMs?: number
  /**
   * The pause after a batch, in which those who were answered ask again, in ms; 0 for none. There is
   * none after fewer than four commands, and it ends when thirty-two wait.
   */
  restMs?: number
  /** The most commands that wait; more are refused. */
  waitingMax?: number
  /** Answers each command, in their order. */
  run(commands: Command[]): Promise<Result[]>
}

const restFrom = 4
const restMax = 32

type Waiting<Command, Result> = {
  command: Command
  keys: string[]
  resolve(result: Result): void
  reject(error: unknown): void
}

/**
 * Runs the commands of a turn of the event loop together. A batch is sorted, so that two of them
 * lock in the same order; a second command for the same key waits for the next batch. When a batch
 * fails for another reason than an unavailable database, each of its commands runs alone.
 */
export function createBatch<Command, Result>(
  options: BatchOptions<Command, Result>,
): (command: Command) => Promise<Result> {
  const { timers, keyOf, max, atOnce, run, aloneMs = 0, waitingMax = 20_000 } = options
  const rest = createRest(timers, options.restMs ?? 0, schedule)
  let waiting: Waiting<Command, Result>[] = []
  let running = 0
  const alone = createAlone(timers, aloneMs, schedule)
  let isScheduled = false

  function schedule(): void {
    if (isScheduled || !mayRun()) return
    isScheduled = true
    timers.soon(() => {
      isScheduled = false
      while (mayRun()) void runBatch(nextBatch())
    })
  }

  function mayRun(): boolean {
    const isDue = waiting.length >= (rest.isOn() ? restMax : 1)
    return isDue && running < atOnce && alone.count() === 0
  }

  function nextBatch(): Waiting<Command, Result>[] {
    const batch: Waiting<Command, Result>[] = []
    const left: Waiting<Command, Result>[] = []
    const keys = new Set<string>()
    for (const [index, one] of waiting.entries()) {
      if (batch.length === max) {
        left.push(...waiting.slice(index))
        break
      }
      if (one.keys.every((key) => !keys.has(key))) batch.push(one)
      else left.push(one)
      // Whoever waits behind another one for a key stays behind it.
      for (const key of one.keys) keys.add(key)
    }
    waiting = left
    return batch.sort(({ keys: [one = ''] }, { keys: [other = ''] }) => (one < other ? -1 : 1))
  }

  async function runBatch(batch: Waiting<Command, Result>[]): Promise<void> {
    running++
    const endAlone = alone.begin()
    try {
      await answer(batch)
    } catch (reason) {
      const error = toProblem(reason)
      if (batch.length === 1 || error instanceof Problem) {
        for (const one of batch) one.reject(error)
      } else {
        for (const one of batch) await answer([one]).catch(one.reject)
      }
    } finally {
      running--
      if (batch.length >= restFrom) rest.begin()
      endAlone()
      schedule()
    }
  }

  async function answer(batch: Waiting<Command, Result>[]): Promise<void> {
    const results = await run(batch.map(({ command }) => command))
    // It was done, so it may not be done again.
    if (results.length !== batch.length) throw new Unavailable('a batch has too few answers')
    for (const [index, one] of batch.entries()) one.resolve(results[index] as Result)
  }

  return (command) => {
    if (waiting.length >= waitingMax) {
      return Promise.reject(new Problem('store_unavailable', { retryAfterSeconds: 5 }))
    }
    return new Promise((resolve, reject) => {
      waiting.push({ command, keys: [keyOf(command)].flat(), resolve, reject })
      schedule()
    })
  }
}

/** Is on for `ms` after each begin, then calls `onEnd`. */
function createRest(timers: Pick<Timers, 'after'>, ms: number, onEnd: () => void) {
  let cancel: (() => void) | null = null
  return {
    isOn: () => cancel !== null,
    begin(): void {
      if (ms === 0) return
      cancel?.()
      cancel = timers.after(ms, () => {
        cancel = null
        onEnd()
      })
    },
  }
}

/** Counts what runs alone: for `ms`, or until it ends before; then calls `onEnd`. */
function createAlone(timers: Pick<Timers, 'after'>, ms: number, onEnd: () => void) {
  let count = 0
  return {
    count: () => count,
    begin(): () => void {
      if (ms === 0) return () => {}
      count++
      let isOver = false
      const end = () => {
        if (isOver) return
        isOver = true
        count--
        onEnd()
      }
      const cancel = timers.after(ms, end)
      return () => {
        cancel()
        end()
      }
    },
  }
}

import type { Log, Timers } from '../domain/ports.ts'
import { nameOf } from '../domain/problem.ts'

export type Job = {
  start(): void
  /** Resolves when the current run has ended. */
  stop(): Promise<void>
}

/**
 * Runs `work` at once, so that a short-lived process runs it too, and then with `everyMs` between
 * the end of one run and the start of the next: runs never overlap. An exception is logged as
 * `<event>_failed` and does not end the job.
 */
export function periodic(
  { log, timers }: { log: Log; timers: Timers },
  { everyMs, event }: { everyMs: number; event: string },
  work: (signal: AbortSignal) => Promise<void>,
): Job {
  const stopped = new AbortController()
  let cancel: (() => void) | null = null
  let running: Promise<void> = Promise.resolve()

  const run = () => {
    running = work(stopped.signal)
      .catch((error: unknown) => {
        log.warn(`${event}_failed`, { detail: nameOf(error) })
      })
      .then(() => schedule(everyMs))
  }
  const schedule = (waitMs: number) => {
    if (!stopped.signal.aborted) cancel = timers.after(waitMs, run)
  }

  return {
    start: () => schedule(0),
    stop: () => {
      stopped.abort()
      cancel?.()
      return running
    },
  }
}

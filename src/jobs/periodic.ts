import type { Log, Timers } from '../domain/ports.ts'
import { nameOf } from '../domain/problem.ts'

export type Job = {
  start(): void
  /** Resolves when the current run has ended. */
  stop(): Promise<void>
}

/** False for a node that was silent, until it has read again what may have changed. */
export type Gate = { isCurrent?: (() => boolean) | undefined }

/**
 * Runs `work` at once, so that a short-lived process runs it too, and then with `everyMs` between
 * the end of one run and the start of the next: runs never overlap. An exception is logged as
 * `<event>_failed` and does not end the job. A node that is not current skips runs.
 */
export function periodic(
  { log, timers, isCurrent = () => true }: { log: Log; timers: Timers } & Gate,
  { everyMs, event }: { everyMs: number; event: string },
  work: (signal: AbortSignal) => Promise<void>,
): Job {
  const stopped = new AbortController()
  let cancel: (() => void) | null = null
  let running: Promise<void> = Promise.resolve()

  const run = () => {
    running = (isCurrent() ? work(stopped.signal) : Promise.resolve())
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

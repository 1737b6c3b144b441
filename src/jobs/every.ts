import type { Log } from '../domain/ports.ts'

export type Job = {
  start(): void
  /** Resolves when a run that is under way has ended. */
  stop(): Promise<void>
}

/**
 * Repeats `work` with `intervalMs` between the end of one run and the start of the next, so that
 * runs never overlap. A run that throws is logged as `<event>_failed` and the next one comes.
 */
export function every(
  intervalMs: number,
  event: string,
  log: Log,
  work: (signal: AbortSignal) => Promise<void>,
): Job {
  const stopped = new AbortController()
  let timer: ReturnType<typeof setTimeout> | null = null
  let running: Promise<void> = Promise.resolve()

  const tick = () => {
    running = work(stopped.signal)
      .catch((error: unknown) => {
        log.warn(`${event}_failed`, { detail: error instanceof Error ? error.name : 'unknown' })
      })
      .then(schedule)
  }
  const schedule = () => {
    if (!stopped.signal.aborted) timer = setTimeout(tick, intervalMs)
  }

  return {
    start: schedule,
    stop: () => {
      stopped.abort()
      if (timer) clearTimeout(timer)
      return running
    },
  }
}

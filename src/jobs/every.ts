import type { Log } from '../domain/ports.ts'

export type Job = {
  start(): void
  /** Resolves when a run that is under way has ended. */
  stop(): Promise<void>
}

/**
 * Runs `work` at once, so that a process which never lives long gets to it too, and then with
 * `intervalMs` between the end of one run and the start of the next: runs never overlap. One that
 * throws is logged as `<event>_failed` and the next one comes.
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
      .then(() => schedule(intervalMs))
  }
  const schedule = (waitMs: number) => {
    if (!stopped.signal.aborted) timer = setTimeout(tick, waitMs)
  }

  return {
    start: () => schedule(0),
    stop: () => {
      stopped.abort()
      if (timer) clearTimeout(timer)
      return running
    },
  }
}

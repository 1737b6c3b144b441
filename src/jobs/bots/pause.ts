import type { Timers } from '../../domain/ports.ts'

/** Resolves after `ms`, or at once with the signal. */
export function pause(
  timers: Pick<Timers, 'after'>,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = timers.after(ms, end)
    signal.addEventListener('abort', end)
  })
}

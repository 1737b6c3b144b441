import type { Clock, DeliveryState, Timers } from '../../domain/ports.ts'

/** Callers that wait for the outcome of a verification's message. */
export type Waiters = {
  /**
   * Resolves with the first outcome of which `isEnough` is true, also of the last seconds; null
   * when the wait ends first.
   */
  wait(
    verificationId: string,
    waitMs: number,
    isEnough?: (state: DeliveryState) => boolean,
  ): Promise<DeliveryState | null>
  tell(verificationId: string, state: DeliveryState): void
  /** True while somebody waits. */
  has(verificationId: string): boolean
}

const endedMax = 10_000
/** Less than the least wait between two messages, so that an old outcome is not a new one's. */
const endedKeptMs = 4_000

type Ended = { state: DeliveryState; at: number }

export function createWaiters({ timers, clock }: { timers: Timers; clock: Clock }): Waiters {
  const waiting = new Map<string, Set<(state: DeliveryState) => void>>()
  /** The latest outcomes, for callers that ask after a quick one. */
  const ended = new Map<string, Ended>()

  const endOf = (verificationId: string): DeliveryState | null => {
    const end = ended.get(verificationId)
    return end && Math.abs(clock.now() - end.at) <= endedKeptMs ? end.state : null
  }
  return {
    wait(verificationId, waitMs, isEnough = () => true) {
      const end = endOf(verificationId)
      if (end && isEnough(end)) return Promise.resolve(end)
      return new Promise((resolve) => {
        const all = waiting.get(verificationId) ?? new Set()
        waiting.set(verificationId, all)
        const hear = (state: DeliveryState) => {
          if (isEnough(state)) answer(state)
        }
        const answer = (state: DeliveryState | null) => {
          cancelLate()
          all.delete(hear)
          if (all.size === 0) waiting.delete(verificationId)
          resolve(state)
        }
        const cancelLate = timers.after(waitMs, () => answer(null))
        all.add(hear)
      })
    },
    tell(verificationId, state) {
      ended.delete(verificationId)
      ended.set(verificationId, { state, at: clock.now() })
      const [oldest] = ended.keys()
      if (ended.size > endedMax && oldest !== undefined) ended.delete(oldest)
      for (const hear of [...(waiting.get(verificationId) ?? [])]) hear(state)
    },
    has: (verificationId) => waiting.has(verificationId),
  }
}

import type { DeliveryState } from '../domain/ports.ts'

const endedMax = 1_000

/** Those who wait for what becomes of a delivery. */
export function createWaiters() {
  const waiting = new Map<string, Set<(state: DeliveryState) => void>>()
  /** The latest ends, for who asks after a quick one. */
  const ended = new Map<string, DeliveryState>()

  return {
    wait(deliveryId: string, waitMs: number): Promise<DeliveryState | null> {
      const end = ended.get(deliveryId)
      if (end) return Promise.resolve(end)
      return new Promise((resolve) => {
        const all = waiting.get(deliveryId) ?? new Set()
        waiting.set(deliveryId, all)
        const answer = (state: DeliveryState | null) => {
          clearTimeout(late)
          all.delete(answer)
          if (all.size === 0) waiting.delete(deliveryId)
          resolve(state)
        }
        const late = setTimeout(() => answer(null), waitMs)
        all.add(answer)
      })
    },
    tell(deliveryId: string, state: DeliveryState) {
      if (state.status !== 'deferred') {
        ended.set(deliveryId, state)
        const [oldest] = ended.keys()
        if (ended.size > endedMax && oldest !== undefined) ended.delete(oldest)
      }
      for (const answer of [...(waiting.get(deliveryId) ?? [])]) answer(state)
    },
  }
}

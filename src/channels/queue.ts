import type { DeliveryOutcome } from '../domain/delivery/delivery.ts'
import type { Clock, Queued, Timers, Turn } from '../domain/ports.ts'

/** Hand-overs that wait for one of the connections to their endpoint. */
export type Queue = {
  /**
   * Runs a hand-over once fewer than the turn's `width` run to this endpoint. Null when it was not
   * begun: it was stopped, it waited for 2 s or until its code expired, or a hand-over before it
   * found the endpoint failing.
   */
  run(
    mail: { endpointId: string; expiresAt: number },
    turn: Turn,
    handOver: () => Promise<DeliveryOutcome>,
  ): Promise<Queued | null>
}

type Waiting = { since: number; expiresAt: number; begin(): void; giveBack(): void }
type Endpoint = { running: number; width: number; waiting: Set<Waiting> }

/** After a longer wait, in ms, the sender decides again whether and where it is sent. */
export const waitMaxMs = 2_000

type QueuePorts = { clock: Clock; timers: Pick<Timers, 'monotonic'> }

export function createQueue({ clock, timers }: QueuePorts): Queue {
  const endpoints = new Map<string, Endpoint>()

  const next = (endpoint: Endpoint): void => {
    while (endpoint.running < endpoint.width) {
      const [first] = endpoint.waiting
      if (!first) return
      endpoint.waiting.delete(first)
      const isLate = timers.monotonic() - first.since > waitMaxMs
      // The clock may have jumped meanwhile.
      if (isLate || first.expiresAt <= clock.now()) first.giveBack()
      else first.begin()
    }
  }
  const run = async (id: string, endpoint: Endpoint, handOver: () => Promise<DeliveryOutcome>) => {
    endpoint.running++
    const begunAt = timers.monotonic()
    const outcome = await handOver()
    const others = --endpoint.running
    const tookMs = Math.round(timers.monotonic() - begunAt)
    if (isFailing(outcome)) {
      for (const waiting of [...endpoint.waiting]) waiting.giveBack()
      endpoint.waiting.clear()
    }
    next(endpoint)
    if (endpoint.running + endpoint.waiting.size === 0) endpoints.delete(id)
    return { outcome, tookMs, others }
  }
  return {
    run({ endpointId: id, expiresAt }, { width, signal }, handOver) {
      const endpoint = endpoints.get(id) ?? { running: 0, width, waiting: new Set() }
      endpoints.set(id, endpoint)
      endpoint.width = width
      if (endpoint.running < width && endpoint.waiting.size === 0) {
        return run(id, endpoint, handOver)
      }
      return new Promise((resolve) => {
        const waiting: Waiting = {
          since: timers.monotonic(),
          expiresAt,
          begin() {
            signal.removeEventListener('abort', stop)
            resolve(run(id, endpoint, handOver))
          },
          giveBack() {
            signal.removeEventListener('abort', stop)
            resolve(null)
          },
        }
        const stop = () => {
          endpoint.waiting.delete(waiting)
          waiting.giveBack()
        }
        endpoint.waiting.add(waiting)
        signal.addEventListener('abort', stop)
        if (signal.aborted) stop()
      })
    },
  }
}

/** The next hand-over would fail likewise, or the server asks for fewer connections. */
function isFailing(outcome: DeliveryOutcome): boolean {
  if (outcome.status === 'sent') return false
  return outcome.cause === 'network' || outcome.cause === 'busy' || outcome.cause === 'login'
}

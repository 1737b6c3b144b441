import type { Log, Ports } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'

/** Gives leases back to the store, many in one write, and again where it did not take them. */
export type Releases = {
  add(deliveryId: string): void
  /** Resolves when all of them are on disk, or were tried once more and will time out. */
  drain(): Promise<void>
}

type ReleasePorts = Pick<Ports, 'deliveries' | 'timers' | 'node'> & {
  log: Log
  /** Claimed again meanwhile, so that the lease is needed. */
  isHeld(deliveryId: string): boolean
}

const retryMs = 1_000

export function createReleases(ports: ReleasePorts): Releases {
  const { deliveries, timers, node, log, isHeld } = ports
  let gathered = new Set<string>()
  let last: Promise<void> = Promise.resolve()
  let isScheduled = false
  let isDraining = false

  const flush = () => {
    isScheduled = false
    const ids = [...gathered].filter((id) => !isHeld(id))
    gathered = new Set()
    if (ids.length === 0) return
    last = Promise.all([last, release(ids)]).then(() => {})
  }
  const schedule = (when: (run: () => void) => void) => {
    if (isScheduled || isDraining) return
    isScheduled = true
    when(flush)
  }
  const release = async (ids: string[]) => {
    try {
      await deliveries.release({ node, ids })
    } catch (error) {
      const detail = nameOf(error)
      log.warn('outbox_release_failed', { count: ids.length, detail })
      for (const id of ids) gathered.add(id)
      schedule((run) => timers.after(retryMs, run))
    }
  }
  return {
    add(deliveryId) {
      gathered.add(deliveryId)
      schedule(timers.soon)
    },
    drain() {
      isDraining = true
      flush()
      return last
    },
  }
}

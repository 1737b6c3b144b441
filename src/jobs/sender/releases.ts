import type { Log, Ports } from '../../domain/ports.ts'

/** Gives leases back to the store, many in one write. */
export type Releases = {
  add(deliveryId: string): void
  /** Resolves when all of them are on disk, or could not be written and will time out. */
  drain(): Promise<void>
}

type ReleasePorts = Pick<Ports, 'deliveries' | 'timers' | 'node'> & { log: Log }

export function createReleases({ deliveries, timers, node, log }: ReleasePorts): Releases {
  let gathered: string[] = []
  let last: Promise<void> = Promise.resolve()

  const flush = () => {
    const ids = gathered
    gathered = []
    if (ids.length === 0) return
    last = Promise.all([
      last,
      deliveries.release({ node, ids }).catch((error: unknown) => {
        const detail = error instanceof Error ? error.name : 'unknown'
        log.warn('outbox_release_failed', { count: ids.length, detail })
      }),
    ]).then(() => {})
  }
  return {
    add(deliveryId) {
      if (gathered.length === 0) timers.soon(flush)
      gathered.push(deliveryId)
    },
    drain() {
      flush()
      return last
    },
  }
}

import type { DeliveryStore, SettleCommand } from '../domain/stores.ts'

/**
 * Ends of tries that come within this time, in ms, are written in one commit: a commit costs as
 * much as sending a mail, whatever it holds. A crash in between sends those codes once more.
 */
const gatherMs = 10

export type Ledger = {
  /** Resolves when the end is on disk. */
  settle(command: SettleCommand): Promise<void>
  /** Resolves when all that was begun is on disk. */
  drain(): Promise<void>
}

export function createLedger(deliveries: Pick<DeliveryStore, 'settle'>): Ledger {
  const open = new Set<Promise<void>>()
  let gathered: Promise<void> | null = null

  return {
    settle(command) {
      gathered ??= Bun.sleep(gatherMs).then(() => {
        gathered = null
      })
      const written = gathered.then(() => deliveries.settle(command))
      const done = written.catch(() => {})
      open.add(done)
      done.then(() => open.delete(done))
      return written
    },
    async drain() {
      await Promise.all(open)
    },
  }
}

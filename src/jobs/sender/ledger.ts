import type { DeliveryStore, SettleCommand } from '../../domain/delivery/stores.ts'
import type { Log, Timers } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'

/** Writes the outcomes of tries in groups, and again when the database refuses them. */
export type Ledger = {
  /**
   * Resolves with whether it is on disk. If not, it is written again every second, and `onDisk` is
   * called once it is, with whether the following delivery was queued. Where a caller waits for the outcome it is written in this turn of the event
   * loop, with all that were gathered.
   */
  settle(command: SettleCommand, onDisk: OnDisk, isAwaited?: boolean): Promise<boolean>
  /** False while so many outcomes are unwritten that nothing more may be sent. */
  hasRoom(): boolean
  /** Resolves when every outcome is on disk, or was tried once more. */
  drain(): Promise<void>
}

type OnDisk = (isFollowed: boolean) => void

/**
 * Outcomes that come within this time, in ms, are written in one commit, because a commit costs as
 * much as sending a mail. A crash in between sends those codes once more.
 */
const gatherMs = 10
const openMax = 2_000
const retryMs = 1_000

type LedgerPorts = {
  deliveries: Pick<DeliveryStore, 'settle'>
  timers: Timers
  log: Log
  /** Called when there is room again. */
  onRoom(): void
}

export function createLedger({ deliveries, timers, log, onRoom }: LedgerPorts): Ledger {
  const open = new Set<Promise<boolean>>()
  const failed = new Map<SettleCommand, OnDisk>()
  let group: { isOver: Promise<void>; end(): void } | null = null
  let isRetrying = false
  let isDraining = false

  const hasRoom = () => open.size + failed.size < openMax
  const closing = (close: () => void) => {
    const wasFull = !hasRoom()
    close()
    if (wasFull && hasRoom()) onRoom()
  }
  const write = async (command: SettleCommand, onDisk: OnDisk): Promise<boolean> => {
    let isFollowed: boolean
    try {
      isFollowed = await deliveries.settle(command)
    } catch (error) {
      const { id: deliveryId, appId } = command.delivery
      const detail = nameOf(error)
      if (!failed.has(command)) log.warn('delivery_not_written', { deliveryId, appId, detail })
      failed.set(command, onDisk)
      retryLater()
      return false
    }
    closing(() => failed.delete(command))
    onDisk(isFollowed)
    return true
  }
  const retry = async () => {
    await Promise.all([...failed].map(([command, onDisk]) => write(command, onDisk)))
  }
  const retryLater = () => {
    if (isRetrying || isDraining) return
    isRetrying = true
    void timers
      .sleep(retryMs)
      .then(retry)
      .then(() => {
        isRetrying = false
        if (failed.size > 0) retryLater()
      })
  }
  const newGroup = () => {
    const { promise: isOver, resolve } = Promise.withResolvers<void>()
    const end = () => {
      cancel()
      if (group === made) group = null
      resolve()
    }
    const cancel = timers.after(gatherMs, end)
    const made = { isOver, end }
    return made
  }
  return {
    settle(command, onDisk, isAwaited = false) {
      group ??= newGroup()
      if (isAwaited) timers.soon(group.end)
      const written = group.isOver.then(() => write(command, onDisk))
      open.add(written)
      void written.then(() => closing(() => open.delete(written)))
      return written
    },
    hasRoom,
    async drain() {
      isDraining = true
      await Promise.all(open)
      await retry()
    },
  }
}

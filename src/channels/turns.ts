import type { Channel, Clock, Timers } from '../domain/ports.ts'
import { createQueue } from './queue.ts'

type TurnPorts = { clock: Clock; timers: Pick<Timers, 'after' | 'monotonic'> }

/**
 * Lets messages wait in a channel that works in this thread, so that the next one begins in the turn
 * of the event loop in which one before it ends. How long a hand-over took is told without the
 * time in which this process was too busy to hear the answer: that says nothing of the server.
 */
export function withTurns(channel: Channel, { clock, timers }: TurnPorts): Channel {
  const working = createWorkingTime(timers)
  const queue = createQueue({ clock, timers: working })
  return {
    deliver: channel.deliver,
    async queue(handover, turn) {
      const { expiresAt } = handover
      const endpointId = handover.endpoint?.id ?? ''
      working.begin()
      try {
        return await queue.run({ endpointId, expiresAt }, turn, () => {
          return channel.deliver(handover, turn.signal, turn.lease)
        })
      } finally {
        working.end()
      }
    },
    close: channel.close,
  }
}

/** How often it is looked whether the event loop is late. */
const tickMs = 20

/** Time that stands still while the event loop does; only between `begin` and `end`. */
export type WorkingTime = { monotonic(): number; begin(): void; end(): void }

export function createWorkingTime(timers: Pick<Timers, 'after' | 'monotonic'>): WorkingTime {
  let users = 0
  let stoodStillMs = 0
  /** When the next look is due; null while nobody asks. */
  let dueAt: number | null = null

  const lateness = () => (dueAt === null ? 0 : Math.max(0, timers.monotonic() - dueAt))
  const look = () => {
    stoodStillMs += lateness()
    dueAt = users === 0 ? null : timers.monotonic() + tickMs
    if (dueAt !== null) timers.after(tickMs, look)
  }
  return {
    monotonic: () => timers.monotonic() - stoodStillMs - lateness(),
    begin() {
      users++
      if (dueAt !== null) return
      dueAt = timers.monotonic() + tickMs
      timers.after(tickMs, look)
    },
    end() {
      users--
    },
  }
}

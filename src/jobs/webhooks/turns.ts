import type { DueMessage } from '../../domain/webhook/message.ts'
import { isLimited, type Lane, mayBegin } from './lane.ts'

/** The most messages that this node has on their way. */
const runningMax = 1_024
/** How many of those may be to receivers that are slow or fail, so that they delay no others. */
const limitedMax = 256

/** Decides whose turn it is: the lanes that have something to send take turns. */
export type Turns = {
  /** Takes a lane into the turns, and begins what may begin. */
  want(lane: Lane): void
}

type TurnPorts = {
  timers: { monotonic(): number }
  isStopping(): boolean
  /** Sends a message; never rejects. */
  run(lane: Lane, message: DueMessage): Promise<void>
}

export function createTurns({ timers, isStopping, run }: TurnPorts): Turns {
  const ready = new Set<Lane>()
  let running = 0
  let limited = 0

  async function begin(lane: Lane, message: DueMessage): Promise<void> {
    const count = isLimited(lane) ? 1 : 0
    running++
    lane.running++
    limited += count
    await run(lane, message)
    running--
    lane.running--
    limited -= count
    want(lane)
  }
  function pump(): void {
    let skipped = 0
    while (!isStopping() && running < runningMax && skipped < ready.size) {
      const [lane] = ready
      if (!lane) return
      ready.delete(lane)
      if (!mayBegin(lane, timers.monotonic())) continue
      ready.add(lane)
      const isHeldBack = isLimited(lane) && limited >= limitedMax
      const message = isHeldBack ? undefined : lane.queue.shift()
      if (message) void begin(lane, message)
      skipped = message ? 0 : skipped + 1
    }
  }
  function want(lane: Lane): void {
    if (lane.queue.length > 0) ready.add(lane)
    pump()
  }
  return { want }
}

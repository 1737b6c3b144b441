import { type DeliveryOutcome, deferredBy, type Handover } from '../domain/delivery/delivery.ts'
import type { Channel, Queued, Turn } from '../domain/ports.ts'
import type { Wording, WordingReader } from './wording.ts'

/** A hand-over with what its message is made from. */
export type Worded = Handover & { wording: Wording }

/** A channel whose messages are templates. */
export type WordedChannel = Pick<Channel, 'close'> & {
  deliver(handover: Worded, signal: AbortSignal): Promise<DeliveryOutcome>
  queue(handover: Worded, turn: Turn): Promise<Queued | null>
}

/** Reads the wording of each message first, which takes no time where it is known. */
export function withWording({ read }: WordingReader, channel: WordedChannel): Channel {
  return {
    async deliver(handover, signal) {
      const wording = await readOrNull(handover)
      return wording === null ? unreadable : channel.deliver({ ...handover, wording }, signal)
    },
    async queue(handover, turn) {
      const found = readOrNull(handover)
      const wording = found instanceof Promise ? await found : found
      if (wording !== null) return channel.queue({ ...handover, wording }, turn)
      return { outcome: unreadable, tookMs: 0, others: 0 }
    },
    close: channel.close,
  }

  function readOrNull(handover: Handover): Wording | null | Promise<Wording | null> {
    const found = read(handover)
    return found instanceof Promise ? found.catch(() => null) : found
  }
}

const unreadable = deferredBy('busy', 'the template of this message cannot be read now')

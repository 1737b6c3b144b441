import { createQueue } from '../../../src/channels/queue.ts'
import type { DeliveryOutcome, Handover } from '../../../src/domain/delivery/delivery.ts'
import { mayBegin } from '../../../src/domain/delivery/lease.ts'
import type { Channel, Clock, Timers, Turn } from '../../../src/domain/ports.ts'

/** A simulated mail server, whose connections are kept for the next message. */
export type SimulatedServer = {
  /** The answer to a new connection; null accepts it. `open` includes it. */
  greet(connection: { number: number; open: number }): Behaviour | null
  behave(handover: Handover): Behaviour
  /** Connections: open now, free among those, and ever opened. */
  open: number
  free: number
  number: number
  /** Hand-overs that run now, and their highest number. */
  running: number
  most: number
  got: { handover: Handover; at: number }[]
  /** By delivery: how often the message was accepted, or may have been. */
  accepted: Map<string, number>
}

export type Behaviour = { takesMs: number; outcome: DeliveryOutcome }

export const sent: DeliveryOutcome = {
  status: 'sent',
  code: '250 2.0.0',
  detail: '250 2.0.0 queued as 4B',
  remoteId: '4B',
}
type Deferred = Extract<DeliveryOutcome, { status: 'deferred' }>
const deferral = { status: 'deferred', ambiguous: false, retryAfterMs: null } as const
export const unreachable: Deferred = {
  ...deferral,
  cause: 'network',
  code: null,
  detail: 'the mail server refused the connection',
}
export const unanswered: Deferred = { ...unreachable, ambiguous: true, detail: 'no answer' }
export const full: Deferred = {
  ...deferral,
  cause: 'busy',
  code: '421 4.7.0',
  detail: '421 4.7.0 too many connections',
}
export const later: Deferred = {
  ...deferral,
  cause: 'busy',
  code: '450 4.2.0',
  detail: '450 4.2.0 mailbox busy',
}
export const greylisted: Deferred = {
  ...deferral,
  cause: 'greylisted',
  code: '451 4.7.1',
  detail: '451 4.7.1 greylisted',
}
export const refusedBy = (cause: 'recipient' | 'login' | 'policy' | 'message' | 'server') => {
  return { status: 'refused', cause, code: '550 5.1.1', detail: `550 ${cause}` } as const
}

/** Accepts every message after so many ms. */
export const takes = (takesMs: number) => (): Behaviour => ({ takesMs, outcome: sent })
/** Answers every hand-over with the same outcome. */
export const says = (outcome: DeliveryOutcome, takesMs = 1) => {
  return (): Behaviour => ({ takesMs, outcome })
}
/** Answers 421 to more than so many connections. */
export const allows = (connectionsMax: number): SimulatedServer['greet'] => {
  return ({ open }) => (open > connectionsMax ? { takesMs: 1, outcome: full } : null)
}

/** A channel to simulated servers, by endpoint. */
export function simulatedServers({ clock, timers }: { clock: Clock; timers: Timers }) {
  const servers = new Map<string, SimulatedServer>()
  const of = (endpointId: string): SimulatedServer => {
    const known = servers.get(endpointId)
    if (known) return known
    const numbers = { open: 0, free: 0, number: 0, running: 0, most: 0, got: [] }
    const accepted = new Map<string, number>()
    const server: SimulatedServer = { greet: () => null, behave: takes(100), ...numbers, accepted }
    servers.set(endpointId, server)
    return server
  }
  const transfer = async (
    server: SimulatedServer,
    handover: Handover,
    { signal, lease }: Omit<Turn, 'width'>,
  ): Promise<DeliveryOutcome> => {
    if (server.free > 0) {
      server.free--
    } else {
      const refused = server.greet({ number: ++server.number, open: ++server.open })
      if (refused) {
        await waitOrStop(timers, refused.takesMs, signal)
        server.open--
        return refused.outcome
      }
    }
    const { takesMs, outcome } = server.behave(handover)
    const isDone =
      (await waitOrStop(timers, takesMs, signal)) && (await mayBegin(lease, timers.monotonic()))
    const isOver = !isDone || (outcome.status === 'deferred' && outcome.code === null)
    if (isOver) server.open--
    else server.free++
    if (!isDone) return { ...unreachable, detail: 'stopped' }
    if (outcome.status === 'sent' || (outcome.status === 'deferred' && outcome.ambiguous)) {
      const { deliveryId } = handover
      server.accepted.set(deliveryId, (server.accepted.get(deliveryId) ?? 0) + 1)
    }
    return outcome
  }
  const deliver: Channel['deliver'] = async (handover, signal, lease) => {
    const server = of(handover.endpoint?.id ?? 'none')
    server.got.push({ handover, at: timers.monotonic() })
    server.running++
    server.most = Math.max(server.most, server.running)
    const outcome = await transfer(server, handover, { signal, ...(lease && { lease }) })
    server.running--
    return outcome
  }
  /** The channel of one process. */
  const newChannel = (): Channel => {
    const waiting = createQueue({ clock, timers })
    return {
      deliver,
      queue: (handover, turn) => {
        const { endpoint, expiresAt } = handover
        const send = () => deliver(handover, turn.signal, turn.lease)
        return waiting.run({ endpointId: endpoint?.id ?? 'none', expiresAt }, turn, send)
      },
      close: () => {},
    }
  }
  const running = () => [...servers.values()].reduce((sum, server) => sum + server.running, 0)
  return { of, newChannel, running, all: () => [...servers.values()] }
}

/** False when it was stopped before its end. */
function waitOrStop(timers: Timers, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isDone: boolean) => {
      cancel()
      signal.removeEventListener('abort', onAbort)
      resolve(isDone)
    }
    const onAbort = () => end(false)
    const cancel = timers.after(ms, () => end(true))
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}

import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import { type Mailer, stopOf } from './mail-job.ts'
import type { FromThread, ToThread } from './thread-messages.ts'

type Options = {
  connectionsMax: number
  /** PEM certificates trusted besides the system's. */
  ca?: string[]
  /** The code of the thread. */
  url?: string
}

type Pending = { slot: number; settle(outcome: DeliveryOutcome): void }
type Thread = {
  worker: Worker
  pending: Map<number, Pending>
  /** One byte a slot, shared with the thread: 1 when the message of the slot is on its way. */
  begun: Uint8Array
  freeSlots: number[]
}

/** Hand-overs beyond the connections, such as tests of a mail server. */
const spareSlots = 64

/**
 * Composes mails and speaks SMTP in a separate thread, so that nothing else waits for mail. When the
 * thread dies, its mails end as deferred, ambiguous where the message was on its way, and the next
 * mail starts another thread.
 */
export function createMailThread({ connectionsMax, ca = [], url = workerUrl() }: Options): Mailer {
  let nextId = 0

  const start = (): Thread => {
    const slots = connectionsMax + spareSlots
    const shared = new SharedArrayBuffer(slots)
    const started: Thread = {
      worker: new Worker(url, { smol: true, ref: false }),
      pending: new Map(),
      begun: new Uint8Array(shared),
      freeSlots: Array.from({ length: slots }, (_, slot) => slot),
    }
    const { worker, pending } = started
    const end = () => {
      if (thread === started) thread = null
      for (const one of [...pending.values()]) one.settle(cutOff(started.begun[one.slot] === 1))
    }
    worker.onmessage = ({ data }: MessageEvent<FromThread>) => {
      pending.get(data.id)?.settle(data.outcome)
    }
    // The error may quote a message or a password, so it is not used.
    worker.onerror = () => {
      end()
      worker.terminate()
    }
    worker.addEventListener('close', end)
    post(worker, { kind: 'start', ca, connectionsMax, begun: shared })
    return started
  }
  // Started now, so that the first mail need not wait for it.
  let thread: Thread | null = start()
  return {
    send(job, signal) {
      thread ??= start()
      const { worker, pending, begun, freeSlots } = thread
      const slot = freeSlots.pop()
      if (slot === undefined) return Promise.resolve(tooMany)
      const id = nextId++
      return new Promise((resolve) => {
        const onAbort = () => post(worker, { kind: 'stop', id, stop: stopOf(signal) })
        const settle = (outcome: DeliveryOutcome) => {
          signal.removeEventListener('abort', onAbort)
          pending.delete(id)
          freeSlots.push(slot)
          resolve(outcome)
        }
        begun[slot] = 0
        pending.set(id, { slot, settle })
        post(worker, { kind: 'send', id, slot, job })
        signal.addEventListener('abort', onAbort)
        if (signal.aborted) onAbort()
      })
    },
    close() {
      thread?.worker.terminate()
    },
  }
}

/** The thread's code: beside this file, or in the executable by its path in src/. */
function workerUrl(): string {
  const here = import.meta.url
  const file = here.includes('/$bunfs/') ? './channels/email/worker.ts' : './worker.ts'
  return new URL(file, here).href
}

function post(worker: Worker, message: ToThread): void {
  worker.postMessage(message)
}

const deferred = { status: 'deferred', retryAfterMs: null, code: null } as const

const tooMany: DeliveryOutcome = {
  ...deferred,
  cause: 'busy',
  ambiguous: false,
  detail: 'too many messages are handed over at once',
}

function cutOff(ambiguous: boolean): DeliveryOutcome {
  const detail = 'the thread that sends mail ended before the mail server answered'
  return { ...deferred, cause: 'network', ambiguous, detail }
}

import { closeSync, openSync } from 'node:fs'
import { type DeliveryOutcome, deferredBy } from '../../domain/delivery/delivery.ts'
import type { Lease } from '../../domain/delivery/lease.ts'
import type { Queued, Timers, Turn } from '../../domain/ports.ts'
import { systemClock } from '../../system.ts'
import { createContentSender } from './contents.ts'
import { atOnce, type Mailer, type MailJob, stopOf } from './mail-job.ts'
import type { FromThread, StartThread, ThreadJob, ToThread } from './thread-messages.ts'

type Options = {
  connectionsMax: number
  timers: Pick<Timers, 'soon' | 'monotonic'>
  /** PEM certificates trusted besides the system's. */
  ca?: string[]
  /** The code of the thread. */
  url?: string
}

type Pending = { slot: number; lease: Lease | undefined; settle(answer: Queued | null): void }
type Thread = {
  worker: Worker
  pending: Map<number, Pending>
  /** One byte a slot, shared with the thread: 1 when the message of the slot is on its way. */
  begun: Uint8Array
  freeSlots: number[]
  /** Messages of this turn of the event loop, which are posted together. */
  outgoing: ToThread[]
  /** Passes the contents of a wording to the thread, if it does not have them. */
  named: ReturnType<typeof createContentSender>
}

/** Hand-overs beyond the connections, such as tests of a mail server. */
const spareSlots = 64

/**
 * Composes mails and speaks SMTP in a separate thread, so that nothing else waits for mail. When the
 * thread dies, its mails end as deferred, ambiguous where the message was on its way, and the next
 * mail starts another thread, unless too few files can be opened.
 */
export function createMailThread(options: Options): Mailer {
  const { connectionsMax, timers, ca = [], url = workerUrl() } = options
  let nextId = 0

  const start = (): Thread => {
    const slots = connectionsMax + spareSlots
    const shared = new SharedArrayBuffer(slots)
    const started: Thread = {
      worker: new Worker(url, { smol: true, ref: false }),
      pending: new Map(),
      begun: new Uint8Array(shared),
      freeSlots: Array.from({ length: slots }, (_, slot) => slot),
      outgoing: [],
      named: createContentSender((message) => post(started, message)),
    }
    const { worker, pending } = started
    const end = () => {
      if (thread === started) thread = null
      for (const one of [...pending.values()]) {
        one.settle(atOnce(cutOff(started.begun[one.slot] === 1)))
      }
    }
    worker.onmessage = ({ data }: MessageEvent<string>) => {
      for (const message of JSON.parse(data) as FromThread[]) {
        if ('ask' in message) void answerLease(started, message.id)
        else pending.get(message.id)?.settle(message.answer)
      }
    }
    // The error may quote a message or a password, so it is not used.
    worker.onerror = () => {
      end()
      worker.terminate()
    }
    worker.addEventListener('close', end)
    worker.postMessage({ ca, connectionsMax, begun: shared } satisfies StartThread)
    return started
  }
  const post = ({ worker, outgoing }: Thread, message: ToThread) => {
    if (outgoing.length === 0) {
      timers.soon(() => worker.postMessage(JSON.stringify(outgoing.splice(0))))
    }
    outgoing.push(message)
  }
  const answerLease = async (to: Thread, id: number) => {
    const isHeld = (await to.pending.get(id)?.lease?.isHeld()) ?? false
    post(to, { kind: 'lease', id, isHeld })
  }
  const sureUntil = (lease: Lease | undefined) =>
    lease ? systemClock.now() + lease.sureUntil - timers.monotonic() : null
  // Started now, so that the first mail need not wait for it.
  let thread: Thread | null = start()

  const hand = (job: MailJob, { width, signal, lease }: Handing) => {
    const to = thread ?? (hasSpareFiles() ? start() : null)
    if (to === null) return Promise.resolve(atOnce(noFiles))
    thread = to
    const { pending, begun, freeSlots } = to
    const slot = freeSlots.pop()
    if (slot === undefined) return Promise.resolve(atOnce(tooMany))
    const id = nextId++
    return new Promise<Queued | null>((resolve) => {
      const onAbort = () => post(to, { kind: 'stop', id, stop: stopOf(signal) })
      const settle = (answer: Queued | null) => {
        signal.removeEventListener('abort', onAbort)
        pending.delete(id)
        freeSlots.push(slot)
        resolve(answer)
      }
      begun[slot] = 0
      pending.set(id, { slot, lease, settle })
      const about = { id, slot, width, sureUntil: sureUntil(lease) }
      post(to, { kind: 'send', ...about, job: threadJob(to, job) })
      signal.addEventListener('abort', onAbort)
      if (signal.aborted) onAbort()
    })
  }
  return {
    // Without a width it does not wait, so it always has an outcome.
    send: async (job, signal) =>
      (await hand(job, { width: null, signal }))?.outcome ?? cutOff(false),
    queue: hand,
    close() {
      thread?.worker.terminate()
    },
  }
}

type Handing = Omit<Turn, 'width'> & { width: number | null }

function threadJob({ named }: Thread, { mail, ...job }: MailJob): ThreadJob {
  return { ...job, mail: { ...mail, wording: named(mail.wording) } }
}

/** A new thread opens a few files at once; connections may take others meanwhile. */
const spareFiles = 32

/** Whether a thread may start: one that can open no file ends the process. */
function hasSpareFiles(): boolean {
  const files: number[] = []
  try {
    while (files.length < spareFiles) files.push(openSync('/dev/null', 'r'))
    return true
  } catch {
    return false
  } finally {
    for (const file of files) closeSync(file)
  }
}

/** The thread's code: beside this file, or in the executable by its path in src/. */
function workerUrl(): string {
  const here = import.meta.url
  const file = here.includes('/$bunfs/') ? './channels/email/worker.ts' : './worker.ts'
  return new URL(file, here).href
}

const tooMany = deferredBy('busy', 'too many messages are handed over at once')

const noFiles = deferredBy(
  'network',
  'too few files can be opened to start the thread that sends mail',
)

function cutOff(ambiguous: boolean): DeliveryOutcome {
  const detail = 'the thread that sends mail ended before the mail server answered'
  return deferredBy('network', detail, { ambiguous })
}

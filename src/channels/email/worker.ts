import type { Lease } from '../../domain/delivery/lease.ts'
import { systemClock, systemTimers } from '../../system.ts'
import { createDns } from '../dns.ts'
import { createEgress } from '../egress.ts'
import { createContents } from './contents.ts'
import { atOnce, type Mailer } from './mail-job.ts'
import { createMailer } from './mailer.ts'
import type { FromThread, StartThread, ToThread } from './thread-messages.ts'

// The entry point of the mail thread, which mail-thread.ts starts.

type Started = { mailer: Mailer; begun: Uint8Array }

const timers = systemTimers
const stops = new Map<number, AbortController>()
const asked = new Map<number, (isHeld: boolean) => void>()
const contents = createContents()
let started: Started | null = null
let answers: FromThread[] = []

addEventListener('message', ({ data }: MessageEvent<StartThread | string>) => {
  if (typeof data !== 'string') started = start(data)
  else if (started) for (const message of JSON.parse(data)) take(started, message)
})

function start({ ca, connectionsMax, begun }: StartThread): Started {
  const network = {
    egress: createEgress({ dns: createDns({ timers }) }),
    clock: systemClock,
    timers,
    ca,
  }
  const mailer = createMailer({ ...network, connectionsMax })
  return { mailer, begun: new Uint8Array(begun) }
}

function take(to: Started, message: ToThread): void {
  if (message.kind === 'send') void send(to, message)
  else if (message.kind === 'stop') stops.get(message.id)?.abort(message.stop)
  else if (message.kind === 'lease') asked.get(message.id)?.(message.isHeld)
  else contents.take(message)
}

async function send(
  { mailer, begun }: Started,
  { id, slot, width, sureUntil, job: { mail, ...rest } }: Extract<ToThread, { kind: 'send' }>,
): Promise<void> {
  const job = { ...rest, mail: { ...mail, wording: contents.wording(mail.wording) } }
  const stop = new AbortController()
  const { signal } = stop
  stops.set(id, stop)
  const begin = () => {
    begun[slot] = 1
  }
  const answer =
    width === null
      ? atOnce(await mailer.send(job, signal, begin))
      : await mailer.queue(job, { width, signal, ...leaseOf(id, sureUntil) }, begin)
  stops.delete(id)
  asked.delete(id)
  say({ id, answer })
}

/** A lease whose holder is the main thread. */
function leaseOf(id: number, until: number | null): { lease?: Lease } {
  if (until === null) return {}
  const isHeld = () =>
    new Promise<boolean>((resolve) => {
      asked.set(id, resolve)
      say({ id, ask: 'lease' })
    })
  return { lease: { sureUntil: timers.monotonic() + until - systemClock.now(), isHeld } }
}

function say(message: FromThread): void {
  if (answers.length === 0) timers.soon(post)
  answers.push(message)
}

/** Posts the answers of this turn of the event loop together. */
function post(): void {
  postMessage(JSON.stringify(answers))
  answers = []
}

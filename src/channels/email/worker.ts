import { systemTimers } from '../../timers.ts'
import { createEgress } from '../egress.ts'
import type { Mailer } from './mail-job.ts'
import { createMailer } from './mailer.ts'
import type { FromThread, ToThread } from './thread-messages.ts'

// The entry point of the mail thread, which mail-thread.ts starts.

type Started = { mailer: Mailer; begun: Uint8Array }

const stops = new Map<number, AbortController>()
let started: Started | null = null

addEventListener('message', ({ data }: MessageEvent<ToThread>) => {
  if (data.kind === 'start') {
    const egress = createEgress({ timers: systemTimers })
    const { ca, connectionsMax } = data
    const mailer = createMailer({ egress, timers: systemTimers, ca, connectionsMax })
    started = { mailer, begun: new Uint8Array(data.begun) }
  } else if (data.kind === 'stop') {
    stops.get(data.id)?.abort(data.stop)
  } else if (started) {
    void send(started, data)
  }
})

async function send(
  { mailer, begun }: Started,
  { id, slot, job }: Extract<ToThread, { kind: 'send' }>,
): Promise<void> {
  const stop = new AbortController()
  stops.set(id, stop)
  const outcome = await mailer.send(job, stop.signal, () => {
    begun[slot] = 1
  })
  stops.delete(id)
  const answer: FromThread = { id, outcome }
  postMessage(answer)
}

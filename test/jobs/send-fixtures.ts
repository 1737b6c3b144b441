import type { Delivery, DeliveryOutcome, Handover } from '../../src/domain/delivery.ts'
import type { Channel, Log, LogFields, Ports } from '../../src/domain/ports.ts'
import { startVerification } from '../../src/domain/start-verification.ts'
import { createSender, type Sender } from '../../src/jobs/send.ts'
import { createMetrics } from '../../src/metrics.ts'
import { type World, world } from '../support/world.ts'

export const deferred: DeliveryOutcome = {
  status: 'deferred',
  detail: '450 later',
  ambiguous: false,
}
export const refused: DeliveryOutcome = { status: 'refused', detail: '550 no', cause: 'recipient' }

export type Stage = {
  world: World
  sender: Sender
  email: RecordingChannel
  /** What was logged. */
  lines: { event: string; fields: LogFields }[]
  start(to: string, where?: Partial<Pick<World, 'app' | 'outbox'>>): ReturnType<typeof started>
  /** Another sender over the same store, with some of its ports replaced. */
  resume(ports?: Partial<Ports>): void
  /** What the sender's next look for due rows finds. */
  nextLook(): Promise<Delivery[]>
  close(): Promise<void>
}

/** A sender over a real store, and a channel that records. */
export async function openStage(): Promise<Stage> {
  const w = await world()
  const lines: Stage['lines'] = []
  const email = recordingChannel()
  const write = (event: string, fields: LogFields = {}) => {
    lines.push({ event, fields })
  }
  const log: Log = { debug: write, info: write, warn: write, error: write }
  const newSender = (ports: Partial<Ports> = {}) => {
    const channels = { email, inbox: email }
    const metrics = createMetrics()
    return createSender({ ...w, ...ports, channels, log, metrics, pollEveryMs: 5 })
  }
  const stage: Stage = {
    world: w,
    sender: newSender(),
    email,
    lines,
    start: (to, { app = w.app, outbox = stage.sender } = {}) => started({ ...w, app, outbox }, to),
    resume: (ports) => {
      stage.sender = newSender(ports)
    },
    nextLook: () => nextLook(w),
    close: async () => {
      await stage.sender.stop(0)
      await w.store.close()
    },
  }
  return stage
}

async function started(w: World, to: string) {
  const started = await startVerification(w, { app: w.app, mode: 'live', to })
  if (started.outcome !== 'started') throw new Error('the start was replayed')
  return started
}

async function nextLook({ deliveries }: World): Promise<Delivery[]> {
  const claim = deliveries.claimDue
  const looked = Promise.withResolvers<Delivery[]>()
  deliveries.claimDue = async (command) => {
    const due = await claim(command)
    looked.resolve(due)
    return due
  }
  const due = await looked.promise
  deliveries.claimDue = claim
  return due
}

export type RecordingChannel = Channel & {
  got: Handover[]
  answers: DeliveryOutcome[]
  hangs: (handover: Handover) => boolean
  throws: boolean
  /** Ends every hand-over that hangs. */
  release(): void
}

/** A channel that answers as told, and otherwise that all was sent. */
function recordingChannel(): RecordingChannel {
  let released = Promise.withResolvers<void>()
  const channel: RecordingChannel = {
    got: [],
    answers: [],
    hangs: () => false,
    throws: false,
    release: () => {
      released.resolve()
      released = Promise.withResolvers()
    },
    async deliver(handover, signal) {
      channel.got.push(handover)
      if (channel.throws) throw new Error('bug')
      if (channel.hangs(handover)) {
        const cut = new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => resolve())
        })
        await Promise.race([released.promise, cut])
        if (signal.aborted) return deferred
      }
      return channel.answers.shift() ?? { status: 'sent', detail: '250 queued' }
    },
    close: () => {},
  }
  return channel
}

import { nameOf } from '../../domain/problem.ts'
import type { DueMessage } from '../../domain/webhook/message.ts'
import type { Answer } from '../../domain/webhook/schedule.ts'
import { type Job, periodic } from '../periodic.ts'
import { conclude } from './ending.ts'
import { giveUp, type Lane } from './lane.ts'
import { createLedger } from './ledger.ts'
import { createReader } from './reader.ts'
import { fieldsOf, idle, type State, type WebhookPorts } from './state.ts'
import { createTurns } from './turns.ts'

export const lookEveryMs = 1_000
/** How long running posts may take at a stop. */
const stopMs = 5_000

export type Webhooks = Job & {
  /** Forgets what was read: after a silence another node may have the webhooks. */
  drop(): void
}

/**
 * Sends the messages of webhooks: each webhook has a lane of its own, as wide as its receiver takes
 * and paused while it fails. A message is sent again until its result is on disk.
 */
export function createWebhooks(ports: WebhookPorts): Webhooks {
  const { webhooks, timers, log, metrics, node } = ports
  const stopped = new AbortController()
  const state: State = {
    ...{ lanes: new Map(), leasedUntil: new Map(), open: new Set() },
    ...{ signal: stopped.signal, isStopping: false },
  }
  const { reader, ledger } = connect(ports, state)
  const look = periodic(ports, { everyMs: lookEveryMs, event: 'webhook_look' }, async () => {
    await reader.look()
    metrics.set('otpmint_webhook_messages', 'waiting', await webhooks.backlog())
  })
  return {
    start() {
      webhooks.onMessage(reader.wake)
      webhooks.onAnnounced(reader.hear)
      look.start()
    },
    drop() {
      for (const lane of [...state.lanes.values()]) end(state, lane)
    },
    async stop() {
      state.isStopping = true
      await look.stop()
      await Promise.race([idle(state), timers.sleep(stopMs)])
      stopped.abort()
      await idle(state)
      await ledger.drain()
      await webhooks.releaseLeases(node).catch((error: unknown) => {
        log.warn('webhook_release_failed', { detail: nameOf(error) })
      })
    },
  }
}

/** Creates the parts of the job and connects them. */
function connect(ports: WebhookPorts, state: State) {
  const { timers, isCurrent = () => true } = ports
  const ledger = createLedger(ports)
  const go = (lane: Lane) => turns.want(lane)
  const reader = createReader(ports, state, go)
  const turns = createTurns({
    timers,
    isStopping: () => state.isStopping || !isCurrent(),
    run(lane, message) {
      const work = run(lane, message)
      state.open.add(work)
      return work.finally(() => state.open.delete(work))
    },
  })
  async function run(lane: Lane, message: DueMessage): Promise<void> {
    const beganAt = timers.monotonic()
    const answer = await send(ports, state, lane, message)
    const onDisk = () => {
      lane.held.delete(message.id)
      reader.refill(lane)
    }
    if (!answer) {
      lane.held.delete(message.id)
      return
    }
    const settled = conclude(ports, lane, { message, answer, tookMs: timers.monotonic() - beganAt })
    ledger.add({ ...settled, onDisk })
    if (settled.off) end(state, lane)
    const pauseMs = lane.pausedUntil - timers.monotonic()
    if (pauseMs > 0) {
      timers.after(pauseMs, () => {
        reader.refill(lane)
        turns.want(lane)
      })
    }
    reader.refill(lane)
  }
  return { reader, ledger }
}

/** Posts a message; null where it was not sent or its end is unknown, so that it stays due. */
async function send(
  { apps, post, log }: WebhookPorts,
  state: State,
  lane: Lane,
  message: DueMessage,
): Promise<Answer | null> {
  try {
    const app = await apps.get(lane.place.appId)
    const webhook = app?.webhooks.find(({ id }) => id === lane.place.webhookId)
    if (!app || !webhook || webhook.offSince !== null) {
      end(state, lane)
      return null
    }
    const answer = await post(app, webhook, message, state.signal)
    return state.signal.aborted && answer.code === null ? null : answer
  } catch (error) {
    log.error('webhook_failed', { ...fieldsOf(lane), detail: nameOf(error) })
    return null
  }
}

/** Sends nothing more through a lane. A webhook that is on, and this node's, gets another one. */
function end({ lanes }: State, lane: Lane): void {
  lane.isOver = true
  lane.hasMore = false
  giveUp(lane)
  if (lanes.get(lane.place.webhookId) === lane) lanes.delete(lane.place.webhookId)
}

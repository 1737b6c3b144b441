import { recipientPlace } from '../domain/app.ts'
import {
  type Delivery,
  type DeliveryOutcome,
  type DeliveryStatus,
  type Handover,
  nextTryAt,
} from '../domain/delivery.ts'
import type { Channel, DeliveryState, Log, Metrics, Outbox, Ports } from '../domain/ports.ts'
import { handover as handoverOf, leaseMs } from '../domain/start-verification.ts'
import { type ChannelName, statusOf } from '../domain/verification.ts'
import { every } from './every.ts'
import { createLanes } from './send-lanes.ts'
import { createLedger } from './send-ledger.ts'
import { createWaiters } from './send-waiters.ts'

export type Sender = Outbox & {
  start(): void
  /** Lets what runs finish for so long (10 s); what is then left is queued for the next start. */
  stop(finishMs?: number): Promise<void>
}

type SenderPorts = Pick<
  Ports,
  'deliveries' | 'verifications' | 'apps' | 'keyring' | 'clock' | 'random'
> & {
  channels: Record<ChannelName, Channel>
  log: Log
  metrics: Metrics
  /** Between two looks for what is due; 1 s. */
  pollEveryMs?: number
}

type Job = { delivery: Delivery; handover: Handover | null; heldSince: number }

const runningMax = 10
const waitingMax = 5_000
const pollBatch = 500
/** The longest that a hand-over may take; none is begun that could outlive the row's lease. */
const handoverMaxMs = 40_000
/** What waited longer is read again: it may have been canceled or used. */
const freshMs = 5_000

/**
 * Hands over what is queued: at once what this process queued, by looking every second what others
 * left behind or what is due again. The row in the store is the truth: whatever fails here, its
 * lease runs out and it is tried again.
 */
export function createSender(ports: SenderPorts): Sender {
  const { deliveries, clock, log, pollEveryMs = 1_000 } = ports
  const waiters = createWaiters()
  const ledger = createLedger(deliveries)
  const stopping = new AbortController()
  const aborted = new AbortController()
  const held = new Set<string>()

  /** When the end cannot be written, the message is sent once more after its lease. */
  const finish = async (delivery: Delivery, end: Ending) => {
    const { id, appId, verificationId } = delivery
    const { status, detail } = end
    tell(ports, delivery, status)
    try {
      await ledger.settle({ appId, id, verificationId, ...end, now: clock.now() })
    } catch (error) {
      logFailure(log, delivery, error)
    }
    held.delete(id)
    waiters.tell(id, { status, detail })
  }
  const lanes = createLanes<Job>({
    runningMax,
    waitingMax,
    run: async (job) => {
      try {
        const end = await attempt(ports, job, aborted.signal)
        if (end) finish(job.delivery, end)
        else held.delete(job.delivery.id)
      } catch (error) {
        logFailure(log, job.delivery, error)
        held.delete(job.delivery.id)
      }
    },
  })

  const hold = (delivery: Delivery, handover: Handover | null) => {
    if (stopping.signal.aborted || held.has(delivery.id)) return
    const job = { delivery, handover, heldSince: clock.now() }
    // What finds no room stays with the store, which offers it again after its lease.
    if (lanes.add(delivery.appId, job)) held.add(delivery.id)
  }
  const poll = every(pollEveryMs, 'outbox_poll', log, async () => {
    const now = clock.now()
    const due = await deliveries.claimDue({ now, leaseUntil: now + leaseMs, limit: pollBatch })
    for (const delivery of due) hold(delivery, null)
  })
  return {
    offer: hold,
    settled: waiters.wait,
    start: poll.start,
    async stop(finishMs = 10_000) {
      stopping.abort()
      const late = setTimeout(() => aborted.abort(), finishMs)
      await Promise.all([poll.stop(), lanes.drain()])
      clearTimeout(late)
      await ledger.drain()
    },
  }
}

type Ending = DeliveryState & { retryAt: number | null }

/** One try; null when it was not made or its end is not to be written. */
async function attempt(
  ports: SenderPorts,
  { delivery, handover, heldSince }: Job,
  signal: AbortSignal,
): Promise<Ending | null> {
  const { clock, channels, metrics } = ports
  const begunAt = clock.now()
  if (begunAt + handoverMaxMs > heldSince + leaseMs) return null

  const fresh = handover !== null && begunAt - heldSince <= freshMs
  const ready = fresh ? handover : await readHandover(ports, delivery, begunAt)
  if (ready === null) {
    const detail = 'the verification was over before the message left'
    return { status: 'undeliverable', detail, retryAt: null }
  }
  const outcome = await channels[delivery.channel].deliver(ready, signal)
  // Cut off by the end of the process: the next start sends the same code again.
  if (signal.aborted && outcome.status === 'deferred') return null

  const end = endOf(ports, delivery, outcome)
  metrics.observe('otpmint_delivery_seconds', end.status, (clock.now() - begunAt) / 1000)
  return end
}

/** The message as of now; null when nothing is to be sent any more. */
async function readHandover(
  ports: SenderPorts,
  delivery: Delivery,
  now: number,
): Promise<Handover | null> {
  const { apps, verifications, keyring } = ports
  const { appId, verificationId } = delivery
  const [app, verification, sealed] = await Promise.all([
    apps.get(appId),
    verifications.get(appId, verificationId),
    verifications.sealedRecipient(appId, verificationId),
  ])
  if (!app || !verification || !sealed || statusOf(verification, now) !== 'pending') return null
  const recipient = keyring.open(appId, app.dataKey, recipientPlace(verificationId), sealed)
  return handoverOf(ports, app, verification, delivery, recipient)
}

function endOf(
  { clock, random }: SenderPorts,
  { tries, expiresAt }: Delivery,
  outcome: DeliveryOutcome,
): Ending {
  const { status, detail } = outcome
  if (status !== 'deferred') return { status, detail, retryAt: null }
  const [byte = 0] = random.bytes(1)
  const retryAt = nextTryAt({ tries: tries + 1, expiresAt }, clock.now(), byte / 256)
  return { status: retryAt === null ? 'undeliverable' : 'deferred', detail, retryAt }
}

function tell(
  { log, metrics }: SenderPorts,
  { id: deliveryId, appId, verificationId }: Delivery,
  outcome: DeliveryStatus,
): void {
  metrics.count('otpmint_deliveries_total', outcome)
  const level = outcome === 'sent' ? 'debug' : 'info'
  log[level]('delivery', { deliveryId, appId, verificationId, outcome })
}

function logFailure(log: Log, { id, appId }: Delivery, error: unknown): void {
  const detail = error instanceof Error ? error.name : 'unknown'
  log.error('delivery_failed', { deliveryId: id, appId, detail })
}

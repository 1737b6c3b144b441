import type { ChannelKind } from '../../domain/delivery/channel.ts'
import {
  type DeliveryOutcome,
  deferredBy,
  type Handover,
  offOutcome,
  type Try,
} from '../../domain/delivery/delivery.ts'
import { returnToken, takeToken } from '../../domain/delivery/endpoint-rate.ts'
import { isSuppressed, readHandover } from '../../domain/delivery/handover.ts'
import { type Lease, sureUntil } from '../../domain/delivery/lease.ts'
import { suppressedOutcome } from '../../domain/delivery/suppression.ts'
import type { Channel, Ports, Queued } from '../../domain/ports.ts'
import type { Charges } from './charges.ts'
import {
  type Item,
  isBlocked,
  isRateUsed,
  type Lane,
  observe,
  patienceMs,
  queuedIn,
} from './lane.ts'
import type { Lanes } from './lanes.ts'

/** How one turn of a delivery ended. */
export type Turn =
  | {
      end: 'tried'
      handover: Handover
      tries: Try[]
      outcome: DeliveryOutcome
      at: number
      tookMs: number
    }
  /** The code was used or canceled, or has expired. */
  | { end: 'over' }
  /** Back to its place in the lane: the server had no connection for it. */
  | { end: 'put_back' }
  /** Back to the store: its lease does not last for a try, or this node is stopping. */
  | { end: 'give_back' }
  /** It ended, or another node has leased it, while it was handed over: nothing of it was sent. */
  | { end: 'lost' }

export type HandOverPorts = Pick<
  Ports,
  | ('deliveries' | 'suppressions' | 'verifications' | 'apps')
  | ('keyring' | 'clock' | 'timers' | 'node')
> & {
  /** A time of `timers.monotonic`: the last sign of life of this node. */
  seenAt(): number
  channels: Record<ChannelKind, Channel>
  charges: Charges
  lanes: Lanes
  /** Called when the lane is paused, because its server does not answer. */
  onPause(lane: Lane): void
  /** Called when a hand-over takes so long that others may go to another endpoint. */
  onHeldUp(lane: Lane): void
}

/**
 * The longest that a hand-over may take, with the wait in the channel; none is begun that could
 * outlive the row's lease.
 */
export const handoverMaxMs = 45_000
/** After a longer wait a delivery is read again: another node may have ended it. */
const freshMs = 5_000
/** How often a delivery may find no connection before that counts as a try. */
const putBacksMax = 3

/**
 * Hands a delivery over, after reading what is not in memory. Rejects with a problem where the database
 * cannot be read, and for a bug.
 */
export async function takeTurn(ports: HandOverPorts, lane: Lane, item: Item): Promise<Turn> {
  const { clock, timers, lanes, charges } = ports
  if (clock.now() + handoverMaxMs > item.leaseUntil) return { end: 'give_back' }
  item.stop = new AbortController()
  item.hasBegun = false
  const handover = isFresh(item, clock.now())
    ? item.handover
    : await readHandover(ports, item.delivery)
  const tries = item.tries ?? (await ports.deliveries.tries(item.delivery.id))
  item.tries = tries
  const isRefused = handover !== null && (await isSuppressed(ports, handover))
  if (!handover || item.isWithdrawn) return { end: 'over' }
  if (handover.expiresAt <= clock.now()) return { end: 'over' }
  item.handover = handover
  item.freshAt = clock.now()
  lanes.learn(lane, handover, item.delivery.chosen)

  const at = clock.now()
  if (isRefused) {
    return { end: 'tried', handover, tries, outcome: suppressedOutcome, at, tookMs: 0 }
  }
  if (handover.endpoint?.off) {
    return { end: 'tried', handover, tries, outcome: offOutcome, at, tookMs: 0 }
  }
  if (lanes.mayDivert(lane, item)) {
    const isPaced = isRateUsed(lane) && !lane.circuit.isPaused()
    const outcome = isPaced ? rateUsed : notTried
    return { end: 'tried', handover, tries, outcome, at, tookMs: 0 }
  }
  if (isBlocked(lane)) return { end: 'put_back' }
  const { signal } = item.stop
  const charge = charges.of(handover)
  if (charge !== null) {
    const outcome = await charges.take(charge)
    if (outcome) return { end: 'tried', handover, tries, outcome, at, tookMs: 0 }
    const isOver = item.isWithdrawn || handover.expiresAt <= clock.now()
    if (isOver || signal.aborted || isBlocked(lane)) {
      charges.end(charge, null)
      if (isOver) return { end: 'over' }
      return { end: signal.aborted ? 'give_back' : 'put_back' }
    }
  }
  const begun = lane.width.begin(Math.min(lane.running.size, lane.width.value()))
  const lease = leaseOf(ports, item)
  const queued = await tryOnce(ports, { lane, item, handover, signal, lease })
  charges.end(charge, queued === null ? null : queued.outcome)
  lane.usedAt = timers.monotonic()
  if (lease.found !== null) return { end: lease.found }
  if (signal.aborted && (queued === null || isUntaken(queued.outcome))) {
    return { end: item.isWithdrawn ? 'over' : 'give_back' }
  }
  if (queued === null) return { end: 'put_back' }
  const { outcome, tookMs } = queued
  // It may have waited in the channel before it began.
  const seen = { ...queued, begun: { ...begun, at: timers.monotonic() - tookMs } }
  if (learnFrom(ports, lane, seen) === 'no_connection') {
    item.putBacks++
    if (item.putBacks <= putBacksMax) return { end: 'put_back' }
  }
  return { end: 'tried', handover, tries, outcome, at, tookMs }
}

type Trying = {
  lane: Lane
  item: Item
  handover: Handover
  signal: AbortSignal
  lease: ItemLease
}

/** `found`: how the turn ends because the store was asked for the lease, and it was not there. */
type ItemLease = Lease & { found: 'lost' | 'give_back' | null }

function leaseOf(
  { deliveries, clock, timers, node, seenAt }: HandOverPorts,
  { delivery: { id }, leaseUntil }: Item,
): ItemLease {
  const lease: ItemLease = {
    found: null,
    sureUntil: sureUntil({
      seenAt: seenAt(),
      leaseUntil: timers.monotonic() + leaseUntil - clock.now(),
    }),
    async isHeld() {
      const isHeld = await deliveries.isHeld({ id, node, now: clock.now() }).catch(() => null)
      if (isHeld !== true) lease.found = isHeld === null ? 'give_back' : 'lost'
      return isHeld === true
    },
  }
  return lease
}

/** Passes the message to the channel, and notes when it holds up those behind it. */
async function tryOnce(ports: HandOverPorts, trying: Trying): Promise<Queued | null> {
  const { timers, onHeldUp } = ports
  const { lane, item } = trying
  item.hasBegun = true
  item.tryingSince = timers.monotonic()
  const hasOthers = lane.behind.length > 0
  const cancel = hasOthers ? timers.after(patienceMs(lane), () => onHeldUp(lane)) : () => {}
  try {
    return await deliver(ports, trying)
  } finally {
    cancel()
    item.tryingSince = null
  }
}

/** Delivers with a token of the lane's rate, which comes back at once where nothing was begun. */
async function deliver(ports: HandOverPorts, trying: Trying): Promise<Queued | null> {
  const { rate } = trying.lane
  takeToken(rate)
  let begun = true
  try {
    const queued = await inTurn(ports, trying)
    begun = queued !== null
    return queued
  } finally {
    returnToken(rate, ports.timers.monotonic(), begun)
  }
}

async function inTurn(
  { timers, channels }: HandOverPorts,
  { lane, handover, signal, lease }: Trying,
): Promise<Queued | null> {
  const channel = channels[lane.place.channel]
  if (channel.queue) return channel.queue(handover, { width: lane.width.value(), signal, lease })
  const begunAt = timers.monotonic()
  const outcome = await channel.deliver(handover, signal, lease)
  const tookMs = Math.round(timers.monotonic() - begunAt)
  return { outcome, tookMs, others: lane.running.size - 1 }
}

type Seen = Queued & { begun: ReturnType<Lane['width']['begin']> }

/** Updates circuit, width and mean duration of the lane from an outcome. */
function learnFrom(
  { onPause, timers }: HandOverPorts,
  lane: Lane,
  { outcome, begun, tookMs, others }: Seen,
): 'connected' | 'no_connection' {
  const { width, circuit } = lane
  const answered = () => {
    circuit.answered()
    lane.answeredAt = timers.monotonic()
  }
  if (outcome.status !== 'deferred') {
    if (outcome.status === 'sent') {
      observe(lane, tookMs, timers.monotonic())
      width.answered(begun, queuedIn(lane) > 0)
    }
    answered()
    return 'connected'
  }
  const isFull = isTooMany(outcome)
  if (isFull) width.tooMany(begun, others)
  if (outcome.cause === 'network') width.broken()
  if (outcome.cause !== 'network' && !(isFull && others === 0)) answered()
  else if (circuit.failed(begun.at)) {
    width.restart()
    onPause(lane)
  }
  return isFull && others > 0 ? 'no_connection' : 'connected'
}

/** True when the server refuses or ends connections (421, RFC 5321 section 3.8). */
function isTooMany(outcome: Extract<DeliveryOutcome, { status: 'deferred' }>): boolean {
  if (outcome.cause !== 'busy') return false
  if (outcome.code?.startsWith('421')) return true
  // The second are Microsoft's words, with 432.
  return /too many (connec|session)|concurrent connections? limit/i.test(outcome.detail)
}

function isUntaken(outcome: DeliveryOutcome): boolean {
  return outcome.status === 'deferred' && !outcome.ambiguous
}

function isFresh({ handover, freshAt }: Item, now: number): boolean {
  return handover !== null && Math.abs(now - freshAt) <= freshMs
}

const notTried = deferredBy(
  'network',
  'the mail server did not answer a moment ago, so it was not tried',
)

const rateUsed = deferredBy('busy', 'the rate of this mail server is used up, so it was not tried')

import { isGone } from '../../domain/delivery/delivery.ts'
import { leaseMs } from '../../domain/delivery/lease.ts'
import type { SettleCommand } from '../../domain/delivery/stores.ts'
import { nameOf } from '../../domain/problem.ts'
import type { Core, SenderPorts } from './core.ts'
import { type Ending, endingOf, overBeforeItLeft } from './ending.ts'
import type { Turn } from './hand-over.ts'
import type { Item, Lane } from './lane.ts'

type Concluded = { lane: Lane; item: Item; turn: Turn }

/** Applies the result of a turn: an end, another try, another endpoint, or back to the queue. */
export function conclude(core: Core, ports: SenderPorts, { lane, item, turn }: Concluded): void {
  const { clock, random, node } = ports
  const { state } = core
  if (turn.end === 'over') {
    endWithoutTry(core, ports, item)
    return
  }
  if (turn.end === 'lost') {
    core.holdings.remove(item)
    return
  }
  const isEnding = state.isStopping || state.isPaused
  if (turn.end === 'give_back' || (turn.end === 'put_back' && isEnding)) {
    core.giveBack(lane, item)
    return
  }
  if (turn.end === 'put_back') {
    lane.putBack(item)
    return
  }
  const lease: Parameters<typeof endingOf>[0]['lease'] = (place) =>
    core.reserve(place) ? { node, until: clock.now() + leaseMs } : null
  const ending = endingOf({ clock, random, lease }, { item, ...turn })
  const { outcome } = turn
  tell(ports, item, ending.command, turn.tookMs)
  if (ending.alarm) {
    core.alarms.raise(lane.place, ending.alarm, outcome.status === 'sent' ? null : outcome.code)
  }
  if (isGone(outcome)) void switchOff(ports, lane)
  if (outcome.status === 'sent') {
    state.sent++
    core.alarms.clear(lane.place)
  }
  void settle(core, item, ending)
  if (ending.failOver) failOver(core, ports, { item, next: ending.failOver })
}

/** Until this is written, the next message is answered likewise, and tries it again. */
async function switchOff({ apps, clock, log }: SenderPorts, { place }: Lane): Promise<void> {
  const { appId, endpointId } = place
  if (endpointId === null) return
  try {
    await apps.switchOff({ appId, endpointId, now: clock.now() })
  } catch (error) {
    const detail = nameOf(error)
    log.warn('endpoint_not_switched_off', { appId, endpointId, detail })
  }
}

/** Ends a delivery whose verification is over, or has moved on to another one. */
export function endWithoutTry(core: Core, ports: SenderPorts, item: Item): void {
  const ending = overBeforeItLeft(item, ports.clock.now())
  tell(ports, item, ending.command, null)
  // Nothing of it is sent any more, whether or not this is written.
  if (!item.isReplaced) core.waiters.tell(item.delivery.verificationId, ending.state)
  void settle(core, item, { ...ending, alarm: null, failOver: null, follow: null })
}

/** Moves the delivery to the lane of its next endpoint, into the reserved place there. */
function failOver(
  core: Core,
  ports: SenderPorts,
  { item, next }: { item: Item; next: NonNullable<Ending['failOver']> },
): void {
  const { place, delivery, tries, leaseUntil } = next
  const { handover, freshAt } = item
  const endpoints = handover?.app.endpoints ?? []
  const endpoint = endpoints.find(({ id }) => id === place.endpointId) ?? null
  const lane = core.lanes.of(place)
  core.lanes.reserve(lane, -1)
  // Canceled or used while the server refused it.
  if (item.isWithdrawn) {
    endWithoutTry(core, ports, { ...item, delivery, tries })
    return
  }
  const moved = handover && { ...handover, endpoint }
  core.take(lane, { delivery, handover: moved, tries, leaseUntil, freshAt })
}

/**
 * Writes the outcome of a try, then tells waiting callers, unless another try or another message follows
 * at once.
 */
async function settle(core: Core, item: Item, ending: Ending): Promise<void> {
  const { command, state, failOver, follow } = ending
  let hasNews = command.follow === null
  const isOnDisk = (isFollowed: boolean) => {
    core.holdings.remove(item)
    if (command.again === null && !isFollowed) core.state.waiting--
    const lane = follow && core.lanes.of(follow.place)
    if (lane) core.lanes.reserve(lane, -1)
    hasNews = !isFollowed
    if (isFollowed && lane) {
      const { delivery, leaseUntil } = follow
      core.take(lane, { delivery, handover: null, tries: [], leaseUntil })
    } else if (isFollowed && command.follow) {
      core.wake({ ...item.delivery, ...command.follow.delivery })
    } else if (isAtOnce(command) && !failOver) {
      core.wake({ ...item.delivery, endpointId: command.again?.endpointId ?? null })
    }
  }
  const isAwaited = core.waiters.has(item.delivery.verificationId)
  await core.ledger.settle(command, isOnDisk, isAwaited)
  if (isAtOnce(command) || !hasNews || item.isReplaced) return
  core.waiters.tell(item.delivery.verificationId, state)
}

function isAtOnce({ again, now }: SettleCommand): boolean {
  return again !== null && again.at <= now
}

function tell(
  { log, metrics }: SenderPorts,
  { delivery }: Item,
  { status: outcome, made }: SettleCommand,
  tookMs: number | null,
): void {
  const { id: deliveryId, appId, verificationId, endpointId } = delivery
  metrics.count('otpmint_deliveries_total', outcome)
  if (tookMs !== null) metrics.observe('otpmint_delivery_seconds', outcome, tookMs / 1000)
  const level = outcome === 'sent' ? 'debug' : 'info'
  log[level]('delivery', {
    ...{ deliveryId, appId, verificationId, outcome },
    ...(endpointId && { endpointId }),
    ...(made?.cause && { cause: made.cause }),
    ...(made?.code && { detail: made.code }),
  })
}

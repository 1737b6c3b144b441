import { leaseMs, silentMs } from '../../domain/delivery/lease.ts'
import { lateMs } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'
import { waitMaxMs } from '../../domain/webhook/schedule.ts'
import type { DueQuery, WebhookPlace } from '../../domain/webhook/stores.ts'
import { heldMax, isIdle, type Lane, wantsMore } from './lane.ts'
import { laneOf, type State, track, type WebhookPorts } from './state.ts'

/** Reads due messages from the store, for webhooks that this node has leased. */
export type Reader = {
  /** Reads more of a lane soon, if it has room. */
  refill(lane: Lane): void
  /** Reads soon what was just written. */
  wake(place: WebhookPlace): void
  /** Reads soon what another node has written, where this node works on the webhook. */
  hear(place: WebhookPlace): void
  /** Queries once for all webhooks with due messages. */
  look(): Promise<void>
}

/** New messages that come within this time, in ms, are read in one query. */
const gatherMs = 5
/** The most messages that this node holds. */
const allHeldMax = 5_000
const dueAtOnce = 100

/** `onRead` is called with a lane that may have more to send. */
export function createReader(
  ports: WebhookPorts,
  state: State,
  onRead: (lane: Lane) => void,
): Reader {
  const { clock, timers, log } = ports
  const allHeld = () => [...state.lanes.values()].reduce((sum, { held }) => sum + held.size, 0)

  function refill(lane: Lane): void {
    if (state.isStopping || !wantsMore(lane) || allHeld() >= allHeldMax) return
    if (lane.queue.length > 0 && timers.monotonic() < lane.pausedUntil) return
    lane.isReading = true
    track(state, readSoon(lane))
  }
  async function readSoon(lane: Lane): Promise<void> {
    try {
      await timers.sleep(gatherMs)
      if (!state.isStopping) await read(ports, state, lane)
    } catch (error) {
      // The next look finds it again.
      lane.hasMore = false
      log.warn('webhook_read_failed', { detail: nameOf(error) })
    } finally {
      lane.isReading = false
    }
    refill(lane)
    onRead(lane)
  }
  function wake(place: WebhookPlace): void {
    if (state.isStopping) return
    const lane = laneOf(state, place)
    lane.hasMore = true
    refill(lane)
  }
  return {
    refill,
    wake,
    hear(place) {
      if ((state.leasedUntil.get(place.webhookId) ?? 0) > clock.now()) wake(place)
    },
    async look() {
      forget(state, clock.now())
      let after: string | null = null
      while (!state.isStopping) {
        const query = { ...dueNow(ports), after, limit: dueAtOnce }
        const due: WebhookPlace[] = await ports.webhooks.due(query)
        for (const place of due) {
          const lane = laneOf(state, place)
          lane.hasMore = true
          refill(lane)
        }
        after = due.at(-1)?.webhookId ?? null
        if (due.length < dueAtOnce) return
      }
    },
  }
}

function forget({ lanes, leasedUntil }: State, now: number): void {
  for (const [id, lane] of lanes) if (isIdle(lane)) lanes.delete(id)
  for (const [id, until] of leasedUntil) if (until <= now) leasedUntil.delete(id)
}

/** Leases the lane's webhook where that ends soon, and reads its due messages. */
async function read(ports: WebhookPorts, state: State, lane: Lane): Promise<void> {
  const { webhooks, clock } = ports
  if (lane.leaseUntil < clock.now() + leaseMs / 2 && !(await lease(ports, state, lane))) {
    lane.hasMore = false
    webhooks.announce(lane.place)
    return
  }
  // What is written from here on is told by a call of `wake`.
  lane.hasMore = false
  const { now, dueWithinMs } = dueNow(ports)
  const query = { ...lane.place, now, dueWithinMs, limit: heldMax }
  const found = await webhooks.dueMessages(query)
  const fresh = found.filter(({ id }) => !lane.held.has(id)).slice(0, heldMax - lane.held.size)
  lane.hasMore ||= found.length === heldMax
  for (const { id } of fresh) lane.held.add(id)
  lane.queue.push(...fresh)
}

/** False while another node works on the webhook, or while it is off. */
async function lease(
  ports: WebhookPorts,
  { leasedUntil }: Pick<State, 'leasedUntil'>,
  lane: Lane,
): Promise<boolean> {
  const due = dueNow(ports)
  const until = due.now + leaseMs
  const { webhookId } = lane.place
  const leased = await ports.webhooks.lease({ ...due, ...lane.place, until })
  if (!leased) {
    leasedUntil.delete(webhookId)
    return false
  }
  lane.leaseUntil = until
  leasedUntil.set(webhookId, until)
  if (lane.failingSince === undefined) lane.failingSince = leased.failingSince
  return true
}

function dueNow({ clock, node }: Pick<WebhookPorts, 'clock' | 'node'>): DueQuery {
  const now = clock.now()
  return { node, now, dueWithinMs: waitMaxMs + lateMs, silentSince: now - silentMs }
}

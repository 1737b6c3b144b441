import { type Flow, type LaneFlow, lanesShown } from '../../domain/delivery/flow.ts'
import { leaseMs } from '../../domain/delivery/lease.ts'
import type { Outbox } from '../../domain/ports.ts'
import { type Job, periodic } from '../periodic.ts'
import { endWithoutTry } from './conclude.ts'
import { type Core, createCore, type SenderPorts } from './core.ts'
import { expectedWaitMs, isBlocked, type Lane, queuedIn } from './lane.ts'

export type Sender = Outbox & {
  start(): void
  /** Gives back what waits, and stops what is being handed over: another node may have it. */
  drop(): void
  /**
   * Gives waiting deliveries back, lets running hand-overs finish for so long (9 s) and drops the
   * rest, which another node or the next start sends at once.
   */
  stop(finishMs?: number): Promise<void>
  /**
   * Gives waiting deliveries back and begins no more for so long, or until the next call: 0 goes on.
   * Starts are taken and wait in the store.
   */
  pause(forMs: number): void
  stats(): SenderStats
  flow(): Flow
}

export type SenderStats = {
  /** Messages that have not ended, on all nodes. */
  waiting: number
  oldestAt: number | null
  /** Hand-overs that this node makes now; each has a connection. */
  connections: number
  /** The recent rate of messages that this node sent, a second. */
  sentPerSecond: number
}

/** Messages that may wait in all; a start beyond them is refused. */
export const waitingMax = 100_000
const lookEveryMs = 1_000
/** Queries for due deliveries between two counts of the backlog. */
const countEvery = 5
const finishMaxMs = 9_000
/** The time for dropped hand-overs to end, in ms; others are left until their lease ends. */
const dropMs = 500

type Options = Omit<SenderPorts, 'connectionsMax' | 'seenAt' | 'live'> & {
  /** Absent where no other node takes over. */
  seenAt?: () => number
  /** Absent where there is no other node. */
  live?: () => number
  /** Hand-overs at a time over all endpoints; 500. */
  connectionsMax?: number
  /** The interval of queries for due deliveries, in ms; 1 s. */
  lookEveryMs?: number
}

/**
 * Hands over queued messages: those of this process at once, those of others and retries by a query
 * every second. The row in the store decides: after any failure here its lease ends and the
 * delivery is tried again.
 */
export function createSender(options: Options): Sender {
  const { connectionsMax = 500, seenAt = options.timers.monotonic, live = () => 1 } = options
  const ports: SenderPorts = { ...options, connectionsMax, seenAt, live }
  const core = createCore(ports)
  const gauges = createGauges(core, ports)
  const everyMs = options.lookEveryMs ?? lookEveryMs
  const look = periodic(ports, { everyMs, event: 'outbox_look' }, async () => {
    await core.claims.look()
    await gauges.read(everyMs)
    core.lanes.sweep()
  })
  return {
    ...createOutbox(core, ports),
    start() {
      ports.deliveries.onAnnounced(core.hear)
      look.start()
    },
    drop() {
      giveBackWaiting(core)
      dropRunning(core)
    },
    stop: (finishMs = finishMaxMs) => stop(core, ports, look, finishMs),
    pause: createPause(core, ports),
    stats: gauges.stats,
    flow: () => flowOf(core, gauges.stats()),
  }
}

function createOutbox(core: Core, ports: SenderPorts): Outbox {
  const { lanes, holdings, waiters, state } = core
  return {
    expectedWaitMs(place) {
      if (state.isStopping || state.waiting >= waitingMax) return Number.POSITIVE_INFINITY
      const lane = lanes.find(place)
      return lane ? expectedWaitMs(lane) : 0
    },
    reserve: core.reserve,
    release: (place) => lanes.reserve(lanes.of(place), -1),
    offer(delivery, handover) {
      const lane = lanes.of(delivery)
      lanes.reserve(lane, -1)
      lanes.learn(lane, handover, delivery.chosen)
      state.waiting++
      // The commit took longer than the lease, and the delivery was claimed again.
      if (holdings.has(delivery.id)) return
      // The row was leased when the delivery was created.
      const leaseUntil = delivery.createdAt + leaseMs
      core.take(lane, { delivery, handover, tries: [], leaseUntil })
    },
    wake(place) {
      state.waiting++
      core.wake(place)
    },
    withdraw(verificationId, deliveryIds) {
      for (const item of holdings.of(verificationId)) {
        if (deliveryIds && !deliveryIds.includes(item.delivery.id)) continue
        item.isWithdrawn = true
        item.isReplaced = deliveryIds !== undefined
        if (lanes.of(item.delivery).remove(item)) endWithoutTry(core, ports, item)
        else item.stop?.abort('cancel')
      }
    },
    settled: waiters.wait,
  }
}

function flowOf({ lanes }: Core, { waiting, oldestAt, sentPerSecond }: SenderStats): Flow {
  const load = (lane: LaneFlow) => lane.waiting + lane.connections
  const all = lanes.all().map(laneFlow)
  const busiest = all.toSorted((a, b) => load(b) - load(a)).slice(0, lanesShown)
  return { waiting, oldestAt, sentPerSecond, lanes: busiest }
}

function laneFlow(lane: Lane): LaneFlow {
  const { place, running, width, backlog, meanMs } = lane
  return {
    ...place,
    waiting: queuedIn(lane) + backlog,
    connections: Math.min(running.size, width.value()),
    connectionsMax: width.value(),
    isPaused: isBlocked(lane),
    meanMs: meanMs === null ? null : Math.round(meanMs),
  }
}

function createPause(core: Core, { timers }: SenderPorts) {
  const { state } = core
  let cancelEnd = () => {}
  const end = () => {
    state.isPaused = false
  }
  return (forMs: number) => {
    cancelEnd()
    state.isPaused = forMs > 0
    if (!state.isPaused) return
    cancelEnd = timers.after(forMs, end)
    giveBackWaiting(core)
  }
}

async function stop(core: Core, ports: SenderPorts, look: Job, finishMs: number): Promise<void> {
  const { timers } = ports
  core.state.isStopping = true
  giveBackWaiting(core)
  await Promise.all([look.stop(), core.claims.idle(), core.releases.drain()])
  await atMost(core.turns.idle(), finishMs)
  dropRunning(core)
  await atMost(core.turns.idle(), dropMs)
  await Promise.all([core.ledger.drain(), core.releases.drain()])

  function atMost(work: Promise<void>, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancelLate = timers.after(ms, resolve)
      void work.then(() => {
        cancelLate()
        resolve()
      })
    })
  }
}

function giveBackWaiting({ lanes, giveBack }: Core): void {
  for (const lane of lanes.all()) {
    lane.cancelResume()
    for (const item of lane.drain()) giveBack(lane, item)
  }
}

function dropRunning({ turns }: Core): void {
  for (const item of turns.running()) item.stop?.abort('drop')
}

/** Updates metrics and statistics; the backlog is counted in the store from time to time. */
function createGauges(core: Core, { deliveries, clock, metrics }: SenderPorts) {
  const { state, lanes } = core
  let looks = 0
  let sentBefore = 0
  let sentPerSecond = 0
  const connections = () => {
    const running = lanes.all().map(({ running, width }) => Math.min(running.size, width.value()))
    return running.reduce((sum, count) => sum + count, 0)
  }

  return {
    async read(everyMs: number) {
      sentPerSecond = ((state.sent - sentBefore) * 1000) / everyMs
      sentBefore = state.sent
      if (looks++ % countEvery === 0) {
        const { waiting, oldestAt } = await deliveries.backlog()
        Object.assign(state, { waiting, oldestAt })
      }
      const ageMs = state.oldestAt === null ? 0 : Math.max(0, clock.now() - state.oldestAt)
      metrics.set('otpmint_outbox', 'waiting', Math.max(0, state.waiting))
      metrics.set('otpmint_outbox', 'oldest_seconds', ageMs / 1000)
      metrics.set('otpmint_outbox', 'connections', connections())
      metrics.set('otpmint_outbox', 'rate', sentPerSecond)
    },
    stats: (): SenderStats => ({
      waiting: Math.max(0, state.waiting),
      oldestAt: state.oldestAt,
      connections: connections(),
      sentPerSecond,
    }),
  }
}

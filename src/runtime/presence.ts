import { silentMs } from '../domain/delivery/lease.ts'
import type { Clock, Log, Ports, Timers } from '../domain/ports.ts'
import { Problem } from '../domain/problem.ts'
import { type Beat, type KeysState, noteKeys } from '../jobs/watches.ts'
import { type DatabaseClock, isClockOff } from './database-clock.ts'

/** Whether the other nodes reckon with this one, and it with them. */
export type Presence = {
  /** Measures the clock and marks this node as alive; after a silence first does what follows it. */
  confirm(): Promise<void>
  /** False after a silence: others may have taken over what this node holds. */
  isCurrent(): boolean
  /** Confirms where that is needed. Rejects with `store_unavailable` where it is impossible. */
  enter(): Promise<void> | null
  isReady(): boolean
}

type PresencePorts = Pick<Ports, 'nodes' | 'deliveries' | 'webhooks' | 'node'> & {
  clock: DatabaseClock
  machine: Clock
  timers: Pick<Timers, 'monotonic'>
  log: Log
  keys: KeysState
  signs: { beat: Beat; seenAt(): number }
  follow(): Promise<'same' | 'changed' | 'lost'>
  /** Called when the database was put back to an earlier state. */
  adopt(): Promise<void>
  /** Gives up every message that this process holds. */
  drop(): void
}

/** Others take over from a node a second later. */
const currentMs = silentMs - 1_000

/**
 * A node that was suspended does not know it. So before it serves or sends it looks at how long ago it
 * was last seen, by the monotonic clock and by the machine's, because a suspended machine stops the
 * first. After a silence it reads the keys again, which may have changed, and gives up its leases.
 */
export function createPresence(ports: PresencePorts): Presence {
  const { nodes, deliveries, webhooks, node, clock, machine, timers, signs, log, keys } = ports
  /** The machine's time at the last sign of life; null before the first. */
  let wallThen: number | null = null
  /** The database's time, as this node told it last. */
  let toldAt: number | null = null
  let confirming: Promise<void> | null = null

  const isCurrent = () => {
    if (wallThen === null) return false
    const stoodStill = Math.abs(machine.now() - wallThen) >= currentMs
    return timers.monotonic() - signs.seenAt() < currentMs && !stoodStill
  }
  const afterSilence = async () => {
    log.warn('node_was_silent', { detail: 'keys are read again and leases are given up' })
    noteKeys(keys, await ports.follow(), log)
    ports.drop()
    await deliveries.releaseLeases(node)
    await webhooks.releaseLeases(node)
  }
  /** A sign of life that was stored is gone: so may be what else was acknowledged since. */
  const wentBack = async (wasSilent: boolean) => {
    if (toldAt === null) return false
    const own = (await nodes.list()).find(({ id }) => id === node)
    // Others forget a node that was silent for long.
    return own ? own.seenAt < toldAt : !wasSilent
  }
  const confirm = async () => {
    await clock.measure()
    const wall = machine.now()
    const wasSilent = wallThen !== null && !isCurrent()
    if (await wentBack(wasSilent)) await ports.adopt()
    if (wasSilent) await afterSilence()
    const at = clock.now()
    await signs.beat()
    toldAt = at
    wallThen = wall
  }
  const confirmOnce = () => {
    confirming ??= confirm().finally(() => {
      confirming = null
    })
    return confirming
  }
  const mayServe = () => isCurrent() && keys.right
  /** A confirmation that the silence interrupted may fail, or be from before it: another one follows. */
  const confirmNow = async () => {
    await confirming?.catch(() => {})
    if (mayServe()) return
    await confirmOnce()
    if (mayServe()) return
    throw new Problem('store_unavailable', { retryAfterSeconds: 5 })
  }
  return {
    confirm: confirmOnce,
    isCurrent,
    enter: () => (mayServe() ? null : confirmNow()),
    isReady: () => isCurrent() && !isClockOff(clock),
  }
}

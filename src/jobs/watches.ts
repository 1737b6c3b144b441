import { alarmKinds, clearAlarm, isSpray, raiseAlarm, spray } from '../domain/alarm.ts'
import type { Log, Metrics, Ports } from '../domain/ports.ts'
import { type Job, periodic } from './periodic.ts'

type Logged = { log: Log }

const sprayEveryMs = 10_000

/** Looks for spraying: many wrong codes over many recipients of one app. */
export function createSprayWatch(
  ports: Pick<Ports, 'stats' | 'alarms' | 'clock' | 'timers'> & Logged,
): Job {
  const { stats, clock } = ports
  return periodic(ports, { everyMs: sprayEveryMs, event: 'spray_watch' }, async () => {
    const since = clock.now() - spray.windowMs
    for (const { appId, alarmed, checks, failures } of await stats.failures({ since })) {
      const place = { kind: 'spray', appId, endpointId: null } as const
      if (isSpray({ checks, failures })) {
        if (!alarmed) await raiseAlarm(ports, place, { checks, failures })
      } else if (alarmed) {
        await clearAlarm(ports, place)
      }
    }
  })
}

const clockEveryMs = 1_000
const stepMs = 5_000
/** How long the clock must have run evenly before its alarm goes off. */
const calmMs = 3_600_000
const clockPlace = { kind: 'clock_stepped', appId: null, endpointId: null } as const

/** Compares the wall clock with one that never jumps: a step of more than 5 s is an alarm. */
export function createClockWatch(ports: Pick<Ports, 'alarms' | 'clock' | 'timers'> & Logged): Job {
  const { clock, timers, log } = ports
  const offset = () => clock.now() - timers.monotonic()
  let last = offset()
  let steppedAt: number | null = timers.monotonic()
  return periodic(ports, { everyMs: clockEveryMs, event: 'clock_watch' }, async () => {
    const [before, now] = [last, offset()]
    last = now
    if (Math.abs(now - before) > stepMs) {
      const seconds = Math.round((now - before) / 1000)
      steppedAt = timers.monotonic()
      log.warn('clock_stepped', { detail: `by ${seconds} s` })
      await raiseAlarm(ports, clockPlace, { seconds })
    } else if (steppedAt !== null && timers.monotonic() - steppedAt >= calmMs) {
      steppedAt = null
      await clearAlarm(ports, clockPlace)
    }
  })
}

const beatEveryMs = 5_000
const alarmsMax = 1_000

type BeatPorts = Pick<Ports, 'nodes' | 'alarms' | 'timers'> &
  Logged & {
    metrics: Metrics
    beat: Beat
    /** Damage that the store may be unable to keep as an alarm. */
    isDamaged(): boolean
    /** How many lines of the log nobody took so far. */
    lostLines(): number
  }

/** Says every 5 s that this node lives and which keyset it has, and updates metrics. */
export function createBeat(ports: BeatPorts): Job {
  const { alarms, metrics, beat, isDamaged, lostLines } = ports
  let lost = 0
  return periodic(ports, { everyMs: beatEveryMs, event: 'beat' }, async () => {
    metrics.count('otpmint_log_lost_total', 'stdout', lostLines() - lost)
    lost = lostLines()
    if (isDamaged()) metrics.set('otpmint_alarms', 'database_damaged', 1)
    await beat()
    const query = { appId: null, open: true, limit: alarmsMax, cursor: null }
    const { items } = await alarms.list(query)
    for (const kind of alarmKinds) {
      const open = items.filter((alarm) => alarm.kind === kind).length
      const isLocal = kind === 'database_damaged' && isDamaged()
      metrics.set('otpmint_alarms', kind, isLocal ? Math.max(1, open) : open)
    }
  })
}

/** Tells the other nodes that this one lives, and the version of its keyset. */
export type Beat = () => Promise<void>

export type KeysState = { right: boolean }

/**
 * Takes up the keys that `otpmint key rotate` writes while this server runs, and says so at once.
 * Without a key to them the server is not ready any more: it would make codes that others cannot
 * judge.
 */
export function createRotationWatch({
  follow,
  beat,
  keys,
  ...ports
}: Pick<Ports, 'timers'> &
  Logged & {
    follow(): Promise<'same' | 'changed' | 'lost'>
    beat: Beat
    keys: KeysState
    everyMs?: number
  }): Job {
  const { log, everyMs = 1_000 } = ports
  return periodic(ports, { everyMs, event: 'rotation_watch' }, async () => {
    const followed = await follow()
    if (followed === 'lost' && keys.right) {
      log.error('keys_lost', { detail: 'the keyset has changed; restart with the new master key' })
    }
    keys.right = followed !== 'lost'
    if (followed === 'changed') {
      log.info('keys_changed')
      await beat()
    }
  })
}

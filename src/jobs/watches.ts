import { alarmKinds, clearAlarm, isSpray, raiseAlarm, spray } from '../domain/alarm.ts'
import { effectivePolicy } from '../domain/app/policy.ts'
import { silentMs } from '../domain/delivery/lease.ts'
import { conversionSpan, worstConversion } from '../domain/delivery/spending.ts'
import { refusalWindowMs, refusesTooMany } from '../domain/delivery/suppression.ts'
import type { Log, Metrics, Ports } from '../domain/ports.ts'
import { differingSettings } from '../domain/shared-settings.ts'
import type { Node } from '../domain/stores.ts'
import { dayMs } from '../domain/verification/limits.ts'
import { type Gate, type Job, periodic } from './periodic.ts'

type Logged = { log: Log } & Gate
type TurnPorts = Pick<Ports, 'maintenance' | 'node' | 'clock'>

/** True on the node that watches now; another one follows when it is silent for three runs. */
export function isTurn({ maintenance, node, clock }: TurnPorts, job: string, everyMs: number) {
  const now = clock.now()
  return maintenance.takeTurn({ job, node, now, until: now + 3 * everyMs })
}

const sprayEveryMs = 10_000

/** Raises the spray alarm: many wrong codes over many recipients of one app. One node watches. */
export function createSprayWatch(
  ports: Pick<Ports, 'stats' | 'alarms' | 'timers'> & TurnPorts & Logged,
): Job {
  const { stats, clock } = ports
  return periodic(ports, { everyMs: sprayEveryMs, event: 'spray_watch' }, async () => {
    if (!(await isTurn(ports, 'spray', sprayEveryMs))) return
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

const refusalsEveryMs = 10_000

/**
 * Raises the alarm of an endpoint that refuses so many recipients that none is suppressed, and
 * clears it when they are fewer again in the last hour. One node watches.
 */
export function createRefusalWatch(
  ports: Pick<Ports, 'suppressions' | 'alarms' | 'timers'> & TurnPorts & Logged,
): Job {
  const { suppressions, clock } = ports
  return periodic(ports, { everyMs: refusalsEveryMs, event: 'refusal_watch' }, async () => {
    if (!(await isTurn(ports, 'refusals', refusalsEveryMs))) return
    const since = clock.now() - refusalWindowMs
    for (const { appId, endpointId, alarmed, ...counts } of await suppressions.refusals({
      since,
    })) {
      const place = { kind: 'recipients_refused', appId, endpointId } as const
      if (refusesTooMany(counts)) {
        if (!alarmed) await raiseAlarm(ports, place, counts)
      } else if (alarmed) {
        await clearAlarm(ports, place)
      }
    }
  })
}

const spendingEveryMs = 60_000
const alarmsReadMax = 1_000

/**
 * Ends the alarm of a used up cost on the next day (UTC), and raises and ends that of a country whose
 * codes are hardly used: somebody may be earning from messages that nobody asked for. One node watches.
 */
export function createSpendingWatch(
  ports: Pick<Ports, 'spending' | 'apps' | 'alarms' | 'timers' | 'settings'> & TurnPorts & Logged,
): Job {
  const { spending, apps, alarms, clock, settings } = ports
  return periodic(ports, { everyMs: spendingEveryMs, event: 'spending_watch' }, async () => {
    if (!(await isTurn(ports, 'spending', spendingEveryMs))) return
    const now = clock.now()
    const query = { appId: null, open: true, limit: alarmsReadMax, cursor: null }
    const { items: open } = await alarms.list(query)
    for (const { kind, appId, endpointId, since } of open) {
      if (kind !== 'cost_capped' || Math.floor(since / dayMs) === Math.floor(now / dayMs)) continue
      await clearAlarm(ports, { kind, appId, endpointId })
    }
    const alarmed = open.flatMap(({ kind, appId }) => (kind === 'conversion_low' ? [appId] : []))
    const found = await spending.conversions(conversionSpan(now))
    const byApp = Map.groupBy(found, ({ appId }) => appId)
    for (const appId of new Set([...byApp.keys(), ...alarmed])) {
      if (appId === null) continue
      const app = await apps.get(appId)
      const percent = app ? effectivePolicy(app.policy, settings).conversionAlarmPercent : 0
      const worst = worstConversion(byApp.get(appId) ?? [], percent)
      const place = { kind: 'conversion_low', appId, endpointId: null } as const
      if (worst) await raiseAlarm(ports, place, { ...worst })
      else if (alarmed.includes(appId)) await clearAlarm(ports, place)
    }
  })
}

const clockEveryMs = 1_000
const stepMs = 5_000
/** The clock must run this long without a step before its alarm is cleared, in ms. */
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
    /** True when the database is damaged, which may be impossible to store as an alarm. */
    isDamaged(): boolean
    /** How many lines of the log were lost so far. */
    lostLines(): number
  }

/** Every 5 s marks this node as alive with its keyset's version, and updates metrics. */
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

/** Marks this node as alive, with the version of its keyset. */
export type Beat = () => Promise<void>

/**
 * `seenAt`: a time of `timers.monotonic`, the last one at which other nodes know this one alive.
 * `live`: how many nodes were alive then, with this one.
 */
export function createSigns({
  nodes,
  node,
  clock,
  timers,
  about,
  onLive,
}: Pick<Ports, 'nodes' | 'node' | 'clock' | 'timers'> & {
  about(): Promise<Pick<Node, 'keysetVersion' | 'nextKeyId' | 'settings'>>
  /** Called with all nodes that are alive. */
  onLive?(nodes: Node[]): void
}): {
  beat: Beat
  seenAt(): number
  live(): number
} {
  let seenAt = Number.NEGATIVE_INFINITY
  let live = 1
  return {
    async beat() {
      const told = await about()
      const at = timers.monotonic()
      await nodes.beat({ id: node, seenAt: clock.now(), ...told })
      seenAt = at
      const silentSince = clock.now() - silentMs
      const alive = (await nodes.list()).filter((each) => each.seenAt > silentSince)
      live = alive.length
      onLive?.(alive)
    },
    seenAt: () => seenAt,
    live: () => Math.max(1, live),
  }
}

/** Warns of settings that differ between nodes that are alive: once, until other ones do. */
export function createSettingsWatch({ log }: Logged): (nodes: Node[]) => void {
  let told = ''
  return (nodes) => {
    const names = differingSettings(nodes).map(({ name }) => name)
    const detail = names.join(', ')
    if (detail !== told && detail !== '') log.warn('settings_differ', { detail })
    told = detail
  }
}

export type KeysState = { right: boolean }

/** Notes whether this server can open the keyset, and says once that it cannot. */
export function noteKeys(keys: KeysState, followed: 'same' | 'changed' | 'lost', log: Log): void {
  if (followed === 'lost' && keys.right) {
    log.error('keys_lost', { detail: 'the keyset has changed; restart with the new master key' })
  }
  keys.right = followed !== 'lost'
}

/**
 * Reloads the keyset when `otpmint key rotate` changes it. A server that cannot open it is not
 * ready any more, because other nodes could not judge its codes.
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
    noteKeys(keys, followed, log)
    if (followed === 'changed') {
      log.info('keys_changed')
      await beat()
    }
  })
}

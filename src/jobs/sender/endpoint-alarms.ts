import { type AlarmKind, clearAlarm, raiseAlarm } from '../../domain/alarm.ts'
import type { Lane } from '../../domain/delivery/handover.ts'
import type { Log, Ports } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'

/**
 * The alarms of endpoints whose servers refuse: raised by a refusal, cleared by a sent message. The
 * alarm of too many refused recipients is a watch's, because such a server accepts others, and that
 * of an endpoint that is off ends when it is switched on.
 */
export type EndpointAlarms = {
  raise(lane: Lane, kind: AlarmKind, code: string | null): void
  /** A message was sent through this lane. */
  clear(lane: Lane): void
}

type AlarmPorts = Pick<Ports, 'alarms' | 'clock'> & { log: Log }
type Known = { kinds: Set<AlarmKind>; until: number }

const endpointsMax = 10_000
const listMax = 1_000
/** Alarms are read again after this time, because other nodes raise and clear them too. */
const knownForMs = 60_000

/** Remembers which alarms are on, so that a refusal or a sent message writes only what changes. */
export function createEndpointAlarms(ports: AlarmPorts): EndpointAlarms {
  const { alarms, clock, log } = ports
  const known = new Map<string, Known>()
  let last: Promise<void> = Promise.resolve()

  // One after another, so that a raise and a clear of one alarm come in their order.
  const then = (endpointId: string, work: () => Promise<void>) => {
    last = last.then(work).catch((error: unknown) => {
      known.delete(endpointId)
      log.warn('alarm_failed', { detail: nameOf(error) })
    })
  }
  const kindsOf = (endpointId: string): Set<AlarmKind> | null => {
    const found = known.get(endpointId)
    return found && clock.now() < found.until ? found.kinds : null
  }
  const remember = (endpointId: string, kinds: Set<AlarmKind>) => {
    known.delete(endpointId)
    known.set(endpointId, { kinds, until: clock.now() + knownForMs })
    const [oldest] = known.keys()
    if (known.size > endpointsMax && oldest !== undefined) known.delete(oldest)
  }
  const openNow = async ({ appId, endpointId }: Lane): Promise<AlarmKind[]> => {
    const query = { appId, open: true, limit: listMax, cursor: null }
    const { items } = await alarms.list(query)
    const kinds = items.filter((alarm) => alarm.endpointId === endpointId).map(({ kind }) => kind)
    return kinds.filter((kind) => kind !== 'recipients_refused' && kind !== 'endpoint_off')
  }
  return {
    raise({ appId, endpointId }, kind, code) {
      if (endpointId === null || kindsOf(endpointId)?.has(kind)) return
      remember(endpointId, new Set([...(kindsOf(endpointId) ?? []), kind]))
      const data = code === null ? {} : { code }
      then(endpointId, () => raiseAlarm(ports, { kind, appId, endpointId }, data))
    },
    clear(lane) {
      const { appId, endpointId } = lane
      if (endpointId === null || kindsOf(endpointId)?.size === 0) return
      remember(endpointId, new Set())
      then(endpointId, async () => {
        const kinds = await openNow(lane)
        for (const kind of kinds) await clearAlarm(ports, { kind, appId, endpointId })
      })
    },
  }
}

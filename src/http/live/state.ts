import type { App } from '../../domain/app/app.ts'
import type { Flow } from '../../domain/delivery/flow.ts'
import type { Ports } from '../../domain/ports.ts'
import type { StatsRow } from '../../domain/stores.ts'
import { type LiveState, presentLive } from '../../present/overview.ts'

export type StatePorts = Pick<Ports, 'stats' | 'alarms' | 'apps' | 'clock'> & { flow(): Flow }

const minuteMs = 60_000
/** The minutes that are shown, and of them those that are read again, as their counts still grow. */
const minutesShown = 60
const minutesRead = 3
const alarmsShown = 50

export type Live = ReturnType<typeof presentLive>

/** Reads what happens now; minutes that do not change any more are read once. */
export function createState(ports: StatePorts): () => Promise<Live> {
  const { stats, alarms, apps, clock, flow } = ports
  let known: StatsRow[] = []
  let readAt = Number.NEGATIVE_INFINITY

  async function readMinutes(): Promise<StatsRow[]> {
    const now = clock.now()
    const to = (Math.floor(now / minuteMs) + 1) * minuteMs
    const from = to - minutesShown * minuteMs
    const isKnown = Math.abs(now - readAt) < minuteMs
    const since = isKnown ? to - minutesRead * minuteMs : from
    readAt = now
    const rows = await stats.read({ appId: null, bucketMs: minuteMs, from: since, to })
    known = [...known.filter(({ at }) => at >= from && at < since), ...rows]
    return known
  }

  const namesOf = (app: App | null, endpointId: string | null) => {
    const endpoint = app?.endpoints.find(({ id }) => id === endpointId)
    const host = endpoint && 'host' in endpoint.settings ? endpoint.settings.host : null
    return { appName: app?.name ?? null, endpointName: host ?? endpoint?.settings.kind ?? null }
  }

  return async () => {
    const now = flow()
    const query = { appId: null, open: true, limit: alarmsShown, cursor: null }
    const [minutes, open] = await Promise.all([readMinutes(), alarms.list(query)])
    const lanes: LiveState['lanes'] = []
    for (const lane of now.lanes) {
      lanes.push({ ...lane, ...namesOf(await apps.get(lane.appId), lane.endpointId) })
    }
    const named: LiveState['alarms'] = []
    for (const alarm of open.items) {
      const app = alarm.appId === null ? null : await apps.get(alarm.appId)
      named.push({ ...alarm, appName: app?.name ?? null })
    }
    return presentLive({ minutes, flow: now, lanes, alarms: named })
  }
}

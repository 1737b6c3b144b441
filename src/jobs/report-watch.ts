import { clearAlarm, raiseAlarm } from '../domain/alarm.ts'
import { reportsMax, reportWindowMs } from '../domain/page/reports.ts'
import type { Log, Ports } from '../domain/ports.ts'
import { type Gate, type Job, periodic } from './periodic.ts'
import { isTurn } from './watches.ts'

const everyMs = 10_000
const alarmsReadMax = 1_000

/**
 * Raises the alarm of an app whose codes so many people did not ask for in a day, and clears it when they
 * are fewer. One node watches.
 */
export function createReportWatch(
  ports: Pick<Ports, 'pages' | 'alarms' | 'timers' | 'maintenance' | 'node' | 'clock'> & {
    log: Log
  } & Gate,
): Job {
  const { pages, alarms, clock } = ports
  return periodic(ports, { everyMs, event: 'report_watch' }, async () => {
    if (!(await isTurn(ports, 'reports', everyMs))) return
    const found = await pages.reports({ since: clock.now() - reportWindowMs })
    const above = new Map(
      found.filter(({ count }) => count > reportsMax).map(({ appId, count }) => [appId, count]),
    )
    for (const [appId, count] of above) {
      await raiseAlarm(
        ports,
        { kind: 'not_asked_for', appId, endpointId: null },
        { reports: count },
      )
    }
    const query = { appId: null, open: true, limit: alarmsReadMax, cursor: null }
    for (const { kind, appId, endpointId } of (await alarms.list(query)).items) {
      if (kind !== 'not_asked_for' || appId === null || above.has(appId)) continue
      await clearAlarm(ports, { kind, appId, endpointId })
    }
  })
}

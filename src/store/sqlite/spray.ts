import type { Database } from 'bun:sqlite'
import type { Journal } from './journal.ts'

const windowMinutes = 10
const failuresMin = 50
const failuresShare = 0.3

/**
 * Guesses spread over many recipients stay under every recipient's budget; an app's failures above
 * max(50, 30 % of its checks) in 10 minutes give them away.
 */
export function createSpray(database: Database, journal: Journal) {
  const counts = database.prepare<
    { id: string; alarm_at: number | null; checks: number; failures: number },
    { since: number }
  >(`
    select id, alarm_at, coalesce(sum(checks), 0) as checks, coalesce(sum(failures), 0) as failures
    from apps left join app_minutes on app_id = id and minute > $since
    group by id having failures > 0 or alarm_at is not null`)
  const setAlarm = database.prepare<null, { id: string; at: number | null }>(
    'update apps set alarm_at = $at where id = $id',
  )

  return (now: number): { appId: string; alarmed: boolean }[] => {
    const since = Math.floor(now / 60_000) - windowMinutes
    const changed = []
    for (const { id, alarm_at: alarmAt, checks, failures } of counts.all({ since })) {
      const alarmed = failures > Math.max(failuresMin, failuresShare * checks)
      if (alarmed === (alarmAt !== null)) continue
      setAlarm.run({ id, at: alarmed ? now : null })
      const type = alarmed ? 'alarm.spray' : 'alarm.calm'
      journal.event({ at: now, appId: id, type, verificationId: null, data: { checks, failures } })
      changed.push({ appId: id, alarmed })
    }
    return changed
  }
}

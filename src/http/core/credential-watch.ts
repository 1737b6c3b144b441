import { clearAlarm, raiseAlarm } from '../../domain/alarm.ts'
import type { HttpPorts } from '../ports.ts'
import type { ClientAddress } from './client-ip.ts'

type WatchPorts = Pick<HttpPorts, 'log' | 'timers' | 'clock' | 'alarms' | 'settings'>

export type CredentialWatch = {
  /** Notes a call whose credential was unknown, or refused without a look-up. */
  note(client: ClientAddress): void
  stop(): void
}

const alarm = { kind: 'unknown_credentials', appId: null, endpointId: null } as const
const minuteMs = 60_000
/** The alarm is cleared after so many minutes without an address above the limit. */
const calmMinutes = 10
/** Addresses that are counted separately in one minute; the others count as `others`. */
const addressesMax = 1000

/**
 * Reports unknown keys: one log line a minute with the address of the most, and the
 * `unknown_credentials` alarm while any address presents more than the limit allows.
 */
export function createCredentialWatch(ports: WatchPorts): CredentialWatch {
  const { log, timers, settings } = ports
  const counts = new Map<string, number>()
  let cancel: (() => void) | null = null
  // An alarm that an earlier process left on is cleared like one of this process.
  let calmFor = 0
  let isWatching = true
  schedule()

  function schedule(): void {
    cancel ??= timers.after(minuteMs, () => {
      cancel = null
      void report().catch(() => {
        log.warn('alarm_not_stored', { alarm: 'unknown_credentials' })
        calmFor = Math.min(calmFor, calmMinutes - 1)
        watch()
      })
    })
  }

  function watch(): void {
    isWatching = true
    schedule()
  }

  async function report(): Promise<void> {
    const [client, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0])
    const count = [...counts.values()].reduce((sum, each) => sum + each, 0)
    const detail = `${counts.size} addresses; ${most} from this one`
    counts.clear()
    if (count > 0) log.warn('unknown_credentials', { client, count, detail })
    const isAbove = most > settings.ipFailuresPerMinute
    calmFor = isAbove ? 0 : calmFor + 1
    isWatching = calmFor < calmMinutes
    if (isWatching) schedule()
    if (isAbove) await raiseAlarm(ports, alarm, { client, count: most }, { client })
    else if (!isWatching) await clearAlarm(ports, alarm)
  }

  return {
    note({ name }) {
      const isNew = !counts.has(name) && counts.size >= addressesMax
      const place = isNew ? 'others' : name
      counts.set(place, (counts.get(place) ?? 0) + 1)
      if (!isWatching) calmFor = 0
      watch()
    },
    stop() {
      cancel?.()
      cancel = null
    },
  }
}

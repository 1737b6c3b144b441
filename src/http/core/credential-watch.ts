import { clearAlarm, raiseAlarm } from '../../domain/alarm.ts'
import type { HttpPorts } from '../ports.ts'
import type { ClientAddress } from './client-ip.ts'

type WatchPorts = Pick<
  HttpPorts,
  'log' | 'timers' | 'clock' | 'alarms' | 'limits' | 'keyring' | 'settings'
>

export type CredentialWatch = {
  /**
   * Notes a call whose credential was unknown, or one that was refused without a look-up because its
   * address is over the limit, which all nodes share.
   */
  note(client: ClientAddress, outcome: 'unknown' | 'refused'): void
  stop(): void
}

const alarm = { kind: 'unknown_credentials', appId: null, endpointId: null } as const
const minuteMs = 60_000
/** The alarm is cleared after so many minutes without an address above the limit, on any node. */
const calmMinutes = 10
/** Addresses that are counted separately in one minute; the others count as `others`. */
const addressesMax = 1000

/**
 * Reports unknown keys: one log line a minute with the address of the most, and the
 * `unknown_credentials` alarm while any address presents more than the limit allows.
 */
export function createCredentialWatch(ports: WatchPorts): CredentialWatch {
  const { log, timers, settings } = ports
  const calm = createCalm(ports)
  const counts = new Map<string, number>()
  let isRefused = false
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
    const isAbove = isRefused || most > settings.ipFailuresPerMinute
    counts.clear()
    isRefused = false
    if (count > 0) log.warn('unknown_credentials', { client, count, detail })
    calmFor = isAbove ? 0 : calmFor + 1
    isWatching = calmFor < calmMinutes
    if (isWatching) schedule()
    if (isAbove) {
      await calm.disturb()
      await raiseAlarm(ports, alarm, { client, count: most }, { client })
    } else if (!isWatching) {
      if (await calm.isDisturbed()) return watch()
      await clearAlarm(ports, alarm)
    }
  }

  return {
    note({ name }, outcome) {
      if (outcome === 'refused') isRefused = true
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

/** Remembers in the store, for all nodes, when one has last seen an address above the limit. */
function createCalm({ limits, keyring, clock }: Pick<WatchPorts, 'limits' | 'keyring' | 'clock'>) {
  const key = () => keyring.limitIndex('unknown_credentials', '')
  // Less than until the report that may clear the alarm.
  const keptMs = (calmMinutes - 0.5) * minuteMs

  return {
    disturb: () => limits.remember(key(), clock.now() + keptMs),
    isDisturbed: () => limits.remembers({ key: key(), now: clock.now(), withinMs: keptMs }),
  }
}

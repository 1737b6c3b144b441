import type { Event } from './event.ts'
import type { Log, LogFields, Ports } from './ports.ts'

/**
 * A state that an admin should end. `spray`: an app's failures are too many for mistypings.
 * `login_refused`, `server_refused`, `policy_refused`: an endpoint takes no mail of this app.
 * `message_refused`: a server refuses the message itself. `recipients_refused`: an endpoint refuses
 * so many recipients that none is suppressed. `unknown_credentials`: one client address
 * presents many unknown keys. `clock_stepped`: the clock jumped. `database_damaged`: see doctor.
 */
export const alarmKinds = [
  'spray',
  'login_refused',
  'server_refused',
  'policy_refused',
  'message_refused',
  'recipients_refused',
  'unknown_credentials',
  'clock_stepped',
  'database_damaged',
] as const

export type AlarmKind = (typeof alarmKinds)[number]

/** What an alarm is about; at most one alarm of a place is on. */
export type AlarmPlace = { kind: AlarmKind; appId: string | null; endpointId: string | null }

export type Alarm = AlarmPlace & {
  id: number
  since: number
  /** Null while it is on. */
  until: number | null
}

/** The threshold of the spray alarm: failures of one app's checks in the last `windowMs`. */
export const spray = { windowMs: 600_000, failuresMin: 50, failuresShare: 0.3 } as const

/** Failures above max(50, 30 % of the checks): guesses spread over many recipients. */
export function isSpray({ checks, failures }: { checks: number; failures: number }): boolean {
  return failures > Math.max(spray.failuresMin, spray.failuresShare * checks)
}

type AlarmPorts = Pick<Ports, 'alarms' | 'clock'> & { log: Log }

/**
 * Turns an alarm on, with a row, an event and a log line; does nothing when it is on already. `data`
 * goes to the event, `fields` to the log line.
 */
export async function raiseAlarm(
  { alarms, clock, log }: AlarmPorts,
  place: AlarmPlace,
  data: Event['data'] = {},
  fields: LogFields = {},
): Promise<void> {
  const event = { event: 'alarm.raised', data: { kind: place.kind, ...data } } as const
  if (await alarms.raise({ ...place, now: clock.now(), ...event })) {
    log.warn('alarm_raised', { ...logFields(place), ...fields })
  }
}

/** Turns an alarm off, with an event and a log line; does nothing when it is off. */
export async function clearAlarm(
  { alarms, clock, log }: AlarmPorts,
  place: AlarmPlace,
): Promise<void> {
  const event = { event: 'alarm.cleared', data: { kind: place.kind } } as const
  if (await alarms.clear({ ...place, now: clock.now(), ...event })) {
    log.info('alarm_cleared', logFields(place))
  }
}

function logFields({ kind, appId, endpointId }: AlarmPlace): LogFields {
  return {
    alarm: kind,
    ...(appId !== null && { appId }),
    ...(endpointId !== null && { endpointId }),
  }
}

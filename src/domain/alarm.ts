import type { Event } from './event.ts'
import type { Log, LogFields, Ports } from './ports.ts'
import type { AlarmChange } from './stores.ts'

/**
 * A state that an admin should end. `spray`: an app's failures are too many for mistypings.
 * `login_refused`, `server_refused`, `policy_refused`: an endpoint takes no mail of this app.
 * `message_refused`: a server refuses the message itself. `recipients_refused`: an endpoint refuses
 * so many recipients that none is suppressed. `endpoint_off`: an endpoint is used no more, because its
 * server wants nothing. `cost_capped`: the app's messages have cost what a day may cost.
 * `conversion_low`: few codes to telephone numbers of a country are used. `not_asked_for`: many people have reported codes
 * of the app that they did not ask for. `unknown_credentials`: one client address
 * presents many unknown keys. `webhook_off`: a webhook is told nothing, because its receiver failed for
 * days or wants nothing. `webhook_backlog`: so many messages wait for a webhook that new ones are not
 * sent. `clock_stepped`: the clock jumped. `database_damaged`: see doctor.
 */
export const alarmKinds = [
  'spray',
  'login_refused',
  'server_refused',
  'policy_refused',
  'message_refused',
  'recipients_refused',
  'endpoint_off',
  'cost_capped',
  'conversion_low',
  'not_asked_for',
  'unknown_credentials',
  'webhook_off',
  'webhook_backlog',
  'clock_stepped',
  'database_damaged',
] as const

export type AlarmKind = (typeof alarmKinds)[number]

/** What an admin does about an alarm, in a sentence for each kind. */
export const alarmAdvice: Record<AlarmKind, string> = {
  spray:
    'Codes are guessed for many recipients: set longer_codes_on_alarm and smaller limits, and put a captcha in front of the app.',
  login_refused: 'Set the password of this endpoint again, as its provider has it now.',
  server_refused:
    'Test the endpoint: its server cannot be used as it is set up, for example for its certificate.',
  policy_refused: 'Verify the From address with the provider of this endpoint.',
  message_refused: 'Read the server’s reply in the tries of a verification that failed.',
  recipients_refused:
    'Read the server’s replies in the verifications’ tries: so many refusals are rarely the recipients’ fault.',
  endpoint_off: 'Repair the gateway, then switch the endpoint on again.',
  cost_capped:
    'See in the tries to which countries messages went; set another cost_per_day if that is right.',
  conversion_low:
    'Somebody may be paid for messages that nobody asked for: take the country out of phone_countries, or lower phone_prefix_per_hour.',
  not_asked_for:
    'Somebody starts codes for others: limit who may start one, and put a captcha into the app. It ends ' +
    'when fewer people report them.',
  unknown_credentials:
    'Find the client by its address in the log: it has an old key, or guesses keys.',
  webhook_off: 'Repair the receiver, then switch the webhook on again: its messages wait for that.',
  webhook_backlog: 'Repair the receiver, then replay the messages of the time of this alarm.',
  clock_stepped: 'Keep the clock of this machine set by NTP.',
  database_damaged: 'Stop the server and restore a backup.',
}

/** What an alarm is about; at most one alarm of a place is on. `endpointId` may be a webhook's id. */
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
  if (await alarms.raise(alarmChange('raised', place, clock.now(), data))) {
    log.warn('alarm_raised', { ...logFields(place), ...fields })
  }
}

/** Turns an alarm off, with an event and a log line; does nothing when it is off. */
export async function clearAlarm(
  { alarms, clock, log }: AlarmPorts,
  place: AlarmPlace,
): Promise<void> {
  if (await alarms.clear(alarmChange('cleared', place, clock.now()))) {
    log.info('alarm_cleared', logFields(place))
  }
}

/** The change that turns an alarm on or off, with its event. */
export function alarmChange(
  change: 'raised' | 'cleared',
  place: AlarmPlace,
  now: number,
  data: Event['data'] = {},
): AlarmChange {
  const { kind, endpointId } = place
  const about = { kind, ...(endpointId !== null && { endpoint: endpointId }), ...data }
  return { ...place, now, event: `alarm.${change}`, data: about }
}

function logFields({ kind, appId, endpointId }: AlarmPlace): LogFields {
  return {
    alarm: kind,
    ...(appId !== null && { appId }),
    ...(endpointId !== null && { endpointId }),
  }
}

import type { Field } from './field.ts'

type IntegerField = Extract<Field, { type: 'integer' }>
type Setting = IntegerField & { default: number }

/**
 * The server's numeric settings. An app's policy may choose the length and the life of its codes,
 * and can only make everything else stricter.
 */
export const settingFields = {
  codeLength: whole(6, 10, 6, 'Digits of a code, where the app does not say.'),
  ttlSeconds: whole(30, 86_400, 600, 'Seconds that a code is valid, where the app does not say.'),
  attemptsMax: whole(3, 10, 5, 'Tries that one verification allows.'),
  resendAfterSeconds: whole(5, 3600, 30, 'Seconds before the same code may be sent again.'),
  resendsMax: whole(0, 10, 3, 'How often the same code may be sent again.'),
  recipientStartSpacingSeconds: whole(
    1,
    3600,
    30,
    'Seconds between two verifications for one recipient of an app.',
  ),
  recipientStartsPerQuarterHour: whole(
    1,
    100,
    5,
    'Verifications for one recipient of an app in 15 minutes.',
  ),
  recipientStartsPerDay: whole(
    1,
    1000,
    20,
    'Verifications for one recipient of an app in 24 hours.',
  ),
  recipientStartsPerDayAcrossApps: whole(
    1,
    1000,
    30,
    'Verifications for one recipient in 24 hours over all apps, live mail only.',
  ),
  appStartsPerMinute: whole(1, 1_000_000, 600, 'Verifications that one app may start in a minute.'),
  appStartsPerDay: whole(
    1,
    1_000_000_000,
    1_000_000,
    'Verifications that one app may start in 24 hours.',
  ),
  ipFailuresPerMinute: whole(
    1,
    1000,
    10,
    'Calls with an unknown or dead key that one client address may make in a minute.',
  ),
  pageChecksPerTenMinutes: whole(
    1,
    100_000,
    30,
    'Codes that one client address may try on hosted pages in 10 minutes.',
  ),
  pageSendsPerHour: whole(
    1,
    10_000,
    10,
    'Messages that one client address may ask for on hosted pages in an hour.',
  ),
  guessBudgetPerDay: whole(
    3,
    100,
    25,
    'Wrong codes for one recipient of an app in 24 hours before codes become long.',
  ),
  guessBudgetPerMonth: whole(
    3,
    1000,
    76,
    'Wrong codes for one recipient of an app in 30 days before codes become long.',
  ),
  phonePrefixPerHour: whole(
    1,
    10_000,
    30,
    'Messages of an app in an hour to telephone numbers that differ in their last four digits only.',
  ),
  phoneCountryPerHour: whole(
    1,
    1_000_000,
    500,
    'Messages of an app in an hour to telephone numbers of one country.',
  ),
  costPerDay: whole(
    0,
    1_000_000_000_000,
    50_000_000,
    'Cost of an app’s messages in a day, in millionths, where the app does not say.',
  ),
} satisfies Record<string, Setting>

export type SettingName = keyof typeof settingFields
export type DomainSettings = Record<SettingName, number>

export const defaultSettings = Object.fromEntries(
  Object.entries(settingFields).map(([name, field]) => [name, field.default]),
) as DomainSettings

function whole(min: number, max: number, usual: number, says: string): Setting {
  return { type: 'integer', min, max, default: usual, says }
}

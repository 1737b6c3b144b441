import { integer } from './kinds.ts'

export const codes = {
  OTPMINT_CODE_LENGTH: integer({
    section: 'Codes',
    description: 'Digits of a code, where the app does not say (NIST SP 800-63B-4: 6 or more).',
    min: 6,
    max: 10,
    default: 6,
  }),
  OTPMINT_CODE_TTL_SECONDS: integer({
    section: 'Codes',
    description: 'How long a code is valid, where the app does not say (NIST: 600 at most).',
    min: 30,
    max: 86_400,
    default: 600,
  }),
  OTPMINT_ATTEMPTS_MAX: integer({
    section: 'Codes',
    description: 'Tries that one verification allows.',
    min: 3,
    max: 10,
    default: 5,
  }),
  OTPMINT_RESEND_AFTER_SECONDS: integer({
    section: 'Codes',
    description: 'How long to wait before the same code may be sent again.',
    min: 5,
    max: 3600,
    default: 30,
  }),
  OTPMINT_RESENDS_MAX: integer({
    section: 'Codes',
    description: 'How often the same code may be sent again.',
    min: 0,
    max: 10,
    default: 3,
  }),
}

export const limits = {
  OTPMINT_LIMIT_RECIPIENT_SPACING_SECONDS: integer({
    section: 'Limits',
    description: 'How long to wait between two verifications for one recipient of an app.',
    min: 1,
    max: 3600,
    default: 30,
  }),
  OTPMINT_LIMIT_RECIPIENT_STARTS_PER_QUARTER_HOUR: integer({
    section: 'Limits',
    description: 'Verifications for one recipient of an app in 15 minutes.',
    min: 1,
    max: 100,
    default: 5,
  }),
  OTPMINT_LIMIT_RECIPIENT_STARTS_PER_DAY: integer({
    section: 'Limits',
    description: 'Verifications for one recipient of an app in 24 hours.',
    min: 1,
    max: 1000,
    default: 20,
  }),
  OTPMINT_LIMIT_RECIPIENT_STARTS_PER_DAY_ACROSS_APPS: integer({
    section: 'Limits',
    description: 'Verifications for one recipient in 24 hours, whatever the app.',
    min: 1,
    max: 1000,
    default: 30,
  }),
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: integer({
    section: 'Limits',
    description: 'Verifications that one app may start in a minute.',
    min: 1,
    max: 1_000_000,
    default: 600,
  }),
  OTPMINT_LIMIT_IP_FAILURES_PER_MINUTE: integer({
    section: 'Limits',
    description: 'Calls with an unknown or dead key that one client address may make in a minute.',
    min: 1,
    max: 1000,
    default: 10,
  }),
  OTPMINT_GUESS_BUDGET_PER_DAY: integer({
    section: 'Limits',
    description: 'Wrong codes for one recipient of an app in 24 hours before codes become long.',
    min: 3,
    max: 100,
    default: 25,
  }),
  OTPMINT_GUESS_BUDGET_PER_MONTH: integer({
    section: 'Limits',
    description: 'Wrong codes for one recipient of an app in 30 days before codes become long.',
    min: 3,
    max: 1000,
    default: 80,
  }),
}

/** The maxima are those of data protection, not of the disk. */
export const retention = {
  OTPMINT_RETENTION_VERIFICATION_DAYS: integer({
    section: 'Retention',
    description: 'How long a verification is kept after it ended.',
    min: 1,
    max: 7,
    default: 7,
  }),
  OTPMINT_RETENTION_EVENT_DAYS: integer({
    section: 'Retention',
    description: 'How long events and statistics are kept.',
    min: 1,
    max: 31,
    default: 31,
  }),
  OTPMINT_RETENTION_AUDIT_DAYS: integer({
    section: 'Retention',
    description: 'How long the audit log is kept.',
    min: 30,
    max: 400,
    default: 400,
  }),
}

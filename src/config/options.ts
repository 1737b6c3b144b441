import { type SettingName, settingFields } from '../domain/settings.ts'
import { logLevels } from '../log.ts'
import {
  boolean,
  choice,
  host,
  integer,
  listen,
  type Option,
  origin,
  path,
  ranges,
  type Section,
  secret,
  url,
} from './kinds.ts'

const server = {
  OTPMINT_HOST: host({
    section: 'Server',
    description: 'The address to listen on; keep 127.0.0.1 behind a reverse proxy.',
    default: '127.0.0.1',
    flag: 'host',
  }),
  OTPMINT_PORT: integer({
    section: 'Server',
    description: 'The TCP port to listen on; 0 picks a free one.',
    min: 0,
    max: 65_535,
    default: 5000,
    flag: 'port',
  }),
  OTPMINT_PUBLIC_URL: url({
    section: 'Server',
    description: 'The URL under which apps and people reach this server.',
    default: null,
    defaultText: 'from host and port',
    flag: 'public-url',
  }),
  OTPMINT_DATA_DIR: path({
    section: 'Server',
    description: 'The directory of the database and of everything else that is kept.',
    default: null,
    defaultText: '`$STATE_DIRECTORY`, else `./otpmint-data`',
    flag: 'data-dir',
  }),
}

const dashboard = {
  OTPMINT_DASHBOARD_LISTEN: listen({
    section: 'Dashboard',
    description:
      'Where the dashboard is served; keep it on loopback, and a proxy or ssh before it.',
    default: { host: '127.0.0.1', port: 5001 },
    defaultText: '127.0.0.1:5001',
  }),
  OTPMINT_DASHBOARD_URL: origin({
    section: 'Dashboard',
    description: 'The URL under which a proxy with TLS serves the dashboard.',
    default: null,
    defaultText: 'none: it answers on this machine only',
  }),
  OTPMINT_DASHBOARD_IDLE_MINUTES: integer({
    section: 'Dashboard',
    description: 'Minutes without use after which a person is signed out.',
    min: 5,
    max: 1440,
    default: 30,
  }),
  OTPMINT_DASHBOARD_SESSION_HOURS: integer({
    section: 'Dashboard',
    description: 'Hours after which a person has to sign in again.',
    min: 1,
    max: 24,
    default: 12,
  }),
}

const databaseUrl = (about: { description: string; defaultText: string }) =>
  secret({
    section: 'Database',
    // store/postgres/connect.ts reads it, and judges its TLS.
    allowed: 'a URL that begins with postgres:// and names a host and a database',
    pattern: /^postgres(ql)?:\/\/\P{Cc}+$/u,
    default: null,
    ...about,
  })

const urlFile = (name: string) =>
  path({
    section: 'Database',
    description: `A file with ${name}, readable by its owner only (mode 0600 or 0400).`,
    default: null,
    defaultText: 'none',
  })

const database = {
  OTPMINT_DATABASE_URL: databaseUrl({
    description: 'The PostgreSQL database of several servers, with a role that defines nothing.',
    defaultText: 'none: SQLite in the data directory',
  }),
  OTPMINT_DATABASE_URL_FILE: urlFile('OTPMINT_DATABASE_URL'),
  OTPMINT_DATABASE_MIGRATE_URL: databaseUrl({
    description: 'The same database with the role that defines tables, past any pooler.',
    defaultText: 'none: a start migrates nothing, `otpmint migrate` does',
  }),
  OTPMINT_DATABASE_MIGRATE_URL_FILE: urlFile('OTPMINT_DATABASE_MIGRATE_URL'),
  OTPMINT_DATABASE_DIRECT_URL: databaseUrl({
    description: 'The same database past PgBouncer, for wake-ups; with the role of the first.',
    defaultText: 'OTPMINT_DATABASE_URL',
  }),
  OTPMINT_DATABASE_DIRECT_URL_FILE: urlFile('OTPMINT_DATABASE_DIRECT_URL'),
}

const keys = {
  OTPMINT_MASTER_KEY: secret({
    section: 'Keys',
    description: 'The key that seals every secret in the database; a file or credential is safer.',
    // keys/master-key.ts decodes it, and reads its other possible places.
    allowed: '32 random bytes in base64, or passphrase: and 16 characters or more',
    pattern: /^(\s*[A-Za-z0-9+/_-]{43}=?\s*|passphrase:[^\n]{16,})$/,
    default: null,
    defaultText: 'generated as `master.key` in the data directory on the first start',
  }),
  OTPMINT_MASTER_KEY_FILE: path({
    section: 'Keys',
    description: 'A file with the master key, readable by its owner only (mode 0600 or 0400).',
    default: null,
    defaultText: '`$CREDENTIALS_DIRECTORY/master_key`, where systemd sets it',
  }),
  OTPMINT_MASTER_KEY_NEXT_FILE: path({
    section: 'Keys',
    description:
      'A file with the master key that the next `otpmint key rotate` brings (mode 0600).',
    default: null,
    defaultText: 'none',
  }),
  OTPMINT_ADMIN_TOKEN: secret({
    section: 'Keys',
    description: 'The bearer token of the admin, for everything that manages apps.',
    allowed: '32 to 256 printable ASCII characters without spaces',
    pattern: /^[!-~]{32,256}$/,
    default: null,
    defaultText: 'generated and shown once on the first start',
  }),
  OTPMINT_ADMIN_TOKEN_FILE: path({
    section: 'Keys',
    description: 'A file with the admin token, readable by its owner only (mode 0600 or 0400).',
    default: null,
    defaultText: 'none',
  }),
  OTPMINT_INBOUND_KEY_FILE: path({
    section: 'Keys',
    description: 'A file with the key of `otpmint bounce`; the server does not read it.',
    default: null,
    defaultText: 'none',
  }),
}

const access = {
  OTPMINT_OPEN_REGISTRATION: boolean({
    section: 'Access',
    description: 'Lets anybody register an app, with a public mail server that takes its login.',
    default: false,
  }),
  OTPMINT_DEVELOPER_MODE: boolean({
    section: 'Access',
    description: 'Shows the test inbox and the reasons of failures; on a loopback host only.',
    default: false,
  }),
  OTPMINT_TRUSTED_PROXIES: ranges({
    section: 'Access',
    description: 'The proxies whose `X-Forwarded-For` is believed, read from the right.',
    default: [],
    defaultText: 'none',
  }),
  OTPMINT_EGRESS_ALLOW: ranges({
    section: 'Access',
    description: 'Addresses that are not public and that webhooks and gateways may have.',
    default: [],
    defaultText: 'none',
  }),
}

const codes = numbers('Codes', {
  codeLength: 'OTPMINT_CODE_LENGTH',
  ttlSeconds: 'OTPMINT_CODE_TTL_SECONDS',
  attemptsMax: 'OTPMINT_ATTEMPTS_MAX',
  resendAfterSeconds: 'OTPMINT_RESEND_AFTER_SECONDS',
  resendsMax: 'OTPMINT_RESENDS_MAX',
})

const limits = numbers('Limits', {
  recipientStartSpacingSeconds: 'OTPMINT_LIMIT_RECIPIENT_SPACING_SECONDS',
  recipientStartsPerQuarterHour: 'OTPMINT_LIMIT_RECIPIENT_STARTS_PER_QUARTER_HOUR',
  recipientStartsPerDay: 'OTPMINT_LIMIT_RECIPIENT_STARTS_PER_DAY',
  recipientStartsPerDayAcrossApps: 'OTPMINT_LIMIT_RECIPIENT_STARTS_PER_DAY_ACROSS_APPS',
  appStartsPerMinute: 'OTPMINT_LIMIT_APP_STARTS_PER_MINUTE',
  appStartsPerDay: 'OTPMINT_LIMIT_APP_STARTS_PER_DAY',
  ipFailuresPerMinute: 'OTPMINT_LIMIT_IP_FAILURES_PER_MINUTE',
  phonePrefixPerHour: 'OTPMINT_LIMIT_PHONE_PREFIX_PER_HOUR',
  phoneCountryPerHour: 'OTPMINT_LIMIT_PHONE_COUNTRY_PER_HOUR',
  costPerDay: 'OTPMINT_LIMIT_COST_PER_DAY',
  pageChecksPerTenMinutes: 'OTPMINT_LIMIT_PAGE_CHECKS_PER_TEN_MINUTES',
  pageSendsPerHour: 'OTPMINT_LIMIT_PAGE_SENDS_PER_HOUR',
  guessBudgetPerDay: 'OTPMINT_GUESS_BUDGET_PER_DAY',
  guessBudgetPerMonth: 'OTPMINT_GUESS_BUDGET_PER_MONTH',
})

/** The maxima are for data protection. */
const retention = {
  OTPMINT_RETENTION_VERIFICATION_DAYS: integer({
    section: 'Retention',
    description: 'Days that a verification is kept after it ended.',
    min: 1,
    max: 7,
    default: 7,
  }),
  OTPMINT_RETENTION_EVENT_DAYS: integer({
    section: 'Retention',
    description: 'Days that events, alarms and statistics are kept.',
    min: 1,
    max: 31,
    default: 31,
  }),
  OTPMINT_RETENTION_AUDIT_DAYS: integer({
    section: 'Retention',
    description: 'Days that the audit log is kept.',
    min: 30,
    max: 400,
    default: 400,
  }),
}

const operations = {
  OTPMINT_CONNECTIONS_MAX: integer({
    section: 'Operations',
    description: 'Connections to mail servers at a time, over all apps.',
    min: 1,
    max: 5000,
    default: 500,
  }),
  OTPMINT_METRICS_LISTEN: listen({
    section: 'Operations',
    description: 'Where `/metrics` and nothing else is served.',
    default: { host: '127.0.0.1', port: 9464 },
    defaultText: '127.0.0.1:9464',
  }),
  OTPMINT_LOG_LEVEL: choice({
    section: 'Operations',
    description: 'The least important lines that are logged.',
    of: logLevels,
    default: 'info',
    flag: 'log-level',
  }),
  OTPMINT_SHUTDOWN_SECONDS: integer({
    section: 'Operations',
    description: 'Seconds that running requests may take to finish after SIGTERM.',
    min: 0,
    max: 300,
    default: 10,
  }),
}

/**
 * Every setting, in the order of the documentation. Reading the environment, help,
 * docs/configuration.md and the redacted dump all use this table.
 */
export const options = {
  ...server,
  ...dashboard,
  ...database,
  ...keys,
  ...access,
  ...codes.options,
  ...limits.options,
  ...retention,
  ...operations,
}

export type OptionName = keyof typeof options
export type Values = {
  [Name in OptionName]: (typeof options)[Name] extends Option<infer T> ? T : never
}

/** Secrets that can also be in a file, whose path is the setting of the same name with _FILE. */
export const fileSecrets = [
  'OTPMINT_ADMIN_TOKEN',
  'OTPMINT_DATABASE_URL',
  'OTPMINT_DATABASE_MIGRATE_URL',
  'OTPMINT_DATABASE_DIRECT_URL',
] as const
export type FileSecret = (typeof fileSecrets)[number]

/** The same table as a list. */
export const optionList = Object.entries(options) as [OptionName, Option][]

/** Settings by which servers of one database would contradict one another where they differ. */
export const sharedOptions: readonly OptionName[] = [
  'OTPMINT_PUBLIC_URL',
  'OTPMINT_DASHBOARD_IDLE_MINUTES',
  'OTPMINT_DASHBOARD_SESSION_HOURS',
  'OTPMINT_OPEN_REGISTRATION',
  'OTPMINT_EGRESS_ALLOW',
  ...optionList.flatMap(([name, { section }]) =>
    ['Codes', 'Limits', 'Retention'].includes(section) ? [name] : [],
  ),
]

/** The variable of each numeric setting of the domain. */
export const settingNames = { ...codes.names, ...limits.names } satisfies Record<
  SettingName,
  OptionName
>

/** Makes an option for each numeric setting, with the bounds, default and sentence of its field. */
function numbers<const Names extends Partial<Record<SettingName, string>>>(
  section: Section,
  names: Names,
) {
  const entries = Object.entries(names) as [SettingName, string][]
  const list = entries.map(([setting, name]) => {
    const { min, max, default: usual, says } = settingFields[setting]
    return [name, integer({ section, description: says, min, max, default: usual })]
  })
  type Options = { [Name in Extract<Names[keyof Names], string>]: Option<number> }
  return { names, options: Object.fromEntries(list) as Options }
}

import { logLevels } from '../log.ts'
import { codes, limits, retention } from './domain-options.ts'
import {
  boolean,
  choice,
  host,
  integer,
  listen,
  type Option,
  path,
  ranges,
  secret,
  url,
} from './kinds.ts'

const server = {
  OTPMINT_HOST: host({
    section: 'Server',
    description: 'The address to listen on; 127.0.0.1 leaves the world to a reverse proxy.',
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
  OTPMINT_DATABASE_URL: choice({
    section: 'Server',
    description: 'The database: SQLite, in the data directory.',
    allowed: 'sqlite (PostgreSQL comes later)',
    of: ['sqlite'],
    default: 'sqlite',
  }),
}

const keys = {
  OTPMINT_MASTER_KEY: secret({
    section: 'Keys',
    description: 'The key that seals every secret in the database; a file or credential is safer.',
    // Its bytes are judged by keys/, which also knows the other places where it may lie.
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
  OTPMINT_ADMIN_TOKEN: secret({
    section: 'Keys',
    description: 'The bearer token of the operator, for everything that manages apps.',
    allowed: '32 to 256 printable ASCII characters without spaces',
    pattern: /^[!-~]{32,256}$/,
    default: null,
    defaultText: 'generated and shown once on the first start',
  }),
  OTPMINT_ADMIN_TOKEN_FILE: path({
    section: 'Keys',
    description: 'A file with the admin token.',
    default: null,
    defaultText: 'none',
  }),
}

const access = {
  OTPMINT_OPEN_REGISTRATION: boolean({
    section: 'Access',
    description: 'Lets anybody register an app, with a mail server that has public addresses only.',
    default: false,
  }),
  OTPMINT_DEVELOPER_MODE: boolean({
    section: 'Access',
    description: 'Shows the test inbox and the reasons of failures; not for production.',
    default: false,
  }),
  OTPMINT_TRUSTED_PROXIES: ranges({
    section: 'Access',
    description: 'The proxies whose `X-Forwarded-For` is believed, read from the right.',
    default: [],
    defaultText: 'none',
  }),
}

const operations = {
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
    description: 'How long running requests may take to finish after SIGTERM.',
    min: 0,
    max: 300,
    default: 10,
  }),
}

/**
 * Every setting there is, in the order in which people meet them. Reading the environment, help,
 * docs/configuration.md and the dump all come from here.
 */
export const options = {
  ...server,
  ...keys,
  ...access,
  ...codes,
  ...limits,
  ...retention,
  ...operations,
}

export type OptionName = keyof typeof options
export type Values = {
  [Name in OptionName]: (typeof options)[Name] extends Option<infer T> ? T : never
}

/** The same table for those who treat all settings alike. */
export const optionList = Object.entries(options) as [OptionName, Option][]

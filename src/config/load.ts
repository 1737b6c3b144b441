import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isLoopback } from '../domain/app/host.ts'
import type { SettingInForce } from '../domain/server.ts'
import type { DomainSettings } from '../domain/settings.ts'
import type { LogLevel } from '../log.ts'
import { nearest } from '../nearest.ts'
import { settingsAreWrong } from '../startup-error.ts'
import { settingsInForce } from './in-force.ts'
import {
  type FileSecret,
  fileSecrets,
  type OptionName,
  optionList,
  options,
  settingNames,
  type Values,
} from './options.ts'

export type Settings = {
  host: string
  /** 0 picks a free one. */
  port: number
  /** Without a slash at the end; null: derived from host and port. */
  publicUrl: string | null
  dataDir: string
  /** Null: SQLite in the data directory. */
  database: DatabaseSettings | null
  /** Where to look for the master key; keys/master-key.ts reads and judges it. */
  masterKey: MasterKeyPlaces
  adminToken: string | null
  /** Every setting as a person reads it. */
  inForce: SettingInForce[]
  /** Only `otpmint bounce` reads it. */
  inboundKeyFile: string | null
  openRegistration: boolean
  developerMode: boolean
  /** CIDR ranges in canonical form. */
  trustedProxies: string[]
  /** CIDR ranges in canonical form. */
  egressAllow: string[]
  /** Connections to mail servers at a time. */
  connectionsMax: number
  metricsListen: { host: string; port: number } | null
  dashboard: {
    listen: { host: string; port: number } | null
    /** An https origin; null: on this machine only. */
    url: string | null
    idleMinutes: number
    sessionHours: number
  }
  logLevel: LogLevel
  shutdownSeconds: number
  domain: DomainSettings
  retention: {
    verificationDays: number
    limitDays: number
    eventDays: number
    auditDays: number
  }
}

export type MasterKeyPlaces = {
  raw: string | null
  file: string | null
  nextFile: string | null
  credentialsDirectory: string | null
}

/** URLs with passwords in them; store/postgres/connect.ts reads them. */
export type DatabaseSettings = {
  url: string
  /** With the role that migrates. */
  migrateUrl: string | null
  /** Past a pooler. */
  directUrl: string | null
}

export type Environment = Record<string, string | undefined>
/** The values of flags, by their names without dashes. */
export type Flags = Record<string, string | boolean | undefined>

/** Limits are kept for longer than their longest window, which is 30 days. */
const limitDays = 31

/**
 * Reads every setting, a flag before the environment. Throws `StartupError` (exit code 78) with all
 * mistakes at once, by name and without the value. An empty variable counts as absent; an empty
 * secret is a mistake, because most likely a substitution has failed.
 */
export function loadSettings(environment: Environment, flags: Flags = {}): Settings {
  const mistakes: string[] = []
  const entries = optionList.map(([name]) => [name, readOption(name, environment, flags, mistakes)])
  const values = Object.fromEntries(entries) as Values

  mistakes.push(...unknownNames(environment), ...contradictions(values))
  const fromFiles = new Set<OptionName>()
  for (const name of fileSecrets) {
    if (values[name] !== null) continue
    values[name] = readSecretFile(name, values, credentials(environment), mistakes)
    if (values[name] !== null) fromFiles.add(name)
  }
  if (mistakes.length > 0) throw settingsAreWrong(...mistakes)
  const inForce = settingsInForce(values, { environment, flags, fromFiles })
  return { ...assemble(values, environment), inForce }
}

/** The settings for display: shows whether a secret is set, never its value. */
export function redactedSettings(settings: Settings): Settings {
  const { masterKey, adminToken, database } = settings
  return {
    ...settings,
    database: database && {
      url: '(set)',
      migrateUrl: database.migrateUrl && '(set)',
      directUrl: database.directUrl && '(set)',
    },
    masterKey: { ...masterKey, raw: masterKey.raw && '(set)' },
    adminToken: adminToken && '(set)',
  }
}

function readOption(
  name: OptionName,
  environment: Environment,
  flags: Flags,
  mistakes: string[],
): unknown {
  const option = options[name]
  const typed = option.flag === undefined ? undefined : flags[option.flag]
  const text = typed === undefined ? environment[name] : String(typed)
  if (text === undefined) return option.default
  const isLeftEmpty = typed === undefined && !option.secret && text.trim() === ''
  if (isLeftEmpty) return option.default

  const value = option.parse(option.secret ? text : text.trim())
  if (value !== undefined) return value
  const shownName = typed === undefined ? name : `--${option.flag}`
  mistakes.push(`${shownName} must be ${option.allowed}`)
  return option.default
}

function unknownNames(environment: Environment): string[] {
  const known = Object.keys(options)
  return Object.keys(environment)
    .filter((name) => name.startsWith('OTPMINT_') && !Object.hasOwn(options, name))
    .map((name) => {
      const shown = name.replace(/[^A-Za-z0-9_]/g, '?').slice(0, 64)
      const meant = nearest(shown, known)
      return `${shown} is not a setting${meant ? `; did you mean ${meant}?` : ''}`
    })
}

const otherDatabaseUrls = [
  'OTPMINT_DATABASE_MIGRATE_URL',
  'OTPMINT_DATABASE_MIGRATE_URL_FILE',
  'OTPMINT_DATABASE_DIRECT_URL',
  'OTPMINT_DATABASE_DIRECT_URL_FILE',
] as const

function contradictions(values: Values): string[] {
  const found: string[] = []
  for (const name of ['OTPMINT_MASTER_KEY', ...fileSecrets] as const) {
    if (values[name] === null || values[`${name}_FILE`] === null) continue
    found.push(`${name} and ${name}_FILE are both set: keep one`)
  }
  const { OTPMINT_DATABASE_URL: url, OTPMINT_DATABASE_URL_FILE: urlFile } = values
  const hasDatabase = url !== null || urlFile !== null
  for (const other of otherDatabaseUrls) {
    if (values[other] !== null && !hasDatabase) found.push(`${other} needs OTPMINT_DATABASE_URL`)
  }
  const perDay = values.OTPMINT_GUESS_BUDGET_PER_DAY
  if (values.OTPMINT_GUESS_BUDGET_PER_MONTH < perDay) {
    found.push('OTPMINT_GUESS_BUDGET_PER_MONTH must be at least OTPMINT_GUESS_BUDGET_PER_DAY')
  }
  if (values.OTPMINT_ATTEMPTS_MAX > perDay) {
    found.push('OTPMINT_ATTEMPTS_MAX must be at most OTPMINT_GUESS_BUDGET_PER_DAY')
  }
  if (values.OTPMINT_DEVELOPER_MODE && !isLoopback(values.OTPMINT_HOST)) {
    found.push('OTPMINT_DEVELOPER_MODE needs OTPMINT_HOST on loopback: 127.0.0.1 or ::1')
  }
  return found
}

function readSecretFile(
  name: FileSecret,
  values: Values,
  credentialsDirectory: string | null,
  mistakes: string[],
): string | null {
  const path = values[`${name}_FILE`]
  if (path === null) return null
  const { allowed, parse } = options[name]
  try {
    const text = readFileSync(path, 'utf8').trim()
    // systemd protects credentials by their directory; their access lists look like mode 0440.
    const isCredential = credentialsDirectory === dirname(resolve(path))
    if (!isCredential && (statSync(path).mode & 0o077) !== 0) {
      mistakes.push(`${name}_FILE must be readable by its owner only: chmod 600`)
      return null
    }
    const secret = parse(text)
    if (secret) return secret
    mistakes.push(`${name}_FILE must hold ${allowed}`)
  } catch {
    mistakes.push(`${name}_FILE must name a file that this user can read`)
  }
  return null
}

function assemble(values: Values, environment: Environment): Omit<Settings, 'inForce'> {
  return {
    host: values.OTPMINT_HOST,
    port: values.OTPMINT_PORT,
    publicUrl: values.OTPMINT_PUBLIC_URL,
    dataDir: values.OTPMINT_DATA_DIR ?? stateDirectory(environment) ?? './otpmint-data',
    database: databaseOf(values),
    masterKey: {
      raw: values.OTPMINT_MASTER_KEY,
      file: values.OTPMINT_MASTER_KEY_FILE,
      nextFile: values.OTPMINT_MASTER_KEY_NEXT_FILE,
      credentialsDirectory: credentials(environment),
    },
    adminToken: values.OTPMINT_ADMIN_TOKEN,
    inboundKeyFile: values.OTPMINT_INBOUND_KEY_FILE,
    openRegistration: values.OTPMINT_OPEN_REGISTRATION,
    developerMode: values.OTPMINT_DEVELOPER_MODE,
    trustedProxies: values.OTPMINT_TRUSTED_PROXIES,
    egressAllow: values.OTPMINT_EGRESS_ALLOW,
    connectionsMax: values.OTPMINT_CONNECTIONS_MAX,
    metricsListen: values.OTPMINT_METRICS_LISTEN,
    dashboard: {
      listen: values.OTPMINT_DASHBOARD_LISTEN,
      url: values.OTPMINT_DASHBOARD_URL,
      idleMinutes: values.OTPMINT_DASHBOARD_IDLE_MINUTES,
      sessionHours: values.OTPMINT_DASHBOARD_SESSION_HOURS,
    },
    logLevel: values.OTPMINT_LOG_LEVEL,
    shutdownSeconds: values.OTPMINT_SHUTDOWN_SECONDS,
    domain: domainSettings(values),
    retention: {
      verificationDays: values.OTPMINT_RETENTION_VERIFICATION_DAYS,
      limitDays,
      eventDays: values.OTPMINT_RETENTION_EVENT_DAYS,
      auditDays: values.OTPMINT_RETENTION_AUDIT_DAYS,
    },
  }
}

function databaseOf({
  OTPMINT_DATABASE_URL: url,
  OTPMINT_DATABASE_MIGRATE_URL: migrateUrl,
  OTPMINT_DATABASE_DIRECT_URL: directUrl,
}: Values): DatabaseSettings | null {
  return url === null ? null : { url, migrateUrl, directUrl }
}

function domainSettings(values: Values): DomainSettings {
  const entries = Object.entries(settingNames).map(([setting, name]) => [setting, values[name]])
  return Object.fromEntries(entries) as DomainSettings
}

/** systemd separates several with colons; the first is ours. */
function stateDirectory(environment: Environment): string | undefined {
  return environment['STATE_DIRECTORY']?.split(':')[0] || undefined
}

function credentials(environment: Environment): string | null {
  return environment['CREDENTIALS_DIRECTORY'] || null
}

import { readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../config/load.ts'
import { fileSecrets } from '../config/options.ts'
import type { App } from '../domain/app/app.ts'
import { findApp } from '../domain/app/manage.ts'
import { effectivePolicy } from '../domain/app/policy.ts'
import { Problem } from '../domain/problem.ts'
import type { DomainSettings } from '../domain/settings.ts'
import { guessBoundPerYear, guessBudget, guessesPerYear } from '../domain/verification/limits.ts'
import { type Recipient, readRecipient } from '../domain/verification/recipient.ts'
import { askServer } from '../runtime/control.ts'
import { dataDirectory } from '../runtime/data-directory.ts'
import { type OpenPorts, openPorts } from '../runtime/open.ts'
import { StartupError } from '../startup-error.ts'
import { type Args, type Command, jsonFlag } from './command.ts'
import { checkEndpoints, checkPhoneRules } from './doctor-endpoints.ts'
import { checkDns, checkMailServers } from './doctor-mail.ts'
import { checkPostgres } from './doctor-postgres.ts'
import { checkWebhooks } from './doctor-webhooks.ts'
import { type Finding, failed, ok, warning } from './finding.ts'
import { allApps, dataFlag, environmentOf, settingsBeside, settingsFor } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { painter, printJson, timeText } from './output.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check everything and say what to do about it.',
  about: [
    'Checks settings, environment, data directory, disk, clock, master key, database, alarms and',
    "each app's mail servers: DNS, connection, TLS and login. Sends mail with --send-to only. Other",
    'endpoints are tried without a message. With --app also what the DNS says about mail from its',
    'From domains (MX, SPF, DKIM, DMARC), and a test message to each of its webhooks.',
    'Of PostgreSQL it checks the role, its time-outs, TLS, the clock, standbys and a pooler instead',
    'of directory and disk.',
    'Prints the chance of blind guessing with the settings in force: those of the server that',
    'runs on the data directory; without one, those of --env-file and the environment. Exit',
    'status 1 when anything failed.',
  ].join('\n'),
  operands: [],
  flags: {
    app: { value: 'ID', help: 'Test the mail servers of this app only, and the DNS.' },
    'send-to': { value: 'ADDRESS', help: 'Send a test mail to this address.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint doctor',
    'otpmint doctor --data-dir /var/lib/otpmint --env-file /etc/otpmint/environment',
    'otpmint doctor --app 3kTMd0Pz0a6uYxQWtqGmVb --send-to me@example.com',
  ],
  async run(args, io) {
    const findings = await examine(args, io)
    if (args.has('json')) printJson(io, { findings })
    else report(findings, io)
    const isSick = findings.some(({ status }) => status === 'failed')
    return isSick ? exitCodes.failed : exitCodes.done
  },
}

async function examine(args: Args, io: Io): Promise<Finding[]> {
  const own = settingsFor(args, io)
  const sendTo = args.text('send-to')
  const recipient = sendTo === undefined ? null : readRecipient(['email'], sendTo, 'send-to')
  const server = await askServer(own.dataDir)
  const settings = server ? settingsBeside(server.settings, own) : own
  const { root } = dataDirectory(settings.dataDir)
  const findings = [
    checkSource(args, root, server !== null),
    ...checkEnvironment(environmentOf(args, io)),
    ...checkExposure(settings),
    ...(server?.findings ?? []),
  ]
  const broken = await failure(settings, async () => {
    const { ports: opened, close } = await openPorts(settings)
    const ports = { ...opened, ...(io.dns && { dns: io.dns }) }
    try {
      findings.push(checkKey(ports))
      if (settings.database) findings.push(...(await checkPostgres(ports, settings.database)))
      else findings.push(...(await checkFiles(ports, settings)))
      findings.push(...(await checkAlarms(ports)))
      findings.push(...(await checkApps({ ports, settings, recipient, args })))
    } finally {
      await close()
    }
  })
  return [...findings, ...broken]
}

/** Checks of a database in the data directory. */
async function checkFiles(ports: OpenPorts, { dataDir }: Settings): Promise<Finding[]> {
  const { root, adminToken, database } = dataDirectory(dataDir)
  return [
    ...checkDataDirectory(root, adminToken),
    ...[checkDisk(root), checkClock(root, ports.clock.now())],
    await checkDatabase(ports, database),
  ]
}

/** Runs checks that need the database; an error in opening it becomes a finding. */
async function failure({ database }: Settings, check: () => Promise<void>): Promise<Finding[]> {
  try {
    await check()
    return []
  } catch (error) {
    if (error instanceof StartupError) {
      const next = database
        ? 'see docs/postgresql.md'
        : 'see docs/deployment.md, or "otpmint help restore" if it is lost'
      return error.reasons.map((reason) => failed('installation', reason, next))
    }
    if (!(error instanceof Problem) || error.code !== 'store_unavailable') throw error
    return database
      ? [failed('database', 'the database does not answer', 'see the log of PostgreSQL')]
      : [failed('database', 'the database cannot be read: it is damaged or locked', restoreIt)]
  }
}

const restoreIt = 'stop the server and restore a backup: "otpmint help restore"'

function checkSource(args: Args, root: string, isServed: boolean): Finding {
  if (isServed) return ok('settings', `those of the server that runs on ${root}`)
  const file = args.text('env-file')
  const source = file === undefined ? 'those of this environment' : `those of ${file}`
  return ok('settings', `${source}; no server runs on ${root}`)
}

/** Variables that change the behaviour of the runtime in the executable. */
const hazards: Record<string, string> = {
  BUN_BE_BUN: 'it turns the executable into a general JavaScript runtime',
  BUN_OPTIONS: 'it can load other code into the process',
  BUN_INSPECT: 'it opens a debugger',
  BUN_INSPECT_NOTIFY: 'it opens a debugger',
  BUN_INSPECT_PRELOAD: 'it loads other code into the process',
  NAPI_RS_NATIVE_LIBRARY_PATH: 'it loads another native library',
  LD_PRELOAD: 'it loads other code into the process',
  NODE_TLS_REJECT_UNAUTHORIZED: 'it can switch off the check of certificates',
}

function checkEnvironment(env: Io['env']): Finding[] {
  const found = Object.entries(hazards)
    .filter(([name]) => env[name] !== undefined)
    .map(([name, why]) => failed('environment', `${name} is set: ${why}`, `unset ${name}`))
  const inherited = ['OTPMINT_MASTER_KEY', ...fileSecrets]
    .filter((name) => env[name] !== undefined)
    .map((name) => {
      const detail = `${name} is in the environment, which child processes inherit`
      return warning('environment', detail, `use ${name}_FILE or a systemd credential`)
    })
  const all = [...found, ...inherited]
  return all.length > 0 ? all : [ok('environment', 'nothing in it changes how otpmint runs')]
}

function checkExposure({ developerMode, openRegistration }: Settings): Finding[] {
  const findings: Finding[] = []
  if (developerMode) {
    const detail = 'developer mode is on: reasons of failures and test codes are shown'
    findings.push(warning('exposure', detail, 'unset OTPMINT_DEVELOPER_MODE in production'))
  }
  if (openRegistration) {
    const detail = 'registration is open: anybody who reaches the server may register an app'
    findings.push(warning('exposure', detail, 'unset OTPMINT_OPEN_REGISTRATION unless it is meant'))
  }
  return findings.length > 0
    ? findings
    : [ok('exposure', 'developer mode and open registration are off')]
}

/** Finds files of the data directory that other users can read. */
function checkDataDirectory(root: string, leftToken: string): Finding[] {
  const findings: Finding[] = []
  const open = [root, ...filesIn(root)].filter((path) => (modeOf(path) & 0o077) !== 0)
  if (modeOf(root) === 0) {
    return [failed('data directory', `${root} cannot be read`, 'run it as the user of the server')]
  }
  for (const path of open) {
    const next = `chmod ${path === root ? 700 : 600} ${path}`
    findings.push(failed('data directory', `${path} is open to other users`, next))
  }
  if (open.length === 0) findings.push(ok('data directory', `${root} is its owner's only`))
  if (modeOf(leftToken) !== 0) {
    const detail = `the admin token is still in ${leftToken}`
    findings.push(warning('data directory', detail, 'store it elsewhere and delete the file'))
  }
  return findings
}

const mebibyte = 1_048_576

function checkDisk(root: string): Finding {
  const { bavail, bsize } = statfsSync(root)
  const free = Math.floor((Number(bavail) * Number(bsize)) / mebibyte)
  const detail = `${free} MiB free`
  if (free < 100) return failed('disk', detail, 'free some space: without it nothing is sent')
  return free < 1024 ? warning('disk', detail, 'free some space soon') : ok('disk', detail)
}

/** The time of this version: a right clock is not before it. */
const earliest = Date.UTC(2026, 10, 1)
const toleranceMs = 60_000

function checkClock(root: string, now: number): Finding {
  const newest = Math.max(...[root, ...filesIn(root)].map((path) => statSync(path).mtimeMs))
  const text = new Date(now).toISOString()
  const next = 'set the clock, and keep it set by NTP (timedatectl set-ntp true)'
  if (now < earliest) return failed('clock', `${text} lies before this version was made`, next)
  if (newest > now + toleranceMs) {
    return failed('clock', `${text} lies before the last write to the database`, next)
  }
  return ok('clock', text)
}

/** Reports the source of the master key, which is the right one, because the keyset was opened. */
function checkKey({ keyring, found }: OpenPorts): Finding {
  const detail = `key ${keyring.codeKeyId()} from ${sources[found.source]}`
  if (found.source !== 'data_dir') return ok('master key', `${detail}; not in backups: keep a copy`)
  const next = 'move it to a systemd credential or to another disk; keep a copy apart from backups'
  return warning('master key', `${detail}, beside what it protects`, next)
}

const sources = {
  credential: 'a credential',
  file: 'OTPMINT_MASTER_KEY_FILE',
  environment: 'OTPMINT_MASTER_KEY',
  data_dir: 'the data directory',
} as const

async function checkDatabase({ maintenance }: OpenPorts, path: string): Promise<Finding> {
  const faults = await maintenance.faults()
  if (faults.length === 0) return ok('database', `${path} is sound; commits reach the disk`)
  return failed('database', faults.join('; '), restoreIt)
}

const alarmsShown = 20

async function checkAlarms({ alarms }: OpenPorts): Promise<Finding[]> {
  const { items } = await alarms.list({ appId: null, open: true, limit: alarmsShown, cursor: null })
  return items.map(({ kind, appId, since }) => {
    const where = appId === null ? '' : ` (app ${appId})`
    const detail = `${kind}${where} since ${timeText(since)}`
    return warning('alarm', detail, 'see docs/deployment.md#alarms')
  })
}

type AppChecks = { ports: OpenPorts; settings: Settings; recipient: Recipient | null; args: Args }

async function checkApps({ ports, settings, recipient, args }: AppChecks): Promise<Finding[]> {
  const all = await allApps(ports)
  const id = args.text('app')
  const chosen = id === undefined ? all : [await findApp(ports, id)]
  return [
    ...checkCodeLife(settings.domain, all),
    ...checkGuessBound(settings.domain, all),
    ...checkLockOut(settings.domain, all),
    ...(await checkMailServers(ports, chosen, recipient)),
    ...(await checkEndpoints(ports, chosen)),
    ...checkPhoneRules(settings.domain, chosen),
    ...(id === undefined ? [] : await checkDns(ports, chosen)),
    ...(id === undefined ? [] : await checkWebhooks(ports, chosen)),
  ]
}

/** ASVS 6.5.5 and NIST SP 800-63B-4 3.1.3.2: a short code lives ten minutes at most. */
const lifeMaxSeconds = 600

function checkCodeLife(settings: DomainSettings, apps: App[]): Finding[] {
  const lives: [string, number][] = [
    ['the server', settings.ttlSeconds],
    ...apps.map(({ id, policy }): [string, number] => [`app ${id}`, policy.ttlSeconds ?? 0]),
  ]
  const long = lives
    .filter(([, seconds]) => seconds > lifeMaxSeconds)
    .map(([whose, seconds]) =>
      warning('code life', `${whose}: ${seconds} s`, `${lifeMaxSeconds} s or less is advised`),
    )
  return long.length > 0 ? long : [ok('code life', `${settings.ttlSeconds} s`)]
}

/** The chance of blind guessing in a year, for every code length in use. */
function checkGuessBound(settings: DomainSettings, apps: App[]): Finding[] {
  const windows = guessBudget(settings)
  const guesses = guessesPerYear(windows)
  const { guessBudgetPerDay: day, guessBudgetPerMonth: month } = settings
  const lengths = apps.map(({ policy }) => policy.codeLength ?? settings.codeLength)
  const all = [...new Set([settings.codeLength, ...lengths])].sort((a, b) => a - b)
  return all.map((length) => {
    const percent = guessBoundPerYear(windows, length) * 100
    const detail =
      `${length} digits: at most ${guesses} guesses a year, ${Number(percent.toPrecision(3))} %, ` +
      'for one recipient of one app, in the worst case ' +
      `(${day} wrong codes in 24 hours, ${month} in 30 days)`
    return percent > 0.1
      ? warning('guess bound', detail, 'use longer codes or a smaller budget')
      : ok('guess bound', detail)
  })
}

/** With `on_budget_exhausted: refuse` anybody who knows an address can lock its owner out. */
function checkLockOut(settings: DomainSettings, apps: App[]): Finding[] {
  const { guessBudgetPerDay: day, guessBudgetPerMonth: month } = settings
  return apps
    .filter((app) => effectivePolicy(app.policy, settings).onBudgetExhausted === 'refuse')
    .map(({ id }) => {
      const detail =
        `app ${id} refuses a recipient after ${day} wrong codes in 24 hours or ${month} in ` +
        '30 days: anybody who can start verifications for an address can lock its owner out'
      return warning('lock-out', detail, 'set on_budget_exhausted to long_code unless it is meant')
    })
}

function report(findings: Finding[], io: Io): void {
  const paint = painter(io, io.terminal.output)
  const marks = {
    ok: paint('green', 'ok     '),
    warning: paint('yellow', 'warning'),
    failed: paint('red', 'failed '),
  }
  const width = Math.max(...findings.map(({ check }) => check.length))
  for (const { check, status, detail, next, record } of findings) {
    const indent = ' '.repeat(11 + width)
    io.out(`${marks[status]}  ${check.padEnd(width)}  ${detail}\n`)
    if (next) io.out(`${indent}${paint('dim', `-> ${next}`)}\n`)
    if (record) io.out(`${indent}   ${record.name} ${record.type} "${record.value}"\n`)
  }
}

function filesIn(root: string): string[] {
  try {
    return readdirSync(root).map((name) => join(root, name))
  } catch {
    return []
  }
}

/** The permission bits; 0 for a missing or inaccessible file. */
function modeOf(path: string): number {
  try {
    return statSync(path).mode & 0o777
  } catch {
    return 0
  }
}

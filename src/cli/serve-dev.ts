import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setByCommand } from '../config/in-force.ts'
import type { Settings } from '../config/load.ts'
import { linkNewAccount } from '../domain/account/accounts.ts'
import { linkUrl } from '../domain/account/link.ts'
import type { App } from '../domain/app/app.ts'
import { allApps, createApp, newKey, revokeKey } from '../domain/app/manage.ts'
import { randomBase62 } from '../domain/id.ts'
import type { OpenPorts } from '../runtime/open.ts'
import { startRuntime } from '../runtime.ts'
import { settingsAreWrong } from '../startup-error.ts'
import type { Args } from './command.ts'
import { cliActor } from './installation.ts'
import type { Io } from './io.ts'
import { painter } from './output.ts'
import { runtimeIoOf, untilStopped } from './serve.ts'

const appName = 'OtpMint demo'

/** Runs a server in developer mode: text for a person goes to stderr, the log to stdout. */
export async function serveDev(settings: Settings, args: Args, io: Io): Promise<number> {
  if (settings.database) {
    throw settingsAreWrong('--dev has a database of its own: unset OTPMINT_DATABASE_URL')
  }
  const scratch = mkdtempSync(join(tmpdir(), 'otpmint-dev-'))
  const isNamed = args.has('data-dir') || Boolean(io.env['OTPMINT_DATA_DIR'])
  const dev: Settings = {
    ...settings,
    dataDir: isNamed ? settings.dataDir : join(scratch, 'data'),
    openRegistration: true,
    developerMode: true,
    // The usual port may belong to a real server on this machine.
    metricsListen: io.env['OTPMINT_METRICS_LISTEN'] ? settings.metricsListen : null,
    dashboard: { ...settings.dashboard, listen: dashboardListen(settings, io) },
    // At a terminal only warnings and errors follow the text that is printed below.
    logLevel: io.terminal.output && !io.env['OTPMINT_LOG_LEVEL'] ? 'warn' : settings.logLevel,
  }
  dev.inForce = setByCommand(settings.inForce, {
    ...(!isNamed && { OTPMINT_DATA_DIR: dev.dataDir }),
    ...{ OTPMINT_OPEN_REGISTRATION: 'true', OTPMINT_DEVELOPER_MODE: 'true' },
    ...(dev.metricsListen !== settings.metricsListen && { OTPMINT_METRICS_LISTEN: 'off' }),
    ...(dev.logLevel !== settings.logLevel && { OTPMINT_LOG_LEVEL: dev.logLevel }),
  })
  const told: string[] = []
  const runtimeIo = { ...runtimeIoOf(io), tell: (text: string) => void told.push(text) }
  try {
    return await untilStopped(
      io,
      () => startRuntime(dev, runtimeIo),
      async ({ url, dashboardUrl, ports }) => {
        const testKey = await readyKey(ports)
        // A new one each time, because a taken secretKey cannot be registered again.
        const secretKey = `dev-${randomBase62(ports.random, 12)}`
        const place = isNamed ? `data in ${dev.dataDir}` : 'data is deleted at the end'
        const link =
          dashboardUrl && linkUrl(dashboardUrl, (await linkNewAccount(ports, cliActor)).text)
        const facts = { url, link, testKey, secretKey, place, scratch, told }
        io.err(welcome(facts, painter(io, io.terminal.errors)))
      },
    )
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Beside the server’s own port, since the usual one may belong to a real server. */
function dashboardListen({ host, port, dashboard: { listen } }: Settings, io: Io) {
  if (io.env['OTPMINT_DASHBOARD_LISTEN']) return listen
  return { host, port: port === 0 || port === 65_535 ? 0 : port + 1 }
}

/** The key of the demo app; a kept data directory gets a new one, since keys are shown once. */
async function readyKey(ports: OpenPorts): Promise<string> {
  const known = (await allApps(ports)).find(({ name }) => name === appName)
  if (!known) return (await createApp(ports, cliActor, { name: appName })).testKey
  await revokeTestKeys(ports, known)
  return (await newKey(ports, cliActor, { appId: known.id, mode: 'test' })).text
}

async function revokeTestKeys(ports: OpenPorts, { id }: App): Promise<void> {
  const active = (await ports.apps.keys(id)).filter(
    ({ mode, revokedAt }) => mode === 'test' && revokedAt === null,
  )
  for (const key of active) await revokeKey(ports, cliActor, { appId: id, keyId: key.id })
}

type Facts = {
  url: string
  /** Lets one person into the dashboard; null where it is off. */
  link: string | null
  testKey: string
  secretKey: string
  place: string
  scratch: string
  told: string[]
}

function welcome(facts: Facts, paint: ReturnType<typeof painter>): string {
  const { url, link, testKey, place, told } = facts
  return [
    `${paint('bold', `OtpMint runs at ${url}`)} (developer mode; ${place})`,
    '',
    `  Inbox      ${url}/dev/inbox`,
    `  API docs   ${url}/swagger`,
    `  Test key   ${testKey}`,
    ...(link
      ? [`  Dashboard  ${link}`, '             (this link works once, within 15 minutes)']
      : []),
    '',
    ...told,
    paint('bold', 'Start a verification, read its code in the inbox, check it:'),
    '',
    ...apiLines(facts),
    '',
    paint('bold', 'The same through the original API; "smtp_host":"inbox" keeps its mails here:'),
    '',
    ...originalLines(facts),
    '',
    'Ctrl-C stops the server.',
    '',
  ].join('\n')
}

/**
 * Three command lines that work unchanged and repeatedly: the third reads the files of the first
 * two, and the address changes each time, because one address gets one code in 30 seconds.
 */
function apiLines({ url, testKey, scratch }: Facts): string[] {
  const started = join(scratch, 'started.json')
  const inbox = join(scratch, 'inbox.json')
  const id = `$(sed 's/^{"id":"\\([^"]*\\)".*/\\1/' ${started})`
  const code = `$(${newestCode} ${inbox})`
  const curl = `curl -sS -w '\\n' ${url}`
  const post = `-H 'Authorization: Bearer ${testKey}' ${jsonHeader}`
  const start = `-H 'Prefer: wait=5' -d '{"to":"ada-'$(date +%s)'@example.com"}'`
  return [
    `${curl}/v1/verifications ${post} ${start} | tee ${started}`,
    `${curl}/dev/inbox.json | tee ${inbox}`,
    `${curl}/v1/verifications/${id}/check ${post} -d '{"code":"'${code}'"}'`,
  ]
}

/** Register, send and verify, with the fields of the original README. */
function originalLines({ url, secretKey, scratch }: Facts): string[] {
  const shareable = join(scratch, 'shareable-key')
  const curl = `curl -sS -w '\\n' ${url}`
  const server = [
    `"secretKey":"${secretKey}"`,
    '"smtp_host":"inbox"',
    '"smtp_port":587',
    '"smtp_mail":"codes@example.com"',
    '"smtp_password":"none"',
  ]
  const code = `$(curl -sS ${url}/dev/inbox.json | ${newestCode})`
  const otp = `{"shareableKey":"'$(cat ${shareable})'","otp":"'${code}'"}`
  return [
    `${curl}/reg_secretkey ${jsonHeader} -d '{${server.join(',')}}'`,
    `${curl}/otp ${jsonHeader} ` +
      `-d '{"mail":"ada-'$(date +%s)'@example.com","secretKey":"${secretKey}"}' | tee ${shareable}`,
    `${curl}/verify-otp ${jsonHeader} -d '${otp}'`,
  ]
}

const jsonHeader = `-H 'Content-Type: application/json'`
/** The code of the first message of /dev/inbox.json, which is the newest. */
const newestCode = `sed 's/^[^}]*"code":"\\([^"]*\\)".*/\\1/'`

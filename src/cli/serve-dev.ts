import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { App } from '../domain/app.ts'
import { createApp, newKey, revokeKey } from '../domain/manage-apps.ts'
import type { OpenPorts } from '../runtime/open.ts'
import type { Settings } from '../runtime/settings.ts'
import { startRuntime } from '../runtime.ts'
import { allApps } from './app-list.ts'
import type { Words } from './command.ts'
import { exitCodes, type Io } from './io.ts'
import { cliActor } from './open.ts'
import { painter } from './output.ts'
import { untilStopped } from './serve.ts'

const appName = 'OtpMint demo'

/** Everything at hand on one machine: what a person reads goes to stderr, the log to stdout. */
export async function serveDev(settings: Settings, words: Words, io: Io): Promise<number> {
  if (!isLoopback(settings.host)) {
    io.err('otpmint serve: --dev listens on loopback only: the host must be 127.0.0.1 or ::1\n')
    return words.has('host') ? exitCodes.wrongWords : exitCodes.wrongSettings
  }
  const scratch = mkdtempSync(join(tmpdir(), 'otpmint-dev-'))
  const isNamed = words.has('data-dir') || Boolean(io.env['OTPMINT_DATA_DIR'])
  const dev: Settings = {
    ...settings,
    dataDir: isNamed ? settings.dataDir : join(scratch, 'data'),
    openRegistration: true,
    developerMode: true,
    // The usual port may belong to a real server on this machine.
    metricsListen: io.env['OTPMINT_METRICS_LISTEN'] ? settings.metricsListen : null,
    // A person reads what is printed below, and then only what is wrong.
    logLevel: io.terminal.output && !io.env['OTPMINT_LOG_LEVEL'] ? 'warn' : settings.logLevel,
  }
  const told: string[] = []
  const runtimeIo = {
    write: io.out,
    tell: (text: string) => void told.push(text),
    pid: io.pid,
  }
  try {
    return await untilStopped(
      io,
      () => startRuntime(dev, runtimeIo),
      async ({ url, ports }) => {
        const testKey = await readyKey(ports)
        const place = isNamed ? `data in ${dev.dataDir}` : 'data is thrown away at the end'
        io.err(welcome({ url, testKey, place, scratch, told }, painter(io, io.terminal.errors)))
      },
    )
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
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

type Welcome = { url: string; testKey: string; place: string; scratch: string; told: string[] }

function welcome(
  { url, testKey, place, scratch, told }: Welcome,
  paint: ReturnType<typeof painter>,
): string {
  return [
    `${paint('bold', `OtpMint runs at ${url}`)} (developer mode; ${place})`,
    '',
    `  Inbox     ${url}/dev/inbox`,
    `  API docs  ${url}/swagger`,
    `  Test key  ${testKey}`,
    '',
    ...told,
    paint('bold', 'Mint a code, read it in the inbox, check it:'),
    '',
    ...curlLines(url, testKey, scratch),
    '',
    'Ctrl-C ends it.',
    '',
  ].join('\n')
}

/**
 * Three lines that work as they stand, one after another and again: the third reads what the other
 * two kept, and the address changes, because one address gets one code in 30 seconds.
 */
function curlLines(url: string, testKey: string, scratch: string): string[] {
  const started = join(scratch, 'started.json')
  const inbox = join(scratch, 'inbox.json')
  const id = `$(sed 's/^{"id":"\\([^"]*\\)".*/\\1/' ${started})`
  const code = `$(sed 's/^[^}]*"code":"\\([^"]*\\)".*/\\1/' ${inbox})`
  const curl = `curl -sS -w '\\n' ${url}`
  const post = `-H 'Authorization: Bearer ${testKey}' -H 'Content-Type: application/json'`
  const start = `-H 'Prefer: wait=5' -d '{"to":"ada-'$(date +%s)'@example.com"}'`
  return [
    `${curl}/v1/verifications ${post} ${start} | tee ${started}`,
    `${curl}/dev/inbox.json | tee ${inbox}`,
    `${curl}/v1/verifications/${id}/check ${post} -d '{"code":"'${code}'"}'`,
  ]
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

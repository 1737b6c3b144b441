import type { App } from '../domain/app.ts'
import { Problem } from '../domain/problem.ts'
import { readRecipient } from '../domain/recipient.ts'
import { dataDirectory } from '../runtime/data-directory.ts'
import { type OpenPorts, openPorts } from '../runtime/open.ts'
import type { Settings } from '../runtime/settings.ts'
import { allApps } from './app-list.ts'
import { type Command, jsonFlag, type Words } from './command.ts'
import { checkGuessBound, checkMailServers, checkPolicies } from './doctor-apps.ts'
import { checkClock, checkDataDirectory, checkDisk, checkEnvironment } from './doctor-machine.ts'
import { type Finding, failed, ok, warning } from './findings.ts'
import { exitCodes, type Io } from './io.ts'
import { dataFlag, settingsFor } from './open.ts'
import { painter, printJson } from './output.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check everything and say what to do about it.',
  about: [
    'Checks settings, environment, data directory, disk, clock, master key, database and each',
    "app's mail server: DNS, connection, TLS and login. No mail is sent unless --send-to names",
    'who gets it. Prints how likely blind guessing is with the settings in force. Works beside a',
    'running server. Exit status 1 when anything failed.',
  ].join('\n'),
  operands: [],
  flags: {
    app: { value: 'ID', help: 'Try the mail server of this app only.' },
    'send-to': { value: 'ADDRESS', help: 'Send a test mail to this address.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint doctor',
    'otpmint doctor --app 3kTMd0Pz0a6uYxQWtqGmVb --send-to me@example.com',
  ],
  async run(words, io) {
    const settings = settingsFor(words, io)
    if (!settings) return exitCodes.wrongSettings
    const sendTo = words.text('send-to')
    if (sendTo !== undefined) readRecipient(sendTo, 'send-to')

    const { root, adminToken, database } = dataDirectory(settings.dataDir)
    const findings = [ok('settings', 'complete'), ...checkEnvironment(io)]
    const opened = await openPorts(settings)
    if (opened.ok) {
      try {
        findings.push(...checkDataDirectory(root, adminToken), checkDisk(root))
        findings.push(checkClock(root, opened.ports.clock.now()))
        findings.push(checkKey(opened.ports), checkDatabase(opened.ports, database))
        findings.push(...checkExposure(settings))
        findings.push(...(await checkApps(opened.ports, settings, words)))
      } finally {
        opened.close()
      }
    } else {
      const next = 'see docs/deployment.md, or "otpmint help restore" if it is lost'
      findings.push(...opened.reasons.map((reason) => failed('installation', reason, next)))
    }
    if (words.has('json')) printJson(io, { findings })
    else report(findings, io)
    const isSick = findings.some(({ status }) => status === 'failed')
    return isSick ? exitCodes.failed : exitCodes.done
  },
}

async function checkApps(ports: OpenPorts, settings: Settings, words: Words): Promise<Finding[]> {
  const all = await allApps(ports)
  const id = words.text('app')
  const chosen: App[] = id === undefined ? all : all.filter((app) => app.id === id)
  if (id !== undefined && chosen.length === 0) throw new Problem('app_not_found')
  return [
    ...checkPolicies(settings.domain, all),
    ...checkGuessBound(settings.domain, all),
    ...(await checkMailServers(ports, chosen, words.text('send-to'))),
  ]
}

/** The keyset is the canary: it has opened, or nothing would be here. */
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

function checkDatabase({ store }: OpenPorts, path: string): Finding {
  const faults = store.faults()
  if (faults.length === 0) return ok('database', `${path} is sound; commits reach the disk`)
  return failed('database', faults.join('; '), 'stop the server and restore a backup')
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
    : [ok('exposure', 'developer mode and registration are off')]
}

function report(findings: Finding[], io: Io): void {
  const paint = painter(io, io.terminal.output)
  const marks = {
    ok: paint('green', 'ok     '),
    warning: paint('yellow', 'warning'),
    failed: paint('red', 'failed '),
  }
  const width = Math.max(...findings.map(({ check }) => check.length))
  for (const { check, status, detail, next } of findings) {
    io.out(`${marks[status]}  ${check.padEnd(width)}  ${detail}\n`)
    if (next) io.out(`${' '.repeat(9)}${' '.repeat(width)}  ${paint('dim', `-> ${next}`)}\n`)
  }
}

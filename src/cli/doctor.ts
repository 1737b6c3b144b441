import type { Settings } from '../config/load.ts'
import { Problem } from '../domain/problem.ts'
import type { Finding } from '../domain/server.ts'
import { readRecipient } from '../domain/verification/recipient.ts'
import { askServer } from '../runtime/control.ts'
import { dataDirectory } from '../runtime/data-directory.ts'
import { examineAll } from '../runtime/doctor/examine.ts'
import { failed, ok, restoreIt } from '../runtime/doctor/finding.ts'
import { checkEnvironment, checkExposure } from '../runtime/doctor/installation.ts'
import { openPorts } from '../runtime/open.ts'
import { StartupError } from '../startup-error.ts'
import { type Args, type Command, jsonFlag } from './command.ts'
import { dataFlag, environmentOf, settingsBeside, settingsFor } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { painter, printJson } from './output.ts'

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
      const appId = args.text('app') ?? null
      findings.push(...(await examineAll({ ports, settings, appId, recipient })))
    } finally {
      await close()
    }
  })
  return [...findings, ...broken]
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

function checkSource(args: Args, root: string, isServed: boolean): Finding {
  if (isServed) return ok('settings', `those of the server that runs on ${root}`)
  const file = args.text('env-file')
  const source = file === undefined ? 'those of this environment' : `those of ${file}`
  return ok('settings', `${source}; no server runs on ${root}`)
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

import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { call, createApp } from '../e2e/client.ts'
import {
  type Environment,
  executable,
  killAll,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { type MailServer, mailServer } from '../support/smtp.ts'
import { openApiText, python, pythonTools } from './tools.ts'

// The first run on a machine installs the packages.
setDefaultTimeout(300_000)
executable()

const seed = 20261125
const examples = 50
const adminToken = `otpm_admin_${'clients0'.repeat(5)}`
const { folder, remove } = scratch()

type Operation = { operationId: string; security?: Record<string, string[]>[] }
let operations: Operation[] = []
let mail: MailServer

beforeAll(async () => {
  const text = await openApiText()
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, Operation>> }
  operations = Object.values(paths).flatMap((path) => Object.values(path))
  mail = await mailServer({ login })
  await pythonTools()
})
afterEach(killAll)
afterAll(async () => {
  remove()
  await mail.close()
})

/** The highest limits that a server takes, so that 429 does not hide other answers. */
const limits: Environment = {
  OTPMINT_ATTEMPTS_MAX: '10',
  OTPMINT_RESEND_AFTER_SECONDS: '5',
  OTPMINT_RESENDS_MAX: '10',
  OTPMINT_LIMIT_RECIPIENT_SPACING_SECONDS: '1',
  OTPMINT_LIMIT_RECIPIENT_STARTS_PER_QUARTER_HOUR: '100',
  OTPMINT_LIMIT_RECIPIENT_STARTS_PER_DAY: '1000',
  OTPMINT_LIMIT_RECIPIENT_STARTS_PER_DAY_ACROSS_APPS: '1000',
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  OTPMINT_LIMIT_APP_STARTS_PER_DAY: '1000000000',
  OTPMINT_LIMIT_IP_FAILURES_PER_MINUTE: '1000',
  OTPMINT_GUESS_BUDGET_PER_DAY: '100',
  OTPMINT_GUESS_BUDGET_PER_MONTH: '1000',
}

/** The secretKey and the port of the document's examples, so that they reach a mail server. */
const login = { user: 'codes@example.com', password: 'the mailbox password' }
const secretKey = 'a-long-secret-of-your-own'

test('every operation takes an app’s key, an inbound key, the admin token or no credential', () => {
  const [app, admin, inbound] = [takenBy('app'), takenBy('admin'), takenBy('inbound')]

  expect([...app, ...admin, ...inbound].sort()).toEqual(operations.map(nameOf).sort())
  expect(app).toContainEqual(expect.stringMatching(/verif/i))
  expect(admin).toContainEqual(expect.stringMatching(/app/i))
  expect(inbound).toEqual(['reportBounce'])
})

test('schemathesis finds no failure with an app’s key', async () => {
  const { base } = await server('app')
  await registerExample(base)
  const { testKey } = await createApp({ base }, adminToken, { port: mail.port })

  const report = await schemathesis(base, { takes: 'app', scheme: 'appKey', credential: testKey })

  expect(report.exitCode, report.stdout + report.stderr).toBe(0)
  expect(report.stdout).toContain('No issues found')
})

test('schemathesis finds no failure with the admin token', async () => {
  const { base, pid } = await server('admin', noNetwork)
  const admin = { takes: 'admin', scheme: 'adminToken', credential: adminToken } as const

  const within = ['nsenter', `--target=${pid}`, '--user', '--net', '--preserve-credentials']
  const report = await schemathesis(base, admin, within)

  expect(report.exitCode, report.stdout + report.stderr).toBe(0)
  expect(report.stdout).toContain('No issues found')
})

test('schemathesis finds no failure with an inbound key', async () => {
  const { base } = await server('inbound')
  const { id } = await createApp({ base }, adminToken, { port: mail.port })
  const keys = `${base}/v1/apps/${id}/keys`
  const made = await call(keys, { mode: 'inbound' }, { token: adminToken })
  const credential = String(made.json['key'])

  const report = await schemathesis(base, { takes: 'inbound', scheme: 'inboundKey', credential })

  expect(report.exitCode, report.stdout + report.stderr).toBe(0)
  expect(report.stdout).toContain('No issues found')
})

type Caller = 'app' | 'admin' | 'inbound'

/** It ends after five minutes; `test/http/live.test.ts` reads it. */
const stream = 'followLive'

const nameOf = ({ operationId }: Operation): string => operationId

/** The operations that take this credential; those without one are tested with the app's key. */
function takenBy(caller: Caller): string[] {
  const callerOf = ({ security = [] }: Operation): Caller => {
    const schemes = security.flatMap((one) => Object.keys(one))
    if (schemes.includes('adminToken')) return 'admin'
    return schemes.includes('inboundKey') ? 'inbound' : 'app'
  }
  return operations.filter((one) => callerOf(one) === caller).map(nameOf)
}

/**
 * Runs a command in a network namespace with only the loopback interface, so that no mail server
 * whose name or address schemathesis made up is contacted. Its name server knows no name.
 */
const loopbackUp = `
import fcntl, socket, struct
up = struct.pack('16sh22x', b'lo', 0x49)
fcntl.ioctl(socket.socket(), 0x8914, up)`
const nameServer = `
import ctypes, socket
# Ends with the server, its parent.
ctypes.CDLL(None).prctl(1, 9)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 53))
while True:
    question, client = udp.recvfrom(512)
    udp.sendto(question[:2] + bytes([0x81, 0x83]) + question[4:6] + bytes(6) + question[12:], client)`
const script =
  'echo nameserver 127.0.0.1 >"$0" && mount --bind "$0" /etc/resolv.conf && ' +
  'python3 -c "$1" && { python3 -c "$2" & } && shift 2 && exec "$@"'
const resolvConf = join(folder, 'resolv.conf')
const namespace = ['unshare', '--net', '--mount', '--map-root-user', 'sh', '-c', script]
const noNetwork = [...namespace, resolvConf, loopbackUp, nameServer]

function server(name: string, through: string[] = []): Promise<Server> {
  const env = { OTPMINT_DATA_DIR: join(folder, name), OTPMINT_ADMIN_TOKEN: adminToken }
  return start(['serve'], { ...limits, ...env }, { through })
}

async function registerExample(base: string): Promise<void> {
  const body = {
    ...{ secretKey, smtp_host: '127.0.0.1', smtp_port: mail.port, smtp_security: 'none' },
    ...{ smtp_mail: login.user, smtp_password: login.password },
  }
  const { status, text } = await call(`${base}/reg_secretkey`, body, { token: adminToken })
  if (status !== 200) throw new Error(`not registered: ${text}`)
}

async function schemathesis(
  base: string,
  { takes, scheme, credential }: { takes: Caller; scheme: string; credential: string },
  through: string[] = [],
) {
  const usual = await Bun.file(join(import.meta.dir, 'schemathesis.toml')).text()
  const hooks = JSON.stringify(join(import.meta.dir, 'refusals.py'))
  const auth = `[auth.openapi.${scheme}]\nbearer = ${JSON.stringify(credential)}\n`
  const config = join(folder, `${takes}.toml`)
  // Each server has its own document: the bounds of a policy depend on its settings.
  const program =
    'import sys, urllib.request as u; open(sys.argv[2], "wb").write(u.urlopen(sys.argv[1]).read())'
  const document = join(folder, `${takes}.json`)
  const fetched = await python(['-c', program, `${base}/swagger/json`, document], folder, through)
  expect(fetched.exitCode, fetched.stderr).toBe(0)
  await Bun.write(config, `hooks = ${hooks}\n${usual}\n${auth}`)
  const main = 'from schemathesis.cli import schemathesis; schemathesis()'
  const included = takenBy(takes)
    .filter((name) => name !== stream)
    .flatMap((name) => ['--include-operation-id', name])
  const bounds = ['--max-examples', `${examples}`, '--seed', `${seed}`, '--continue-on-failure']
  const args = ['--url', base, '--checks', 'all', '--warnings', 'off', '--no-color', ...bounds]
  const command = ['--config-file', config, 'run', document]
  return python(['-c', main, ...command, ...args, ...included], folder, through)
}

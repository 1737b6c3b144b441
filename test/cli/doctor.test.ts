import { Database } from 'bun:sqlite'
import { afterEach, expect, test } from 'bun:test'
import {
  chmodSync,
  closeSync,
  openSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../src/domain/server.ts'
import { dnsOf } from '../support/dns.ts'
import { command, installation, served } from './terminal.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function place() {
  const made = await installation()
  cleanups.push(made.remove)
  // As main.ts sets it.
  await Bun.$`chmod -R go= ${made.dataDir}`
  return made
}

async function examine(argv: string[], env = {}): Promise<{ code: number; findings: Finding[] }> {
  const { code, out } = await command(['doctor', '--json', ...argv], { env })
  return { code, findings: JSON.parse(out).findings }
}

function bad(findings: Finding[]): string[] {
  return findings.filter(({ status }) => status === 'failed').map(({ check }) => check)
}

async function start(at: string[], env = {}) {
  const server = await served(at, { env })
  cleanups.push(server.stop)
  return server
}

function of(findings: Finding[], check: string): Finding[] {
  return findings.filter((finding) => finding.check === check)
}

async function newApp(at: string[], ...flags: string[]): Promise<string> {
  const { out } = await command(['app', 'create', 'Acme', '--json', ...flags, ...at])
  return JSON.parse(out).id
}

test('doctor finds nothing wrong with a new installation, with and without a running server', async () => {
  const { at, dataDir } = await place()
  const before = await examine(at)
  await start(at)
  await Bun.$`chmod -R go= ${dataDir}`

  const { code, findings } = await examine(at)

  expect([before.code, bad(before.findings)]).toEqual([0, []])
  expect(bad(findings)).toEqual([])
  expect(code).toBe(0)
  const checks = findings.map(({ check }) => check)
  for (const check of ['disk', 'clock', 'master key', 'database']) expect(checks).toContain(check)
})

test('the settings of a running server are read, not those of the shell', async () => {
  const { at, dataDir } = await place()
  await start(at, { OTPMINT_GUESS_BUDGET_PER_MONTH: '500', OTPMINT_DEVELOPER_MODE: 'true' })

  const { findings } = await examine(at, { OTPMINT_GUESS_BUDGET_PER_MONTH: '50' })

  expect(of(findings, 'settings')[0]?.detail).toBe(`those of the server that runs on ${dataDir}`)
  expect(of(findings, 'guess bound')[0]?.detail).toContain('500 in 30 days')
  expect(of(findings, 'exposure')[0]?.detail).toContain('developer mode')
})

test('an app is tested with the settings of the running server', async () => {
  const { at } = await place()
  await start(at, { OTPMINT_ATTEMPTS_MAX: '3' })

  const { code, err } = await command(['app', 'create', 'Acme', '--attempts-max', '4', ...at])

  expect(code).toBe(2)
  expect(err).toContain('--attempts-max must be no more than the server allows, which is 3')
})

test('without a server the settings of an environment file are read', async () => {
  const { at, path, dataDir } = await place()
  const file = join(path, 'environment')
  writeFileSync(file, 'OTPMINT_OPEN_REGISTRATION=true\nBUN_OPTIONS=--smol\n')

  const named = await examine(['--env-file', file, ...at])
  const plain = await examine(at)

  const [source] = of(named.findings, 'settings')
  expect(source?.detail).toBe(`those of ${file}; no server runs on ${dataDir}`)
  expect(of(named.findings, 'exposure')[0]?.detail).toContain('registration is open')
  expect(bad(named.findings)).toEqual(['environment'])
  const [own] = of(plain.findings, 'settings')
  expect(own?.detail).toBe(`those of this environment; no server runs on ${dataDir}`)
  expect(of(plain.findings, 'exposure')[0]?.status).toBe('ok')
})

test('the guess bound of the defaults is 988 guesses a year, printed with its unit', async () => {
  const { at } = await place()
  await newApp(at, '--code-length', '8')

  const { findings } = await examine(at)

  const unit = 'for one recipient of one app, in the worst case'
  const budget = '25 wrong codes in 24 hours, 76 in 30 days'
  expect(of(findings, 'guess bound').map(({ detail }) => detail)).toEqual([
    `6 digits: at most 988 guesses a year, 0.0988 %, ${unit} (${budget})`,
    `8 digits: at most 988 guesses a year, 0.000988 %, ${unit} (${budget})`,
  ])
})

test('a looser budget is a warning', async () => {
  const { at } = await place()

  const { findings } = await examine(at, { OTPMINT_GUESS_BUDGET_PER_MONTH: '77' })

  const [bound] = of(findings, 'guess bound')
  expect(bound).toMatchObject({ status: 'warning', next: expect.any(String) })
})

test('an app with on_budget_exhausted refuse is a warning that says how few failures lock out', async () => {
  const { at } = await place()
  const id = await newApp(at, '--on-budget-exhausted', 'refuse')

  const { findings } = await examine(at)

  const [cost] = of(findings, 'lock-out')
  expect(cost?.status).toBe('warning')
  expect(cost?.detail).toStartWith(
    `app ${id} refuses a recipient after 25 wrong codes in 24 hours or 76 in 30 days`,
  )
})

test('X-Forwarded-For from a proxy that is not trusted is a warning', async () => {
  const { at } = await place()
  const { url } = await start(at)
  const before = await examine(at)
  await fetch(`${url}/v1/apps`, { headers: { 'x-forwarded-for': '192.0.2.1' } })

  const { findings } = await examine(at)

  const told = ({ detail }: Finding) => detail.includes('X-Forwarded-For')
  expect(before.findings.filter(told)).toEqual([])
  expect(findings.filter(told)).toMatchObject([
    { status: 'warning', next: expect.stringContaining('OTPMINT_TRUSTED_PROXIES') },
  ])
})

test('an alarm that is on is a warning', async () => {
  const { at, dataDir } = await place()
  const database = new Database(join(dataDir, 'otpmint.db'))
  database.run("insert into alarms (kind, since) values ('unknown_credentials', 1780000000000)")
  database.close()

  const { findings } = await examine(at)

  expect(of(findings, 'alarm')).toMatchObject([
    { status: 'warning', detail: 'unknown_credentials since 2026-05-28T20:26:40Z' },
  ])
})

test('a damaged database is a failure that says to restore a backup, not a crash', async () => {
  const { at, dataDir } = await place()
  const file = join(dataDir, 'otpmint.db')
  const { size } = statSync(file)
  const descriptor = openSync(file, 'r+')
  for (let page = 4096; page < size; page += 8192) {
    writeSync(descriptor, Buffer.alloc(64, 0xa5), 0, 64, page)
  }
  closeSync(descriptor)

  const { code, findings } = await examine(at)

  expect(code).toBe(1)
  const failures = findings.filter(({ status }) => status === 'failed')
  expect(JSON.stringify(failures)).toContain('restore')
})

test('a code life beyond ten minutes is a warning', async () => {
  const { at } = await place()

  const { findings } = await examine(at, { OTPMINT_CODE_TTL_SECONDS: '900' })

  expect(of(findings, 'code life')[0]?.status).toBe('warning')
})

test('files that others can read are failures with the command that repairs them', async () => {
  const { at, dataDir } = await place()
  chmodSync(dataDir, 0o755)
  chmodSync(join(dataDir, 'otpmint.db'), 0o644)

  const { code, findings } = await examine(at)

  expect(code).toBe(1)
  const next = findings.filter(({ status }) => status === 'failed').map((finding) => finding.next)
  expect(next).toContain(`chmod 700 ${dataDir}`)
  expect(next).toContain(`chmod 600 ${join(dataDir, 'otpmint.db')}`)
})

test('a clock behind the last write is a failure', async () => {
  const { at, dataDir } = await place()
  const later = Date.now() / 1000 + 86_400
  utimesSync(join(dataDir, 'otpmint.db'), later, later)

  const { code, findings } = await examine(at)

  expect(code).toBe(1)
  expect(bad(findings)).toEqual(['clock'])
})

test('variables that change what the executable does are failures', async () => {
  const { at } = await place()

  const { findings } = await examine(at, { BUN_OPTIONS: '--preload ./x.js', BUN_INSPECT: '1' })

  expect(bad(findings)).toEqual(['environment', 'environment'])
})

test('a mail server that does not answer is a failure that says what to do', async () => {
  const { at } = await place()
  const closed = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = closed
  closed.stop(true)
  const flags = ['--smtp-host', '127.0.0.1', '--smtp-port', String(port), '--smtp-no-login']
  const from = ['--smtp-security', 'none', '--smtp-from', 'codes@example.com']
  await command(['app', 'create', 'Acme', ...flags, ...from, ...at])

  const { code, findings } = await examine(at)

  expect(code).toBe(1)
  const [failed] = findings.filter(({ status }) => status === 'failed')
  expect(failed).toMatchObject({ check: 'mail of Acme', next: expect.stringContaining('check') })
})

test('a missing database is a failure, not a crash', async () => {
  const { path } = await place()

  const { code, findings } = await examine(['--data-dir', join(path, 'none')])

  expect(code).toBe(1)
  expect(bad(findings)).toEqual(['installation'])
})

test('at a terminal doctor prints lines with the next step below', async () => {
  const { at, dataDir } = await place()
  chmodSync(dataDir, 0o755)

  const { out } = await command(['doctor', ...at], { isTerminal: true, env: { NO_COLOR: '1' } })

  expect(out).toMatch(/ok +database +\S+otpmint\.db is sound/)
  expect(out).toMatch(/failed +data directory .*\n +-> chmod 700/)
})

test('a test mail without a mail server to send it through is a failure', async () => {
  const { at } = await place()
  const id = await newApp(at)

  const { code, findings } = await examine(['--app', id, '--send-to', 'me@example.com', ...at])

  expect(code).toBe(1)
  expect(of(findings, 'mail')).toMatchObject([
    { status: 'failed', detail: expect.stringContaining('nothing was sent') },
  ])
})

test('an invalid address is refused before anything is tried', async () => {
  const { at } = await place()

  const { code, err } = await command(['doctor', '--send-to', 'a@b.test, c@d.test', ...at])

  expect(code).toBe(2)
  expect(err).toContain('--send-to must be one e-mail address')
})

test('an unknown app is a failure', async () => {
  const { at } = await place()

  const { code, err } = await command(['doctor', '--app', 'none', ...at])

  expect([code, err]).toEqual([1, 'otpmint doctor: No such app\n'])
})

test('with --app the DNS of the From domains is read, with the records to copy', async () => {
  const { at } = await place()
  const server = ['--smtp-host', '127.0.0.1', '--smtp-port', '9', '--smtp-no-login']
  const id = await newApp(at, ...server, '--smtp-from', 'codes@example.com')
  await command(['dkim', 'add', id, '--domain', 'example.com', '--selector', 's1', ...at])
  const dns = dnsOf({ 'mx example.com': ['mx.example.com'] })
  const doctor = (argv: string[], given = {}) =>
    command(['doctor', ...argv, ...at], { dns, ...given })

  const { findings } = JSON.parse((await doctor(['--json', '--app', id])).out)
  const terminal = { isTerminal: true, env: { NO_COLOR: '1' } }
  const { out } = await doctor(['--app', id], terminal)
  dns.asked.length = 0
  await doctor([])

  expect(of(findings, 'mx of example.com')).toMatchObject([{ status: 'ok' }])
  expect(of(findings, 'dkim of example.com')).toMatchObject([
    {
      status: 'warning',
      next: `publish it, then run "otpmint dkim check ${id}"`,
      record: { name: 's1._domainkey.example.com', type: 'TXT' },
    },
  ])
  expect(out).toMatch(
    /warning +dmarc of example\.com +.*\n +-> .*\n +_dmarc\.example\.com TXT "v=DMARC1; p=none"\n/,
  )
  expect(dns.asked).toEqual([])
})

import { afterEach, expect, test } from 'bun:test'
import { chmodSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../src/cli/findings.ts'
import { command, installation, served } from './terminal.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function place() {
  const made = await installation()
  cleanups.push(made.remove)
  // What main.ts has done by umask.
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

test('a fresh installation is well, beside a running server too', async () => {
  const { at, dataDir } = await place()
  const server = await served(at)
  cleanups.push(server.stop)
  await Bun.$`chmod -R go= ${dataDir}`

  const { code, findings } = await examine(at)

  expect(bad(findings)).toEqual([])
  expect(code).toBe(0)
  const checks = findings.map(({ check }) => check)
  for (const check of ['disk', 'clock', 'master key', 'database']) expect(checks).toContain(check)
})

test('the guess bound of the defaults is 0.097 % a year', async () => {
  const { at } = await place()
  await command(['app', 'create', 'Long', '--code-length', '8', ...at])

  const { findings } = await examine(at)

  const bounds = findings.filter(({ check }) => check === 'guess bound')
  expect(bounds.map(({ detail }) => detail.split(' (')[0])).toEqual([
    '6 digits: at most 0.097 % a year per recipient',
    '8 digits: at most 0.00097 % a year per recipient',
  ])
})

test('a looser budget is a warning', async () => {
  const { at } = await place()

  const { findings } = await examine(at, { OTPMINT_GUESS_BUDGET_PER_MONTH: '500' })

  const bound = findings.find(({ check }) => check === 'guess bound')
  expect(bound).toMatchObject({ status: 'warning', next: expect.any(String) })
})

test('a code life beyond ten minutes is a warning', async () => {
  const { at } = await place()

  const { findings } = await examine(at, { OTPMINT_CODE_TTL_SECONDS: '900' })

  expect(findings.find(({ check }) => check === 'code life')?.status).toBe('warning')
})

test('files that others can read are failures with the command that mends them', async () => {
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

test('a person reads lines with the next step below', async () => {
  const { at, dataDir } = await place()
  chmodSync(dataDir, 0o755)

  const { out } = await command(['doctor', ...at], { isTerminal: true, env: { NO_COLOR: '1' } })

  expect(out).toMatch(/ok +database +\S+otpmint\.db is sound/)
  expect(out).toMatch(/failed +data directory .*\n +-> chmod 700/)
})

test('an address that is none is refused before anything is tried', async () => {
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

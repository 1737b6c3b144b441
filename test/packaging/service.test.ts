import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, start } from '../support/executable.ts'
import { freePort } from '../support/port.ts'

// Building, emulating and starting many processes takes longer than other tests do.
setDefaultTimeout(120_000)

const unit = await Bun.file(join(import.meta.dir, '../../deploy/otpmint.service')).text()
const litestream = await Bun.file(join(import.meta.dir, '../../deploy/litestream.service')).text()
const guide = await Bun.file(join(import.meta.dir, '../../docs/deployment.md')).text()
const directory = mkdtempSync(join(tmpdir(), 'otpmint-unit-'))
afterAll(() => rmSync(directory, { recursive: true }))

test('systemd-analyze security rates the unit 1.5 or better', async () => {
  const { exitCode, text } = await analyze(unit, 'security', '--offline=true', '--threshold=15')

  expect(text).toContain('Overall exposure level')
  expect(exitCode).toBe(0)
})

test('a unit with more privileges and system calls is rated worse than 1.5', async () => {
  const weaker = unit.replace(/^(NoNewPrivileges|SystemCallFilter|CapabilityBoundingSet).*$/gm, '')
  const { exitCode } = await analyze(weaker, 'security', '--offline=true', '--threshold=15')

  expect(exitCode).toBe(1)
})

test.each([
  ['otpmint', unit],
  ['Litestream', litestream],
])('systemd-analyze verify accepts every line of the unit of %s', async (_, lines) => {
  const { exitCode, text } = await analyze(lines, 'verify')

  expect(text).toBe('')
  expect(exitCode).toBe(0)
})

test('Litestream runs as the user of the server and in its directory', () => {
  const user = /^User=(.+)$/m.exec(litestream)?.[1]
  const directory = /^StateDirectory=(.+)$/m
  // Without a name of its own the dynamic user of otpmint.service is named like the unit.
  expect(unit).not.toMatch(/^User=/m)
  expect(user).toBe('otpmint')
  expect([litestream, unit].map((text) => directory.exec(text)?.[1])).toEqual([
    'otpmint',
    'otpmint',
  ])
  expect([litestream, unit].every((text) => /^DynamicUser=yes$/m.test(text))).toBe(true)
})

test('systemd-analyze verify reports an unknown line', async () => {
  const { text } = await analyze(unit.replace('PrivateTmp', 'PrivateTemp'), 'verify')

  expect(text).toContain('PrivateTemp')
})

test('the unit loads the master key, keeps the data and clears dangerous variables', () => {
  expect(unit).toMatch(/^LoadCredential=master_key:/m)
  expect(unit).toMatch(/^StateDirectory=otpmint$/m)
  expect(unit).toMatch(/^ExecStart=\S+\/otpmint serve$/m)
  for (const name of ['BUN_BE_BUN', 'BUN_OPTIONS', 'NAPI_RS_NATIVE_LIBRARY_PATH']) {
    expect(unit).toMatch(new RegExp(`^UnsetEnvironment=.*\\b${name}\\b`, 'm'))
  }
  // The argon2 library is written to BUN_TMPDIR: a directory of the service that may execute files.
  expect(unit).toContain('\nRuntimeDirectory=otpmint\n')
  expect(unit).toContain('\nEnvironment=BUN_TMPDIR=%t/otpmint\n')
  expect(unit).toContain('\nExecPaths=-%t/otpmint\n')
})

test('a start ends when the server is ready, and wrong settings cause no restart', async () => {
  expect(unit).toMatch(/^Type=exec$/m)
  const [serve, healthcheck] = ['ExecStart', 'ExecStartPost'].map((name) => {
    return new RegExp(`^${name}=\\S+/otpmint (.+)$`, 'm').exec(unit)?.[1]?.split(' ') ?? []
  })
  const [, noRestart] = /^RestartPreventExitStatus=(\d+)$/m.exec(unit) ?? []
  const wait = healthcheck ?? []
  expect(Number(wait.at(-1))).toBeGreaterThanOrEqual(20)

  // As systemd runs them: with the settings of the environment file for both.
  const good = { OTPMINT_DATA_DIR: join(directory, 'data'), OTPMINT_PORT: String(freePort()) }
  const server = await start(serve ?? [], good)
  expect(await run(wait, good)).toMatchObject({ exitCode: 0, stdout: 'ready\n' })
  expect(await server.stop()).toBe(0)

  const misspelt = { ...good, OTPMINT_ATEMPTS_MAX: '4' }
  for (const args of [serve ?? [], wait]) {
    const { exitCode, stderr } = await run(args, misspelt)
    expect(exitCode).toBe(Number(noRestart))
    expect(stderr).toContain('OTPMINT_ATTEMPTS_MAX')
  }
})

test('the unit and docs/deployment.md name the same folder of documentation', () => {
  const [, folder = ''] = /^Documentation=file:\/\/(\S+)\/deployment\.md$/m.exec(unit) ?? []
  expect(folder).not.toBe('')
  expect(guide).toContain(`install -D -m 644 -t ${folder} docs/*.md`)
})

async function analyze(text: string, ...command: string[]) {
  const file = join(directory, text === litestream ? 'litestream.service' : 'otpmint.service')
  // The executable need not be installed on the machine that runs this.
  await Bun.write(file, text.replace(/^(ExecStart|ExecStartPost)=\S+/gm, '$1=/bin/true'))
  const { exitCode, stdout, stderr } = Bun.spawnSync(['systemd-analyze', ...command, file])
  return { exitCode, text: `${stdout}${stderr}` }
}

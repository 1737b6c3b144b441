import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commands } from '../../src/cli/commands.ts'
import { command, temporary } from './terminal.ts'

const wrongUsage: [string[], string][] = [
  [[], 'Usage'],
  [['servve'], 'did you mean "otpmint serve"?'],
  [['app'], 'app create NAME'],
  [['app', 'creat'], 'did you mean "otpmint app create"?'],
  [['audit'], 'audit verify'],
  [['frobnicate'], '"otpmint help" lists them'],
  [['version', '--jsno'], 'did you mean --json?'],
  [['version', '-x'], 'there is no flag -x'],
  [['version', 'now'], 'too many words'],
  [['version', '--json=yes'], '--json takes no value'],
  [['backup'], 'FILE is missing'],
  [['app', 'revoke-key', 'one'], 'KEY_ID is missing'],
  [['serve', '--port'], '--port needs PORT'],
  [['serve', '--port', '--dev'], '--port needs PORT'],
  [['app', 'delete', 'one'], 'add --yes'],
  [['app', 'new-key', 'one', '--mode', 'admin'], '--mode must be one of live, test'],
  [['endpoint'], 'endpoint add ID'],
  [['endpoint', 'remove', 'one'], 'ENDPOINT_ID is missing'],
  [['restore'], 'FILE is missing'],
  [['restore', 'file', '--in-place'], '--in-place takes no FILE'],
  [['restore', '--in-place', '--force'], '--in-place takes no FILE and no --force'],
  [['healthcheck', '--wait', 'long'], '--wait must be a whole number from 0 to 600'],
  [['healthcheck', '--data-dir', 'x'], 'there is no flag --data-dir'],
  [['audit', 'verify', '--expect-head', 'x'], '--expect-head must be a head'],
  [['help', 'frobnicate'], 'there is no such command'],
]

test.each(wrongUsage)('wrong usage %j ends with 2 and says what was wrong', async (argv, says) => {
  const { code, out, err } = await command(argv)

  expect(code).toBe(2)
  expect(out).toBe('')
  expect(err).toContain(says)
})

test.each(commands.map(({ name }) => name))('%s has a page of help', async (name) => {
  const { code, out, err } = await command([...name.split(' '), '--help'])
  const same = await command(['help', ...name.split(' ')])

  expect([code, err]).toEqual([0, ''])
  expect(out).toContain(`otpmint ${name}`)
  expect(out).toContain('--help')
  expect(out).toMatch(/Examples?\n {2}\S/)
  expect(same.out).toBe(out)
})

test.each(commands.map(({ name }) => name))('the help of %s fits a terminal', async (name) => {
  const { out } = await command([...name.split(' '), '-h'])
  const [page = ''] = out.split('Settings (environment)')

  for (const line of page.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
})

test('the overview lists every command', async () => {
  const { code, out } = await command(['--help'])

  expect(code).toBe(0)
  for (const { name, summary } of commands) expect(out).toMatch(new RegExp(`${name}.*${summary}`))
})

test('the help of serve names every setting', async () => {
  const { out } = await command(['serve', '--help'])

  for (const name of ['OTPMINT_PORT', 'OTPMINT_MASTER_KEY_FILE', 'OTPMINT_CODE_TTL_SECONDS']) {
    expect(out).toContain(name)
  }
})

test('every wrong setting is named at once and none is echoed', async () => {
  const env = {
    OTPMINT_PORT: 'eleventy-hunter2',
    OTPMINT_CODE_LENGTH: '3',
    OTPMINT_MASTER_KEY: 'hunter2',
    OTPMINT_PROT: '5000',
  }
  for (const argv of [['serve'], ['doctor'], ['app', 'list'], ['healthcheck']]) {
    const { code, out, err } = await command(argv, { env })

    expect([code, out]).toEqual([78, ''])
    for (const name of Object.keys(env)) expect(err).toContain(name)
    expect(err).not.toContain('hunter2')
  }
})

test('a secret that was typed as a flag is not repeated', async () => {
  const { code, err } = await command(['app', 'create', 'Acme', '--smtp-password=hunter2'])

  expect(code).toBe(2)
  expect(err).toContain('did you mean --smtp-password-file?')
  expect(err).not.toContain('hunter2')
})

test('settings are read from an environment file before the environment', async () => {
  const { path, remove } = temporary()
  const file = join(path, 'environment')
  writeFileSync(file, '# of the unit\nOTPMINT_PORT="hunter2"\n')

  const wrong = await command(['app', 'list', '--env-file', file], { env: { OTPMINT_PORT: '80' } })
  const missing = await command(['doctor', '--env-file', join(path, 'none')])
  remove()

  expect([wrong.code, missing.code]).toEqual([78, 78])
  expect(wrong.err).toBe('otpmint: OTPMINT_PORT must be a whole number from 0 to 65535\n')
  expect(missing.err).toBe('otpmint: --env-file must name a file that this user can read\n')
})

test('control characters in arguments are not printed', async () => {
  const { err } = await command(['\x1b[2Jserve'], { isTerminal: true })

  expect(err).not.toContain('\x1b[2J')
})

test('colours are used at a terminal only, and not with NO_COLOR', async () => {
  const plain = await command(['help'])
  const coloured = await command(['help'], { isTerminal: true })
  const declined = await command(['help'], { isTerminal: true, env: { NO_COLOR: '1' } })

  expect(plain.out).not.toContain('\x1b')
  expect(coloured.out).toContain('\x1b[1m')
  expect(declined.out).toBe(plain.out)
})

test('help uses one name for each command, and the word admin', async () => {
  const pages = await Promise.all(commands.map(({ name }) => command(['help', ...name.split(' ')])))
  for (const { out } of pages) expect(out).not.toMatch(/operator/i)
  expect(new Set(commands.map(({ name }) => name)).size).toBe(commands.length)
})

test('the version is printed as text and as JSON', async () => {
  const plain = await command(['--version'])
  const json = await command(['version', '--json'])

  expect(plain.out).toMatch(/^otpmint \d+\.\d+\.\d+ \(bun [\d.]+\)\n$/)
  expect(JSON.parse(json.out)).toEqual({ version: expect.any(String), bun: Bun.version })
})

test('openapi prints the API without a server', async () => {
  const { code, out } = await command(['openapi'])
  const document = JSON.parse(out)

  expect(code).toBe(0)
  expect(document.openapi).toStartWith('3.')
  expect(Object.keys(document.paths)).toContain('/v1/verifications/{id}/check')
})

import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setByCommand } from '../../src/config/in-force.ts'
import { loadSettings } from '../../src/config/load.ts'
import { optionList } from '../../src/config/options.ts'

const of = (settings: ReturnType<typeof loadSettings>, name: string) => {
  const found = settings.inForce.find((setting) => setting.name === name)
  return [found?.value, found?.source]
}

test('every setting is told with its value and where it came from', () => {
  const environment = {
    ...{ OTPMINT_PORT: '7000', OTPMINT_HOST: '', OTPMINT_METRICS_LISTEN: 'off' },
    OTPMINT_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
  }
  const settings = loadSettings(environment, { 'log-level': 'warn', port: '7001' })

  expect(settings.inForce.map(({ name }) => name)).toEqual(optionList.map(([name]) => name))
  expect(of(settings, 'OTPMINT_PORT')).toEqual(['7001', 'flag'])
  expect(of(settings, 'OTPMINT_LOG_LEVEL')).toEqual(['warn', 'flag'])
  expect(of(settings, 'OTPMINT_METRICS_LISTEN')).toEqual(['off', 'environment'])
  expect(of(settings, 'OTPMINT_TRUSTED_PROXIES')).toEqual(['10.0.0.0/8, ::1/128', 'environment'])
  // An empty variable counts as not set.
  expect(of(settings, 'OTPMINT_HOST')).toEqual(['127.0.0.1', 'default'])
  expect(of(settings, 'OTPMINT_EGRESS_ALLOW')).toEqual(['none', 'default'])
  expect(of(loadSettings({}), 'OTPMINT_METRICS_LISTEN')).toEqual(['127.0.0.1:9464', 'default'])
})

test('of a secret is told only that it is set, and whether by a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'otpmint-in-force-'))
  const file = join(folder, 'token')
  const [token, key, password] = ['t'.repeat(40), 'passphrase:0123456789abcdef', 'pw-of-database']
  writeFileSync(file, token, { mode: 0o600 })
  const environment = {
    ...{ OTPMINT_ADMIN_TOKEN_FILE: file, OTPMINT_MASTER_KEY: key },
    OTPMINT_DATABASE_URL: `postgres://otpmint:${password}@db.example.com/otpmint`,
  }
  const settings = loadSettings(environment)
  rmSync(folder, { recursive: true })

  expect(of(settings, 'OTPMINT_ADMIN_TOKEN')).toEqual(['(set)', 'file'])
  expect(of(settings, 'OTPMINT_MASTER_KEY')).toEqual(['(set)', 'environment'])
  expect(of(settings, 'OTPMINT_DATABASE_URL')).toEqual(['(set)', 'environment'])
  const told = JSON.stringify(settings.inForce)
  for (const secret of [token, key, password]) expect(told).not.toContain(secret)
})

test('what a command sets by itself is told as that', () => {
  const { inForce } = loadSettings({ OTPMINT_DEVELOPER_MODE: 'false' })
  const changed = setByCommand(inForce, { OTPMINT_DEVELOPER_MODE: 'true' })

  expect(changed.filter(({ source }) => source === 'command')).toEqual([
    expect.objectContaining({ name: 'OTPMINT_DEVELOPER_MODE', value: 'true' }),
  ])
  expect(changed).toHaveLength(inForce.length)
})

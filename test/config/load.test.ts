import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Flags, loadSettings, redactedSettings } from '../../src/config/load.ts'
import { optionList, options } from '../../src/config/options.ts'
import { defaultSettings } from '../../src/domain/settings.ts'
import { StartupError } from '../../src/startup-error.ts'

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), 'otpmint-config-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const masterKey = Buffer.from(new Uint8Array(32).map((_, i) => i * 5)).toString('base64')
const adminToken = 'canary-admin-token-0123456789abcdef'

function settingsOf(environment: Record<string, string>, flags: Flags = {}) {
  return loadSettings(environment, flags)
}

/** The mistakes in the settings; empty when they are valid. */
function mistakesOf(environment: Record<string, string>, flags: Flags = {}): string[] {
  try {
    loadSettings(environment, flags)
    return []
  } catch (error) {
    if (!(error instanceof StartupError) || error.exitCode !== 78) throw error
    return error.reasons
  }
}

const tryAll = (name: string, texts: string[]) =>
  texts.filter((text) => mistakesOf({ [name]: text }).length === 0)

describe('settings', () => {
  test('have their defaults when nothing is set', () => {
    const { inForce, ...settings } = settingsOf({ PATH: '/bin', otpmint_port: '1' })
    expect(inForce.map(({ source }) => source)).toEqual(optionList.map(() => 'default'))
    expect(settings).toEqual({
      host: '127.0.0.1',
      port: 5000,
      publicUrl: null,
      dataDir: './otpmint-data',
      database: null,
      masterKey: { raw: null, file: null, nextFile: null, credentialsDirectory: null },
      adminToken: null,
      inboundKeyFile: null,
      openRegistration: false,
      developerMode: false,
      trustedProxies: [],
      egressAllow: [],
      connectionsMax: 500,
      metricsListen: { host: '127.0.0.1', port: 9464 },
      dashboard: {
        listen: { host: '127.0.0.1', port: 5001 },
        url: null,
        idleMinutes: 30,
        sessionHours: 12,
      },
      logLevel: 'info',
      shutdownSeconds: 10,
      domain: defaultSettings,
      retention: { verificationDays: 7, limitDays: 31, eventDays: 31, auditDays: 400 },
    })
  })

  test('of the domain have a variable each, which changes only that number', () => {
    const read = new Set<string>()
    for (const [name, option] of optionList) {
      if (typeof option.default !== 'number') continue
      // One less where the default is the largest that is allowed.
      const changed = settingsOf({ [name]: String(option.default + 1 - 2 * +/_DAYS/.test(name)) })
      read.add(JSON.stringify(changed))
    }
    const numbers = optionList.filter(([, option]) => typeof option.default === 'number')
    expect(read.size).toBe(numbers.length)
    expect(read.has(JSON.stringify(settingsOf({})))).toBe(false)
  })

  test('follow systemd: state directory, credentials directory', () => {
    const settings = settingsOf({
      STATE_DIRECTORY: '/var/lib/a:/b',
      CREDENTIALS_DIRECTORY: '/run/c',
    })
    expect(settings.dataDir).toBe('/var/lib/a')
    expect(settings.masterKey.credentialsDirectory).toBe('/run/c')
    expect(settingsOf({ STATE_DIRECTORY: '/s', OTPMINT_DATA_DIR: '/mine' }).dataDir).toBe('/mine')
  })

  test('are taken from a flag before the environment', () => {
    const environment = { OTPMINT_PORT: '1', OTPMINT_LOG_LEVEL: 'debug' }
    expect(settingsOf(environment, { port: '0', dev: true })).toMatchObject({
      port: 0,
      logLevel: 'debug',
    })
    expect(mistakesOf(environment, { port: 'x' })).toEqual([
      '--port must be a whole number from 0 to 65535',
    ])
    expect(mistakesOf({}, { 'data-dir': '' })).toHaveLength(1)
  })

  test('that are empty count as absent, but an empty secret is a mistake', () => {
    expect(settingsOf({ OTPMINT_PORT: '', OTPMINT_HOST: ' ' })).toEqual(settingsOf({}))
    expect(mistakesOf({ OTPMINT_ADMIN_TOKEN: '', OTPMINT_MASTER_KEY: '' })).toHaveLength(2)
  })
})

describe('each kind of setting', () => {
  test('a number is a plain integer within its range', () => {
    const wrong = ['-1', '65536', '1.5', '1e3', '0x10', '+1', '١', '99999999999', 'NaN']
    expect(tryAll('OTPMINT_PORT', [...wrong, '0', '65535', ' 80 '])).toEqual(['0', '65535', ' 80 '])
    expect(tryAll('OTPMINT_CODE_LENGTH', ['5', '6', '10', '11'])).toEqual(['6', '10'])
    expect(tryAll('OTPMINT_ATTEMPTS_MAX', ['2', '3', '10', '11'])).toEqual(['3', '10'])
    expect(tryAll('OTPMINT_CODE_TTL_SECONDS', ['29', '30', '86400', '86401'])).toEqual([
      '30',
      '86400',
    ])
  })

  test('a switch is true or false', () => {
    const texts = ['true', 'FALSE', '1', 'yes', 'on', 'constructor', 'truefalse']
    expect(tryAll('OTPMINT_OPEN_REGISTRATION', texts)).toEqual(['true', 'FALSE'])
    expect(settingsOf({ OTPMINT_DEVELOPER_MODE: 'TRUE' }).developerMode).toBe(true)
  })

  test('a host is an address in its usual spelling or a name', () => {
    const right = ['0.0.0.0', '::', '::1', 'localhost', 'otp.example.com', 'a-b_c.example']
    const wrong = ['127.1', '2130706433', '0x7f.1', 'a b', 'a..b', '-a', 'a.', 'a/b', '[::1]', 'é']
    expect(tryAll('OTPMINT_HOST', [...right, ...wrong, 'fe80::1%eth0'])).toEqual(right)
  })

  test('the URL of the dashboard is an https origin', () => {
    const read = (text: string) => settingsOf({ OTPMINT_DASHBOARD_URL: text }).dashboard.url
    expect(read('https://otp.example.com/')).toBe('https://otp.example.com')
    expect(read('HTTPS://OTP.example.com:8443')).toBe('https://otp.example.com:8443')
    const wrong = ['http://otp.example.com', 'https://a@b.example', 'https://b.example/path']
    const more = ['otp.example.com', 'https://', 'https://b.example?x', 'https://b.example#x']
    expect(tryAll('OTPMINT_DASHBOARD_URL', [...wrong, ...more])).toEqual([])
  })

  test('a listener is host and port, or off', () => {
    const read = (text: string) => settingsOf({ OTPMINT_METRICS_LISTEN: text }).metricsListen
    expect(read('off')).toBeNull()
    expect(read('[::1]:0')).toEqual({ host: '::1', port: 0 })
    expect(read('0.0.0.0:9464')).toEqual({ host: '0.0.0.0', port: 9464 })
    const wrong = ['9464', ':9464', '::1:9464', '[127.0.0.1]:1', 'a:65536', 'a:', 'OFF']
    expect(tryAll('OTPMINT_METRICS_LISTEN', wrong)).toEqual([])
  })

  test('trusted proxies are ranges in canonical form, none of which holds every address', () => {
    const read = (text: string) => settingsOf({ OTPMINT_TRUSTED_PROXIES: text }).trustedProxies
    expect(read('10.1.2.3/8, 127.0.0.1,2001:DB8::1/32 , ::1')).toEqual([
      '10.0.0.0/8',
      '127.0.0.1/32',
      '2001:db8::/32',
      '::1/128',
    ])
    const wrong = ['0.0.0.0/0', '::/0', '10.0.0.0/33', '10.1/8', '1.2.3.4/', 'proxy', '::1,', ',']
    expect(tryAll('OTPMINT_TRUSTED_PROXIES', wrong)).toEqual([])
  })

  test('a public URL is http or https, and its last slash is dropped', () => {
    const read = (text: string) => settingsOf({ OTPMINT_PUBLIC_URL: text }).publicUrl
    expect(read('https://OTP.example.com/')).toBe('https://otp.example.com')
    expect(read('http://localhost:5000/otp/')).toBe('http://localhost:5000/otp')
    const wrong = ['otp.example.com', 'ftp://a', 'https://u:p@a', 'https://a?b', 'https://a#b']
    expect(tryAll('OTPMINT_PUBLIC_URL', [...wrong, 'http:a', 'https://', 'javascript:1'])).toEqual(
      [],
    )
  })

  test('a master key is 32 bytes of base64 or a passphrase, which may have spaces', () => {
    const right = [masterKey, `${masterKey}\n`, 'passphrase:correct horse battery']
    const wrong = [
      'changeme',
      masterKey.slice(1),
      'passphrase:too short',
      `${masterKey}${masterKey}`,
    ]
    expect(tryAll('OTPMINT_MASTER_KEY', [...right, ...wrong])).toEqual(right)
    expect(settingsOf({ OTPMINT_MASTER_KEY_FILE: '/run/key' }).masterKey.file).toBe('/run/key')
  })

  test('an admin token has 32 characters or more and may lie in a file', () => {
    const file = join(root, 'token')
    writeFileSync(file, `${adminToken}\n`, { mode: 0o600 })
    expect(settingsOf({ OTPMINT_ADMIN_TOKEN_FILE: file }).adminToken).toBe(adminToken)
    expect(settingsOf({ OTPMINT_ADMIN_TOKEN: adminToken }).adminToken).toBe(adminToken)
    const wrong = [adminToken.slice(0, 31), `${adminToken} `, 'ü'.repeat(40), 'a'.repeat(257)]
    expect(tryAll('OTPMINT_ADMIN_TOKEN', wrong)).toEqual([])

    writeFileSync(file, 'short')
    expect(mistakesOf({ OTPMINT_ADMIN_TOKEN_FILE: file })[0]).toContain('must hold')
    expect(mistakesOf({ OTPMINT_ADMIN_TOKEN_FILE: '/nowhere' })[0]).toContain('must name a file')
  })

  test('an admin token file that others can read is refused, except under the credentials directory', () => {
    const file = join(root, 'open-token')
    writeFileSync(file, `${adminToken}\n`)
    for (const mode of [0o644, 0o640, 0o604, 0o660]) {
      chmodSync(file, mode)
      const [mistake, ...more] = mistakesOf({ OTPMINT_ADMIN_TOKEN_FILE: file })
      expect([mistake, more]).toEqual([
        'OTPMINT_ADMIN_TOKEN_FILE must be readable by its owner only: chmod 600',
        [],
      ])
    }
    chmodSync(file, 0o440)
    const credential = { OTPMINT_ADMIN_TOKEN_FILE: file, CREDENTIALS_DIRECTORY: root }
    expect(settingsOf(credential).adminToken).toBe(adminToken)
    expect(mistakesOf({ ...credential, CREDENTIALS_DIRECTORY: '/run/other' })).toHaveLength(1)
  })
})

describe('the URL of a database', () => {
  const url = 'postgres://otpmint:canary@db.example.com/otpmint'

  test('begins with postgres:// and may lie in a file of its owner', () => {
    expect(tryAll('OTPMINT_DATABASE_URL', [url, 'postgresql://a/b', 'mysql://a/b', 'a/b'])).toEqual(
      [url, 'postgresql://a/b'],
    )
    const file = join(root, 'url')
    writeFileSync(file, `${url}\n`, { mode: 0o600 })
    for (const name of ['MIGRATE_URL', 'DIRECT_URL'].map((end) => `OTPMINT_DATABASE_${end}`)) {
      const settings = settingsOf({ OTPMINT_DATABASE_URL: url, [`${name}_FILE`]: file })
      expect(Object.values(settings.database ?? {}).filter((value) => value === url)).toHaveLength(
        2,
      )
    }
    expect(settingsOf({ OTPMINT_DATABASE_URL_FILE: file }).database).toEqual({
      url,
      migrateUrl: null,
      directUrl: null,
    })
    chmodSync(file, 0o640)
    expect(mistakesOf({ OTPMINT_DATABASE_URL_FILE: file })).toEqual([
      'OTPMINT_DATABASE_URL_FILE must be readable by its owner only: chmod 600',
    ])
  })

  test('is needed by the two others, and set once', () => {
    expect(mistakesOf({ OTPMINT_DATABASE_DIRECT_URL: url })).toEqual([
      'OTPMINT_DATABASE_DIRECT_URL needs OTPMINT_DATABASE_URL',
    ])
    expect(
      mistakesOf({ OTPMINT_DATABASE_URL: url, OTPMINT_DATABASE_URL_FILE: '/nowhere' })[0],
    ).toBe('OTPMINT_DATABASE_URL and OTPMINT_DATABASE_URL_FILE are both set: keep one')
  })
})

describe('mistakes', () => {
  test('are reported all at once, by name, and never echo what was set', () => {
    const wrong = Object.fromEntries(
      optionList
        .filter(([, option]) => option.parse('canary\u0001 value') === undefined)
        .map(([name]) => [name, 'canary\u0001 value']),
    )
    expect(Object.keys(wrong)).toHaveLength(optionList.length)

    const mistakes = mistakesOf(wrong)

    for (const name of Object.keys(wrong)) {
      expect(mistakes.filter((text) => text.startsWith(`${name} must be `))).toHaveLength(1)
    }
    expect(mistakes).toHaveLength(optionList.length)
    expect(mistakes.join()).not.toContain('canary')
  })

  test('name an unknown variable and the nearest known one, without its value', () => {
    const guess = (name: string) => mistakesOf({ [name]: 'canary' }).join()
    expect(guess('OTPMINT_PROT')).toBe('OTPMINT_PROT is not a setting; did you mean OTPMINT_PORT?')
    expect(guess('OTPMINT_PERK')).toContain('did you mean OTPMINT_PORT?')
    expect(guess('OTPMINT_')).toBe('OTPMINT_ is not a setting')
    expect(guess('OTPMINT_CODE_LENGHT')).toContain('did you mean OTPMINT_CODE_LENGTH?')
    expect(guess('OTPMINT_CODE_TTL')).toContain('did you mean OTPMINT_CODE_TTL_SECONDS?')
    expect(guess('OTPMINT_BANANA')).toBe('OTPMINT_BANANA is not a setting')
    expect(guess('OTPMINT_\u001b[31m')).toBe('OTPMINT_??31m is not a setting')
    expect(guess('OTPMINT_constructor')).toContain('is not a setting')
  })

  test('include a secret that is set twice', () => {
    expect(
      mistakesOf({
        OTPMINT_MASTER_KEY: masterKey,
        OTPMINT_MASTER_KEY_FILE: '/run/key',
        OTPMINT_ADMIN_TOKEN: adminToken,
        OTPMINT_ADMIN_TOKEN_FILE: '/run/token',
      }),
    ).toEqual([
      'OTPMINT_MASTER_KEY and OTPMINT_MASTER_KEY_FILE are both set: keep one',
      'OTPMINT_ADMIN_TOKEN and OTPMINT_ADMIN_TOKEN_FILE are both set: keep one',
    ])
  })

  test('include budgets that contradict one another', () => {
    expect(mistakesOf({ OTPMINT_GUESS_BUDGET_PER_MONTH: '24' })[0]).toContain('at least')
    expect(mistakesOf({ OTPMINT_GUESS_BUDGET_PER_DAY: '4' })[0]).toContain('at most')
    expect(mistakesOf({ OTPMINT_GUESS_BUDGET_PER_DAY: '5' })).toEqual([])
  })

  test('include developer mode on an address that other machines can reach', () => {
    const mistakes = (host: string) =>
      mistakesOf({ OTPMINT_DEVELOPER_MODE: 'true', OTPMINT_HOST: host })
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) {
      expect(mistakes(host)).toEqual([])
    }
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'otp.example.com', '127.0.0.1.example.com']) {
      expect(mistakes(host)).toEqual([
        'OTPMINT_DEVELOPER_MODE needs OTPMINT_HOST on loopback: 127.0.0.1 or ::1',
      ])
    }
  })

  test('are the only result of a wrong value of any setting', () => {
    const names = Object.keys(options)
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.integer().map(String),
      fc.ipV4(),
      fc.ipV6(),
      fc.webUrl(),
      fc.constantFrom('__proto__', 'constructor', 'true', 'off', 'sqlite', '0', '[', '%'),
    )
    const environment = fc.dictionary(fc.constantFrom(...names), text, { maxKeys: 4 })
    fc.assert(
      fc.property(environment, (values) => {
        for (const mistake of mistakesOf(values)) {
          expect(Object.keys(values).some((name) => mistake.includes(name))).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the settings as they are shown', () => {
  test('show that a secret is set, and not its value', () => {
    const secrets = {
      OTPMINT_DATABASE_URL: 'postgres://canary-user:canary-password@db.example.com/otpmint',
      OTPMINT_DATABASE_MIGRATE_URL:
        'postgres://canary-owner:canary-password@db.example.com/otpmint',
      OTPMINT_DATABASE_DIRECT_URL: 'postgres://canary-user:canary-password@db.example.com/otpmint',
      OTPMINT_MASTER_KEY: 'passphrase:canary horse battery staple',
      OTPMINT_ADMIN_TOKEN: 'canary-admin-token-0123456789abcdef',
    }
    const hidden = optionList.filter(([, option]) => option.secret).map(([name]) => name)
    expect(hidden).toEqual(Object.keys(secrets) as typeof hidden)
    const settings = settingsOf(secrets)

    const shown = redactedSettings(settings)

    expect(shown.adminToken).toBe('(set)')
    expect(shown.masterKey.raw).toBe('(set)')
    expect(shown.database).toEqual({ url: '(set)', migrateUrl: '(set)', directUrl: '(set)' })
    expect(JSON.stringify(shown)).not.toContain('canary')
    expect(shown.domain).toEqual(settings.domain)
  })

  test('show that a secret is not set', () => {
    expect(redactedSettings(settingsOf({}))).toEqual(settingsOf({}))
  })
})

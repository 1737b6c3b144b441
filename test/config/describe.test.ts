import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configurationPage, describeSettings, redactedSettings } from '../../src/config/describe.ts'
import { loadSettings } from '../../src/config/load.ts'
import { optionList } from '../../src/config/options.ts'

describe('the table of settings', () => {
  test('is docs/configuration.md, word for word (bun scripts/docs.ts writes it)', () => {
    const page = readFileSync(join(import.meta.dir, '../../docs/configuration.md'), 'utf8')
    expect(page).toBe(configurationPage())
  })

  test('is in the help and in the page with every name, flag and default', () => {
    for (const text of [describeSettings(), configurationPage()]) {
      for (const [name, option] of optionList) {
        expect(text).toContain(name)
        expect(text).toContain(option.allowed)
        if (option.flag) expect(text).toContain(`--${option.flag}`)
      }
    }
    expect(
      describeSettings()
        .split('\n')
        .filter((line) => line.length > 100),
    ).toEqual([])
  })

  test('says one plain sentence about each', () => {
    for (const [, { description }] of optionList) {
      expect(description).toMatch(/^[A-Z][^.]*(\.0\.0\.1[^.]*)?\.$/)
    }
  })

  test('has a default that is allowed, and a file beside every secret', () => {
    const names = new Set<string>(optionList.map(([name]) => name))
    for (const [name, option] of optionList) {
      if (typeof option.default !== 'object') {
        expect(option.parse(String(option.default))).toBe(option.default)
      } else {
        expect(option.defaultText).toBeString()
      }
      if (option.secret) expect(names.has(`${name}_FILE`)).toBe(true)
    }
  })
})

describe('the dump of the settings in force', () => {
  test('says of a secret that it is set, and nothing of what it is', () => {
    const secrets = {
      OTPMINT_MASTER_KEY: 'passphrase:canary horse battery staple',
      OTPMINT_ADMIN_TOKEN: 'canary-admin-token-0123456789abcdef',
    }
    const hidden = optionList.filter(([, option]) => option.secret).map(([name]) => name)
    expect(hidden).toEqual(Object.keys(secrets) as typeof hidden)
    const loaded = loadSettings(secrets)
    if (!loaded.ok) throw new Error(loaded.mistakes.join())

    const dump = redactedSettings(loaded.settings)

    expect(dump.adminToken).toBe('(set)')
    expect(dump.masterKey.raw).toBe('(set)')
    expect(JSON.stringify(dump)).not.toContain('canary')
    expect(dump.domain).toEqual(loaded.settings.domain)
  })

  test('says of a secret that is not set just that', () => {
    const loaded = loadSettings({})
    if (!loaded.ok) throw new Error(loaded.mistakes.join())
    expect(redactedSettings(loaded.settings)).toEqual(loaded.settings)
  })
})

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configurationPage, describeSettings } from '../../src/config/describe.ts'
import { optionList, options, settingNames } from '../../src/config/options.ts'
import { mustBe } from '../../src/domain/field.ts'
import { settingFields } from '../../src/domain/settings.ts'

test('docs/configuration.md is generated from the settings (by bun scripts/docs.ts)', () => {
  const page = readFileSync(join(import.meta.dir, '../../docs/configuration.md'), 'utf8')
  expect(page).toBe(configurationPage())
})

test('help and docs/configuration.md have the name, flag and bounds of every setting', () => {
  for (const text of [describeSettings(), configurationPage()]) {
    for (const [name, option] of optionList) {
      expect(text).toContain(name)
      expect(text).toContain(option.allowed)
      if (option.flag) expect(text).toContain(`--${option.flag}`)
    }
  }
  const tooLong = describeSettings()
    .split('\n')
    .filter((line) => line.length > 100)
  expect(tooLong).toEqual([])
})

test('every setting is described by one sentence', () => {
  for (const [, { description }] of optionList) {
    expect(description).toMatch(/^[A-Z][^.]*(\.0\.0\.1[^.]*)?\.$/)
  }
})

test('every default is allowed, and every secret may lie in a file', () => {
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

test('every number of the domain is a setting with the bounds, default and sentence of its field', () => {
  for (const [setting, field] of Object.entries(settingFields)) {
    const option = options[settingNames[setting as keyof typeof settingNames]]
    expect(`must be ${option.allowed}`).toBe(mustBe(field))
    expect(option).toMatchObject({ description: field.says, default: field.default })
    const within = [field.min, field.max].map((value) => option.parse(String(value)))
    expect(within).toEqual([field.min, field.max])
    expect(option.parse(String(field.max + 1))).toBeUndefined()
  }
})

import { describe, expect, test } from 'bun:test'
import { effectivePolicy, readPolicy } from '../../src/domain/app/policy.ts'
import type { FieldError } from '../../src/domain/problem.ts'
import { defaultSettings } from '../../src/domain/settings.ts'
import {
  foldPhone,
  type PhoneNumber,
  type PhoneRules,
  phoneFault,
} from '../../src/domain/verification/phone.ts'

const german: PhoneNumber = { e164: '+4917012345678', country: 'DE', type: 'mobile' }
const rules = (own: Partial<PhoneRules>): PhoneRules => ({
  ...effectivePolicy({}, defaultSettings),
  ...own,
})

describe('a telephone number is allowed', () => {
  test('in the named countries only, and in none where none is named', () => {
    expect(phoneFault(german, rules({ phoneCountries: ['AT', 'DE'] }))).toBeNull()
    expect(phoneFault(german, rules({ phoneCountries: ['AT'] }))).toContain('phone_countries')
    expect(phoneFault(german, rules({}))).toContain('allows no phone_countries')
    // Whether it would be a number is not told to an app that may use none.
    expect(phoneFault(null, rules({}))).toContain('allows no phone_countries')
    const nowhere = { ...german, country: null }
    expect(phoneFault(nowhere, rules({ phoneCountries: ['DE'] }))).toContain('phone_countries')
  })

  test('when it is a mobile one or may be, and others where the app allows their type', () => {
    const phoneCountries = ['DE']
    const fault = (type: PhoneNumber['type'], own: Partial<PhoneRules> = {}) =>
      phoneFault({ ...german, type }, rules({ phoneCountries, ...own }))

    expect(fault('mobile')).toBeNull()
    expect(fault('fixed_line_or_mobile')).toBeNull()
    expect(fault('fixed_line')).toContain('phone_types')
    expect(fault('fixed_line', { phoneTypes: ['fixed_line'] })).toBeNull()
    expect(fault('mobile', { phoneTypes: ['fixed_line'] })).toContain('phone_types')
    expect(fault('other')).toContain('phone_types')
  })
})

test('a policy takes lists of different words that exist, and names the field of a mistake', () => {
  const read = (input: object) => {
    const mistakes: FieldError[] = []
    const policy = readPolicy(defaultSettings, { current: {}, input, mistakes })
    return { policy, fields: mistakes.map(({ field }) => field) }
  }

  expect(read({ phoneCountries: ['DE', 'GB'], phoneTypes: ['voip'] })).toEqual({
    policy: { phoneCountries: ['DE', 'GB'], phoneTypes: ['voip'] },
    fields: [],
  })
  for (const wrong of [[], ['UK'], ['de'], ['DE', 'DE'], 'DE', [['DE']], [1], {}, ['DE', null]]) {
    expect(read({ phoneCountries: wrong }).fields).toEqual(['policy.phone_countries'])
  }
  expect(read({ phoneTypes: ['premium_rate'] }).fields).toEqual(['policy.phone_types'])
  expect(read({ phonePrefixPerHour: 31 }).fields).toEqual(['policy.phone_prefix_per_hour'])
  expect(read({ costPerDay: 5_000_000_000 })).toMatchObject({ fields: [] })
})

test('two spellings of one Argentine mobile number fold to one', () => {
  expect(foldPhone('+5491123456789')).toBe(foldPhone('+541123456789'))
  expect(foldPhone('+4917012345678')).toBe('+4917012345678')
})

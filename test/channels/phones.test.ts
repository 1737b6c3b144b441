import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  getExampleNumber,
} from 'libphonenumber-js/max'
import examples from 'libphonenumber-js/mobile/examples'
import { createPhones } from '../../src/channels/phones.ts'
import { countries } from '../../src/domain/verification/countries.ts'
import { maskPhone, prefixOf } from '../../src/domain/verification/phone.ts'

const { read } = createPhones()

describe('a telephone number', () => {
  test('is read as E.164 with its country and type, however it is written', () => {
    const written = [
      '+4917012345678',
      '+49 170 12345678',
      '+49-170-1234.5678',
      '+49(0)170 12345678',
    ]
    for (const text of written) {
      expect(read(text)).toEqual({ e164: '+4917012345678', country: 'DE', type: 'mobile' })
    }
    expect(read('+1 202 555 0143')).toMatchObject({ country: 'US', type: 'fixed_line_or_mobile' })
    expect(read('+49 30 901820')).toMatchObject({ country: 'DE', type: 'fixed_line' })
  })

  test('of a range that charges the other side is known as one that nobody may allow', () => {
    for (const text of ['+1 900 234 5678', '+49 900 1 234567', '+44 9012345678', '+80012345678']) {
      expect([text, read(text)?.type]).toEqual([text, 'other'])
    }
    expect(read('+80012345678')?.country).toBeNull()
  })

  test('with an extension, without country code, of another length or with more text is refused', () => {
    const refused = [
      '+4917012345678 ext 5',
      '+4917012345678;ext=5',
      '+4917012345678x5',
      '+4917012345678#5',
      '+4917012345678,5',
      '017012345678',
      '004917012345678',
      '4917012345678',
      'tel:+4917012345678',
      'call +4917012345678',
      '+4917012345678, +4917012345679',
      '+4917012345678\n',
      ' +4917012345678',
      '++4917012345678',
      '+٤٩١٧٠١٢٣٤٥٦٧٨',
      '+４９17012345678',
      // The library takes 16 digits for a German number.
      '+4917012345678901',
      '+49170',
      '+999123456789',
      '+1 555 555 5555',
      '+',
      '',
      '+'.repeat(100_000),
      `+49${' '.repeat(100_000)}17012345678`,
    ]
    for (const text of refused)
      expect([text.slice(0, 30), read(text)]).toEqual([text.slice(0, 30), null])
  })

  test('is one number or none, whatever the text, and read again it is the same', () => {
    const digits = fc.stringMatching(/^\+[0-9 ().-]{6,20}$/)
    fc.assert(
      fc.property(fc.oneof(digits, fc.string({ unit: 'binary' })), (text) => {
        const found = read(text)
        if (found === null) return
        expect(found.e164).toMatch(/^\+[1-9]\d{6,14}$/)
        expect(text.replace(/\D/g, '')).toContain(found.e164.slice(-4))
        expect(read(found.e164)).toEqual(found)
      }),
      { numRuns: 3000 },
    )
  })
})

test('every country of the numbering plans may be allowed, and no other word', () => {
  expect([...countries]).toEqual([...getCountries()].sort())
})

test('a masked number shows its calling code and two digits, in every country', () => {
  for (const country of countries as CountryCode[]) {
    const example = getExampleNumber(country, examples)
    if (!example) throw new Error(`no example for ${country}`)
    const code = getCountryCallingCode(country)
    const masked = `+${code} *** **** ${example.number.slice(-2)}`
    expect([country, maskPhone(example.number)]).toEqual([country, masked])
    expect(read(example.number)?.e164).toBe(example.number)
  }
})

test('a prefix leaves four digits open', () => {
  expect(prefixOf('+4917012345678')).toBe('+491701234')
})

import { describe, expect, test } from 'bun:test'
import { languages } from '../../src/domain/language.ts'
import { chooseLanguage, createComparable } from '../../src/messages/languages.ts'

const chosen = (...wanted: (string | null)[]) => chooseLanguage(languages, wanted)

describe('the language', () => {
  test.each([
    ['de-AT', 'de'],
    ['zh', 'zh-Hans'],
    ['zh-HK', 'zh-Hant'],
    ['zh-Hant-MO', 'zh-Hant'],
    ['pt', 'pt-BR'],
    ['pt-AO', 'pt-PT'],
    ['no', 'nb'],
    ['nn-NO', 'nb'],
    ['he', 'he'],
    ['es-419', 'es'],
    ['en-GB-u-nu-arab', 'en'],
    ['ca', 'es'],
  ])('for %s is %s', (wanted, language) => {
    expect(chosen(wanted)).toBe(language as 'de')
  })

  test('is the first wanted one that has any, else none', () => {
    expect(chosen('lt', null, 'fi')).toBe('fi')
    expect(chosen('sv', 'fi')).toBe('sv')
    expect(chosen('lt')).toBeNull()
    expect(chosen('abcdefgh', 'und')).toBeNull()
    expect(chosen()).toBeNull()
  })

  test('is one of those that are available', () => {
    expect(chooseLanguage(['de', 'de-AT'], ['de-AT'])).toBe('de-AT')
    expect(chooseLanguage(['de', 'de-AT'], ['de-CH'])).toBe('de')
    expect(chooseLanguage(['fr'], ['de'])).toBeNull()
  })
})

test('after many different tags only languages and scripts are compared, so memory is bounded', () => {
  const comparable = createComparable(100)
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
  const regions = letters.flatMap((first) => letters.map((second) => first + second))
  const tags = ['zh', 'pt'].flatMap((language) =>
    regions.flatMap((region) => [`${language}-${region}`, `${language}-Q${region.toLowerCase()}a`]),
  )
  const compared = new Set(tags.map(comparable))

  expect(compared.size).toBeLessThan(110)
  expect(comparable('de-AT-x-home')).toBe('de-Latn')
  expect(['zh-HK', 'zh-Abcd-HK', 'zh-SG'].map(comparable)).toEqual([
    'zh-Hant',
    'zh-Hant',
    'zh-Hans',
  ])
  expect(comparable(tags[0] ?? '')).toBe('zh-AA')
})

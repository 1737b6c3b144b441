import { describe, expect, test } from 'bun:test'
import { languages } from '../../src/domain/language.ts'
import { acceptedLanguages, type PageWords, pageWords } from '../../src/messages/page-words.ts'

/** What each sentence must mention, and nothing else. */
const expected: Partial<Record<keyof PageWords, string>> = {
  sent: 'to',
  length: 'n',
  wrong: 'n',
  resendIn: 'time',
  other: 'channel',
  wait: 'time',
}

describe.each(languages.map((language) => [language] as const))('in %s', (language) => {
  const words = Object.entries(pageWords[language]) as [keyof PageWords, string][]

  test('every sentence of the pages says something, and mentions what it is about', () => {
    for (const [place, text] of words) {
      const found = [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      expect([place, found]).toEqual([place, expected[place] ? [expected[place]] : []])
      expect(text.trim().length).toBeGreaterThan(0)
      expect(text).not.toMatch(/[<>&"]/)
    }
  })

  test('no sentence was left in English, and no two say the same', () => {
    if (language === 'en') return
    const same = words.filter(([place, text]) => text === pageWords.en[place])
    // Words that a language shares with English.
    expect(
      same.map(([place]) => place).filter((place) => !['label', 'email'].includes(place)),
    ).toEqual([])
    const long = words.map(([, text]) => text).filter((text) => text.length > 12)
    expect(new Set(long).size).toBe(long.length)
  })
})

test('the languages of a browser are read in its order, and what is none is left out', () => {
  expect(acceptedLanguages('de-AT,de;q=0.9, en;q=0.8, *;q=0.1')).toEqual(['de-AT', 'de', 'en'])
  expect(acceptedLanguages('zh-hant-hk, x_y, <script>, en-12')).toEqual(['zh-Hant-HK'])
  expect(acceptedLanguages(null)).toEqual([])
  expect(acceptedLanguages(Array(1000).fill('de').join(',')).length).toBeLessThanOrEqual(10)
})

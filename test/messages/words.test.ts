import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { lifeLeft } from '../../src/domain/delivery/life.ts'
import { type Language, languages } from '../../src/domain/language.ts'
import { builtIn } from '../../src/messages/languages.ts'
import { lifeIn, pluralOf, renderMessage } from '../../src/messages/render.ts'
import type { Words } from '../../src/messages/words.ts'
import { appWith, handoverOf, messageOf } from '../channels/mail-fixtures.ts'

const dayMs = 86_400_000

/** Every sentence of a language, by its place. */
function sentences(words: Words): [string, string][] {
  return Object.entries(words).flatMap(([place, value]) =>
    typeof value === 'string'
      ? [[place, value] as [string, string]]
      : Object.entries(value).map(([form, text]): [string, string] => [`${place}.${form}`, text]),
  )
}

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)

/** What each sentence must mention, and may not beside it. */
const expected: Record<string, string[]> = {
  'subject.named': ['code', 'name'],
  'subject.plain': ['code'],
  'title.named': ['name'],
  'first.named': ['code', 'name'],
  'first.plain': ['code'],
  'heading.named': ['name'],
  valid: ['life'],
  reference: ['reference'],
  'never.named': ['name'],
}

describe.each(languages.map((language) => [language] as const))('in %s', (language) => {
  const words = builtIn[language]

  test('every sentence mentions what it is about, once', () => {
    for (const [place, text] of sentences(words)) {
      if (/^(minutes|hours)\./.test(place)) continue
      expect([place, placeholders(text).sort()]).toEqual([place, (expected[place] ?? []).sort()])
    }
  })

  test('the code begins the subject and the first line, and no word sticks to it', () => {
    const { subject, first } = words
    for (const text of [subject.named, subject.plain, first.named, first.plain]) {
      expect(text).toMatch(/^\{code\} /)
    }
  })

  test('a value follows a space, so that no encoding of the line breaks it', () => {
    for (const [, text] of sentences(words)) {
      expect(text).not.toMatch(/\S\{(n|reference|life)\}|[^\x20-\x7e]\{code\}/)
    }
  })

  test('there is a form for every number of minutes and hours, and none that is not used', () => {
    const ofNumbers = (from: number, to: number) =>
      new Set(Array.from({ length: to - from + 1 }, (_, n) => pluralOf(language, n + from)))
    for (const [plural, used] of [
      [words.minutes, ofNumbers(1, 119)],
      [words.hours, ofNumbers(2, 24)],
    ] as const) {
      const forms = Object.keys(plural).sort()
      // One form for all, or one for each category that occurs.
      if (forms.length > 1) expect(forms).toEqual([...used.add('other')].sort())
    }
  })

  test('the life is said in digits, or in words that are for one number only', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: dayMs }), (leftMs) => {
        const life = lifeLeft(leftMs, 0)
        const said = lifeIn(language, life)
        const numbers = said.match(/\d+/g)
        if (life.count === 0) expect(said).toBe(words.underOneMinute)
        else if (numbers) expect(numbers).toEqual([String(life.count)])
        else expect(onlyFor(language, said)).toEqual([life.count])
        expect(said).not.toMatch(/[{}]/)
      }),
    )
  })

  test('the message says its life once in the text and once in HTML', () => {
    const handover = handoverOf(appWith(), { locale: language })
    const { text, html } = renderMessage(messageOf(handover, 9 * 60_000))
    const said = lifeIn(language, lifeLeft(9 * 60_000, 0))

    expect(text.split(said)).toHaveLength(2)
    expect(html.split(said)).toHaveLength(2)
  })

  test('the HTML has the language and its direction', () => {
    const { html } = renderMessage(messageOf(handoverOf(appWith(), { locale: language })))
    const direction = new Intl.Locale(language).getTextInfo().direction

    expect(html.split(`lang="${language}" dir="${direction}"`)).toHaveLength(3)
  })
})

/** The counts of minutes or hours that a language says with these words. */
function onlyFor(language: Language, said: string): number[] {
  const counts = Array.from({ length: 119 }, (_, n) => n + 1)
  return counts.filter((count) =>
    (['minutes', 'hours'] as const).some(
      (unit) => lifeIn(language, { unit, count, digits: String(count) }) === said,
    ),
  )
}

describe('the life that is left', () => {
  test('is never more than there is, and less than one unit below it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: dayMs }), (leftMs) => {
        const { unit, count } = lifeLeft(1_000 + leftMs, 1_000)
        const unitMs = unit === 'minutes' ? 60_000 : 3_600_000

        expect(count * unitMs).toBeLessThanOrEqual(leftMs)
        expect((count + 1) * unitMs).toBeGreaterThan(leftMs)
      }),
    )
  })

  test('is in hours from two hours on, and less than a minute at the end and after it', () => {
    expect(lifeLeft(7_199_999, 0)).toEqual({ unit: 'minutes', count: 119, digits: '119' })
    expect(lifeLeft(7_200_000, 0)).toEqual({ unit: 'hours', count: 2, digits: '2' })
    expect(lifeLeft(59_999, 0).count).toBe(0)
    expect(lifeLeft(0, 5_000).count).toBe(0)
  })

  test.each([
    ['en', 1, '1 minute'],
    ['en', 21, '21 minutes'],
    ['ru', 1, '1 минуту'],
    ['ru', 3, '3 минуты'],
    ['ru', 11, '11 минут'],
    ['ru', 21, '21 минуту'],
    ['uk', 22, '22 хвилини'],
    ['pl', 2, '2 minuty'],
    ['pl', 12, '12 minut'],
    ['pl', 21, '21 minut'],
    ['cs', 4, '4 minuty'],
    ['cs', 5, '5 minut'],
    ['ar', 2, 'دقيقتين'],
    ['ar', 9, '9 دقائق'],
    ['ar', 11, '11 دقيقة'],
    ['he', 2, 'שתי דקות'],
    ['ja', 9, '9 分'],
  ] as const)('has the plural of its language: %s, %d', (language, count, said) => {
    expect(lifeIn(language, lifeLeft(count * 60_000, 0))).toBe(said)
  })
})

import { invalidField } from './problem.ts'

/** The languages of the built-in messages, as BCP 47 tags. */
export const languages = [
  'en',
  'de',
  'fr',
  'es',
  'it',
  'pt-BR',
  'pt-PT',
  'nl',
  'pl',
  'cs',
  'sv',
  'da',
  'nb',
  'fi',
  'el',
  'tr',
  'ru',
  'uk',
  'ar',
  'he',
  'hi',
  'ja',
  'ko',
  'zh-Hans',
  'zh-Hant',
  'th',
  'vi',
  'id',
] as const

export type Language = (typeof languages)[number]

/** The form of a BCP 47 tag; `readLocale` checks the rest. */
export const localePattern = '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$'
export const localeMust = 'must be a language tag like de-AT'

/** Reads a BCP 47 tag in its canonical form: `zh-hant-hk` is `zh-Hant-HK`, `iw` is `he`. */
export function readLocale(text: string): string {
  try {
    const [tag] = Intl.getCanonicalLocales(text)
    if (tag !== undefined) return tag
  } catch {
    // Not a tag: a variant twice, or a subtag that has no form of its own.
  }
  throw invalidField('locale', localeMust)
}

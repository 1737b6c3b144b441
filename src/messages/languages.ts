import { match } from '@formatjs/intl-localematcher'
import type { App } from '../domain/app/app.ts'
import { type Language, languages } from '../domain/language.ts'
import type { TemplateRef } from '../domain/template/template.ts'
import { arabic } from './locales/ar.ts'
import { czech } from './locales/cs.ts'
import { danish } from './locales/da.ts'
import { german } from './locales/de.ts'
import { greek } from './locales/el.ts'
import { english } from './locales/en.ts'
import { spanish } from './locales/es.ts'
import { finnish } from './locales/fi.ts'
import { french } from './locales/fr.ts'
import { hebrew } from './locales/he.ts'
import { hindi } from './locales/hi.ts'
import { indonesian } from './locales/id.ts'
import { italian } from './locales/it.ts'
import { japanese } from './locales/ja.ts'
import { korean } from './locales/ko.ts'
import { norwegian } from './locales/nb.ts'
import { dutch } from './locales/nl.ts'
import { polish } from './locales/pl.ts'
import { brazilianPortuguese } from './locales/pt-BR.ts'
import { europeanPortuguese } from './locales/pt-PT.ts'
import { russian } from './locales/ru.ts'
import { swedish } from './locales/sv.ts'
import { thai } from './locales/th.ts'
import { turkish } from './locales/tr.ts'
import { ukrainian } from './locales/uk.ts'
import { vietnamese } from './locales/vi.ts'
import { simplifiedChinese } from './locales/zh-Hans.ts'
import { traditionalChinese } from './locales/zh-Hant.ts'
import type { Words } from './words.ts'

/** The built-in messages. */
export const builtIn: Record<Language, Words> = {
  en: english,
  de: german,
  fr: french,
  es: spanish,
  it: italian,
  'pt-BR': brazilianPortuguese,
  'pt-PT': europeanPortuguese,
  nl: dutch,
  pl: polish,
  cs: czech,
  sv: swedish,
  da: danish,
  nb: norwegian,
  fi: finnish,
  el: greek,
  tr: turkish,
  ru: russian,
  uk: ukrainian,
  ar: arabic,
  he: hebrew,
  hi: hindi,
  ja: japanese,
  ko: korean,
  'zh-Hans': simplifiedChinese,
  'zh-Hant': traditionalChinese,
  th: thai,
  vi: vietnamese,
  id: indonesian,
}

const fallback: Language = 'en'

/** The language of a built-in message: the person's, else the app's, else English. */
export function languageOf(locale: string | null, appLanguage: Language | undefined): Language {
  return chooseLanguage(languages, [locale, appLanguage]) ?? fallback
}

/** A message's language, and the template in force for it, if there is one. */
export type Choice = { language: string; template: TemplateRef | null }

/** As `languageOf`, where the languages of the app's templates are available too. */
export function chooseMessage(
  { policy, templates }: Pick<App, 'policy' | 'templates'>,
  locale: string | null,
): Choice {
  if (templates.length === 0) {
    return { language: languageOf(locale, policy.language), template: null }
  }
  const available = [...new Set([...templates.map((ref) => ref.locale), ...languages])]
  const language = chooseLanguage(available, [locale, policy.language]) ?? fallback
  return { language, template: templates.find((ref) => ref.locale === language) ?? null }
}

/**
 * The available language that fits the first wanted one that has any, by the distances of CLDR: for
 * `zh-HK` it is `zh-Hant`, for `pt-AO` `pt-PT`. Null if none fits. Answers are kept with the list,
 * so give the same list every time.
 */
export function chooseLanguage<Tag extends string>(
  available: readonly Tag[],
  wanted: readonly (string | null | undefined)[],
): Tag | null {
  for (const tag of wanted) {
    const language = tag == null ? null : closest(available, tag)
    if (language !== null) return language
  }
  return null
}

const answers = new WeakMap<readonly string[], Map<string, string | null>>()
const answersMax = 1_000

function closest<Tag extends string>(available: readonly Tag[], wanted: string): Tag | null {
  const known = answers.get(available) ?? new Map<string, string | null>()
  const before = known.get(wanted)
  if (before !== undefined) return before as Tag | null
  const language =
    available.find((tag) => tag === wanted) ?? match([comparable(wanted)], available, none)
  if (known.size >= answersMax) known.clear()
  known.set(wanted, language === none ? null : language)
  answers.set(available, known)
  return language === none ? null : (language as Tag)
}

const none = 'und'

/**
 * Makes a function that drops extensions and variants of a tag. Once it has returned `max` different
 * tags it also drops what was not derived from language and region: the matcher keeps every tag
 * that it was ever asked about, so its memory is bounded by this.
 */
export function createComparable(max: number): (tag: string) => string {
  const given = new Set<string>()
  return (tag) => {
    const { language, script, region } = new Intl.Locale(tag)
    if (language.length > 3) return none
    const whole = [language, script, region].filter((part) => part !== undefined).join('-')
    if (given.has(whole)) return whole
    if (given.size < max) {
      given.add(whole)
      return whole
    }
    const likely = new Intl.Locale(`${language}${region ? `-${region}` : ''}`).maximize()
    return [language, likely.script].filter((part) => part !== undefined).join('-')
  }
}

const comparable = createComparable(5_000)

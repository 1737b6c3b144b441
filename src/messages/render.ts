import type { App } from '../domain/app/app.ts'
import type { Handover } from '../domain/delivery/delivery.ts'
import type { Life } from '../domain/delivery/life.ts'
import type { Language } from '../domain/language.ts'
import { escapeHtml, hypertext } from './html.ts'
import { builtIn, languageOf } from './languages.ts'
import { type ByName, fillIn, type Words } from './words.ts'

/** Everything that the text of a message depends on. */
export type MessageSource = Pick<Handover, 'code' | 'reference' | 'locale'> & {
  app: Pick<App, 'name' | 'policy'>
  /** The life that is left when the message is handed over. */
  life: Life
}

/** A rendered message for any channel; e-mail uses all of it. */
export type Message = {
  language: Language
  subject: string
  text: string
  html: string
  /** For the OTP-Token header (draft-goto-otp-token); null unless the app has an origin. */
  otpToken: { code: string; origin: string } | null
}

/**
 * Renders the built-in message in the language that fits best. An app without a name is not
 * mentioned.
 */
export function renderMessage(source: MessageSource): Message {
  const { app, code, locale, reference, life } = source
  const { name, policy } = app
  const language = languageOf(locale, policy.language)
  const words = builtIn[language]
  const direction = words.direction ?? 'ltr'
  const title = fillName(words.title, name)
  const shown = {
    valid: fillIn(words.valid, { life: lifeIn(language, life) }),
    reference: fillIn(words.reference, { reference }),
    ignore: words.ignore,
  }
  const origin = policy.origin === undefined ? null : URL.parse(policy.origin)
  const withCode = (sentence: ByName, shownName: string | null) =>
    fillName(sentence, shownName, { code })
  return {
    language,
    subject: policy.codeInSubject === false ? title : withCode(words.subject, name),
    text: plainText(words, shown, { code, name: name && isolated(name, direction), origin }),
    html: hypertext({
      ...{ language, direction, title, code, ...shown },
      heading: { html: fillHtml(words.heading, name) },
      never: { html: fillHtml(words.never, name) },
    }),
    otpToken: origin ? { code, origin: origin.origin } : null,
  }
}

/** `9 minutes` in a language, with the plural of that language. */
export function lifeIn(language: Language, life: Life): string {
  const words = builtIn[language]
  if (life.count === 0) return words.underOneMinute
  const plural = words[life.unit]
  return fillIn(plural[pluralOf(language, life.count)] ?? plural.other, { n: life.digits })
}

/** The plural category of a whole number (CLDR), such as `few`. */
export function pluralOf(language: Language, count: number): Intl.LDMLPluralRule {
  let rules = plurals.get(language)
  if (!rules) {
    rules = new Intl.PluralRules(language)
    plurals.set(language, rules)
  }
  return rules.select(count)
}

const plurals = new Map<Language, Intl.PluralRules>()

type Shown = { valid: string; reference: string; ignore: string }
type Particulars = { code: string; name: string | null; origin: URL | null }

function plainText(words: Words, shown: Shown, { code, name, origin }: Particulars): string {
  const lines = [
    fillName(words.first, name, { code }),
    '',
    shown.valid,
    shown.reference,
    '',
    fillName(words.never, name),
    shown.ignore,
  ]
  // https://wicg.github.io/sms-one-time-codes/
  if (origin) lines.push('', `@${origin.hostname} #${code}`)
  return lines.join('\n')
}

function fillName(
  { named, plain }: ByName,
  name: string | null,
  values: Record<string, string> = {},
): string {
  return name === null ? fillIn(plain, values) : fillIn(named, { ...values, name })
}

/** Escapes a sentence and isolates the name in it from the direction of the text around. */
function fillHtml({ named, plain }: ByName, name: string | null): string {
  if (name === null) return escapeHtml(plain)
  return fillIn(escapeHtml(named), { name: `<bdi>${escapeHtml(name)}</bdi>` })
}

/**
 * A name between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (UAX #9), where plain text would
 * show it wrong: it has letters of the other direction, and an edge or a letter that would follow
 * the text around it.
 */
export function isolated(name: string, direction: 'ltr' | 'rtl'): string {
  const hasRight = rightToLeft.test(name)
  const hasLeft = leftToRight.test(name)
  const hasOther = direction === 'ltr' ? hasRight : hasLeft
  const isOneRun = /^\p{L}/u.test(name) && /[\p{L}\p{M}]$/u.test(name)
  return hasOther && !(isOneRun && hasLeft !== hasRight) ? `\u2068${name}\u2069` : name
}

const rightToLeft =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u
const leftToRight =
  /(?![\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}])\p{L}/u

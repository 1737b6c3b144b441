import type { App } from '../domain/app/app.ts'
import type { Handover } from '../domain/delivery/delivery.ts'
import type { Life } from '../domain/delivery/life.ts'
import type { Language } from '../domain/language.ts'
import type { Template } from '../domain/template/template.ts'
import { renderTemplate } from './edited.ts'
import { escapeHtml, hypertext } from './html.ts'
import { builtIn, languageOf } from './languages.ts'
import { type Links, type ShownLink, shownLinks, urlsOf } from './links.ts'
import { type ByName, fillIn, type Words } from './words.ts'

/** Everything that the text of a message depends on. */
export type MessageSource = Pick<Handover, 'code' | 'reference' | 'locale' | 'variables'> & {
  app: Pick<App, 'name' | 'policy' | 'brand'>
  /** The life that is left when the message is handed over. */
  life: Life
  /** Links to pages of this server. */
  links?: Links | null
  /** The template in force for the language; the built-in words without one. */
  template?: { locale: string; content: Template } | null
}

/** A rendered message for any channel; e-mail uses all of it. */
export type Message = {
  /** A BCP 47 tag. */
  language: string
  subject: string
  text: string
  /** With `cid:logo` where the logo is to be. */
  html: string
  /** For the OTP-Token header (draft-goto-otp-token); null unless the app has an origin. */
  otpToken: { code: string; origin: string } | null
}

/** Renders the template, or else the built-in message in the language that fits best. */
export function renderMessage(source: MessageSource): Message {
  const { app, code, template } = source
  const origin = app.policy.origin === undefined ? null : URL.parse(app.policy.origin)
  const { text, ...message } = template
    ? edited(source, template)
    : builtInMessage(source, languageOf(source.locale, app.policy.language))
  return {
    ...message,
    // https://wicg.github.io/sms-one-time-codes/
    text: origin ? `${text}\n\n@${origin.hostname} #${code}` : text,
    otpToken: origin ? { code, origin: origin.origin } : null,
  }
}

type Parts = Omit<Message, 'otpToken'>

/** The words of a template's language, or of the one that the app uses. */
export function wordsFor({
  template,
  locale,
  app,
}: Pick<MessageSource, 'locale' | 'template'> & {
  app: Pick<App, 'policy'>
}): Language {
  return languageOf(template ? template.locale : locale, app.policy.language)
}

function edited(source: MessageSource, template: NonNullable<MessageSource['template']>): Parts {
  const { app, code, reference, life, variables } = source
  const language = wordsFor(source)
  const words = builtIn[language]
  const particulars = {
    ...{ code, reference, life, variables },
    valid: fillIn(words.valid, { life: lifeIn(language, life) }),
    app: app.name,
    support: app.brand?.support ?? null,
    hasLogo: app.brand?.logo != null,
    links: urlsOf(source),
  }
  const withCode = app.policy.codeInSubject !== false
  const { subject, ...parts } = renderTemplate(template.content, particulars, withCode)
  const safeSubject = subject ?? fillName(words.title, app.name)
  return { language: template.locale, subject: safeSubject, ...parts }
}

/** An app without a name is not mentioned. */
function builtInMessage(source: MessageSource, language: Language): Parts {
  const { app, code, reference, life } = source
  const { name, policy, brand } = app
  const words = builtIn[language]
  const direction = words.direction ?? 'ltr'
  const title = fillName(words.title, name)
  const links = shownLinks(urlsOf(source), language)
  const shown = {
    links,
    valid: fillIn(words.valid, { life: lifeIn(language, life) }),
    reference: fillIn(words.reference, { reference }),
    ignore: words.ignore,
    support: brand?.support ?? null,
  }
  return {
    language,
    subject: policy.codeInSubject === false ? title : fillName(words.subject, name, { code }),
    text: plainText(words, shown, { code, name: name && isolated(name, direction) }),
    html: hypertext({
      ...{ language, direction, title, code, name, ...shown },
      ...{ color: brand?.color ?? null, logo: brand?.logo ?? null },
      heading: { html: fillHtml(words.heading, name) },
      never: { html: fillHtml(words.never, name) },
    }),
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

type Shown = {
  links: ShownLink[]
  valid: string
  reference: string
  ignore: string
  support: string | null
}

function plainText(
  words: Words,
  shown: Shown,
  { code, name }: { code: string; name: string | null },
): string {
  const lines = [
    fillName(words.first, name, { code }),
    '',
    shown.valid,
    shown.reference,
    '',
    fillName(words.never, name),
    shown.ignore,
  ]
  for (const { label, url } of shown.links) lines.push('', label, url)
  if (shown.support !== null) lines.push('', shown.support)
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

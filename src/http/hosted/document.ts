import type { App } from '../../domain/app/app.ts'
import { type Language, languages } from '../../domain/language.ts'
import type { Problem } from '../../domain/problem.ts'
import { readableOn, readColor, toHex } from '../../domain/template/color.ts'
import { escapeHtml } from '../../messages/html.ts'
import { builtIn, chooseLanguage } from '../../messages/languages.ts'
import { acceptedLanguages, type PageWords, pageWords } from '../../messages/page-words.ts'
import { fillIn } from '../../messages/words.ts'
import type { Reply } from '../core/api.ts'
import { pathOf } from '../core/not-found.ts'
import { isFramed } from './cookie.ts'

/** A piece of HTML in which every value is escaped. */
export type Markup = { html: string }

/** What all pages have, besides their own content. */
export type Shell = {
  language: Language
  title: string
  main: Markup
  request: Request
  /** Null for a page of no app. */
  app: Pick<App, 'name' | 'brand'> | null
  logo?: { type: string; base64: string } | null
  /** Where a form may lead, besides this server. */
  formTo?: string | null
  /** The origins whose pages may show it in a frame. */
  embedIn?: readonly string[]
  /** For the page around it: which verification has ended, and the token of its result. */
  ended?: { id: string; result: string }
  status?: number
  headers?: Record<string, string>
}

/** Builds HTML from a template; values that are not markup are escaped, lists are joined. */
export function html(parts: TemplateStringsArray, ...values: Value[]): Markup {
  const shown = parts.map(
    (part, index) => part + (index < values.length ? show(values[index]) : ''),
  )
  return { html: shown.join('') }
}

type Value = Markup | string | number | null | undefined | false | Markup[]

function show(value: Value): string {
  if (value === null || value === undefined || value === false) return ''
  if (Array.isArray(value)) return value.map((each) => each.html).join('\n')
  return typeof value === 'object' ? value.html : escapeHtml(String(value))
}

/** A sentence with a value in it, which keeps its own direction. */
export function sentence(words: string, values: Record<string, string>): Markup {
  const shown = Object.entries(values).map(([name, value]) => [
    name,
    html`<bdi>${value}</bdi>`.html,
  ])
  return { html: fillIn(escapeHtml(words), Object.fromEntries(shown)) }
}

/** The language of the person: as the app said, else the browser's, else the app's. */
export function languageFor(
  request: Request,
  { locale = null, own }: { locale?: string | null; own?: Language | undefined } = {},
): Language {
  const accepted = acceptedLanguages(request.headers.get('accept-language'))
  return chooseLanguage(languages, [locale, ...accepted, own]) ?? 'en'
}

/** A whole page: it loads its style and its script from here, and leads nowhere else. */
export function document(shell: Shell): Reply {
  const { request, language, title, main, app, logo, embedIn = [], ended, status = 200 } = shell
  const brand = app?.brand?.color ? readColor(app.brand.color) : null
  // Named after the content, so that a policy allows this style and no other one.
  const style = brand && `:root{--brand:${toHex(brand)};--on-brand:${toHex(readableOn(brand))}}`
  const direction = builtIn[language].direction ?? 'ltr'
  const name = app?.name ?? null
  const page = html`<!doctype html>
<html lang="${language}" dir="${direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${name === null ? title : `${title} · ${name}`}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${rootOf(request)}page.css">
${style && { html: `<style>${style}</style>` }}
<script src="${rootOf(request)}page.js" defer></script>
</head>
<body${isFramed(request) && html` class="framed"`}${embedIn.length > 0 && html` data-origins="${embedIn.join(' ')}"`}${
    ended && html` data-id="${ended.id}" data-result="${ended.result}"`
  }>
<main>
${logo ? html`<img class="logo" src="data:${logo.type};base64,${logo.base64}" alt="${name ?? ''}">` : null}
${!logo && name !== null ? html`<p class="name"><bdi>${name}</bdi></p>` : null}
${main}
</main>
</body>
</html>
`
  const headers = {
    'content-security-policy': policy(style, shell.formTo ?? null, embedIn),
    ...(embedIn.length > 0 && { 'cross-origin-resource-policy': 'cross-origin' }),
    ...shell.headers,
  }
  return { status, type: 'text/html; charset=utf-8', body: page.html, headers }
}

/** Browsers apply `form-action` to where a form's answer leads, too. */
function policy(style: string | null, formTo: string | null, embedIn: readonly string[]): string {
  const origin = formTo === null ? '' : ` ${URL.parse(formTo)?.origin ?? ''}`
  const hash = style === null ? '' : ` 'sha256-${sha256(style)}'`
  return (
    `default-src 'none'; script-src 'self'; style-src 'self'${hash}; img-src data:; connect-src 'self'; ` +
    `form-action 'self'${origin}; base-uri 'none'; frame-ancestors ${embedIn.join(' ') || "'none'"}`
  )
}

function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('base64')
}

/** The way from a page to `/verify/`, which a proxy may serve below a path of its own. */
function rootOf({ url }: Request): string {
  const depth = pathOf(url).split('/').length - 3
  return depth < 0 ? 'verify/' : depth === 0 ? './' : '../'.repeat(depth)
}

/** A page of no app that says one thing. */
export function notice(
  request: Request,
  say: (words: PageWords, language: Language) => { text: Markup; title?: string; more?: Markup },
  { status = 200, headers }: Pick<Shell, 'status' | 'headers'> = {},
): Reply {
  const language = languageFor(request)
  const words = pageWords[language]
  const { text, title = words.title, more } = say(words, language)
  const main = html`<h1>${title}</h1>
<p id="says" tabindex="-1">${text}</p>
${more}`
  return document({
    request,
    language,
    title,
    main,
    app: null,
    status,
    ...(headers && { headers }),
  })
}

/** The page of a refusal that no other page shows. */
export function problemPage(request: Request, problem: Problem): Reply {
  const seconds = problem.code === 'rate_limited' ? problem.extra.retryAfterSeconds : undefined
  return notice(request, (words, language) => {
    if (problem.code === 'not_found') return { text: html`${words.unknown}` }
    if (seconds === undefined) return { text: html`${words.failed}` }
    return { text: sentence(words.wait, { time: timeIn(language, seconds) }) }
  })
}

/** `30 sec` or `5 min` in a language. */
export function timeIn(language: Language, seconds: number): string {
  const isLong = seconds > 120
  const unit = isLong ? 'minute' : 'second'
  const count = isLong ? Math.ceil(seconds / 60) : seconds
  const format = { style: 'unit', unit, unitDisplay: 'short' } as const
  return new Intl.NumberFormat(language, format).format(count)
}

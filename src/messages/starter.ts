import type { App } from '../domain/app/app.ts'
import type { Template } from '../domain/template/template.ts'
import { escapeHtml } from './html.ts'
import { builtIn, languageOf } from './languages.ts'
import { type Links, type LinkUrls, urlsOf } from './links.ts'
import { lifeIn, renderMessage } from './render.ts'
import { fillIn } from './words.ts'

const life = { unit: 'minutes', count: 10, digits: '10' } as const

/**
 * The built-in message of a language as a template, to begin with. Without the brand, whose place an
 * admin will choose; the links are in sections, so that they show where the app wants them.
 */
export function starterTemplate({ policy }: Pick<App, 'policy'>, locale: string): Template {
  const { origin: _, ...rest } = policy
  const app = { name: '{{app}}', policy: rest, brand: null }
  const own = { code: '{{code}}', reference: '{{reference}}', locale, variables: null }
  const { subject, text, html } = renderMessage({ ...own, app, life, links })
  const language = languageOf(locale, policy.language)
  const valid = fillIn(builtIn[language].valid, { life: lifeIn(language, life) })
  return {
    subject,
    text: `${inSections(text.replace(valid, '{{valid}}'), textPlaces)}\n`,
    html: `${inSections(html.replace(escapeHtml(valid), '{{valid}}'), htmlPlaces)}\n`,
    variables: [],
  }
}

const base = 'https://otpmint.invalid'
const links: Links = { base, id: 'id', page: true, report: 'secret' }
const urls = urlsOf({ links, code: '{{code}}' })

type Places = Record<keyof LinkUrls, RegExp>

/** Where the built-in messages have their links. */
const textPlaces: Places = {
  page: /\n\n[^\n]+\nhttps:[^\n]+#{{code}}/,
  report: /\n\n[^\n]+\nhttps:[^\n]+\/secret/,
}
const htmlPlaces: Places = {
  page: /\n<p [^>]*>\n<a href="[^"]+#{{code}}"[^>]*>[^<]*<\/a><\/p>/,
  report: /<br>\n<a href="[^"]+\/secret"[^>]*>[^<]*<\/a>/,
}

/** Puts each link into a section of its name, with the words that belong to it. */
function inSections(message: string, places: Places): string {
  const within = (name: string, url: string | null) => (found: string) =>
    `{{#${name}}}${found.replace(url ?? '', `{{${name}}}`)}{{/${name}}}`
  return message
    .replace(places.page, within('page_link', urls.page))
    .replace(places.report, within('report_link', urls.report))
}

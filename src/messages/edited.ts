import type { Life } from '../domain/delivery/life.ts'
import { namesIn } from '../domain/template/check.ts'
import type { Template } from '../domain/template/template.ts'
import { renderTokens, type TemplateValues, type Token } from '../domain/template/token.ts'
import type { Variables } from '../domain/template/variables.ts'
import { escapeHtml } from './html.ts'
import type { LinkUrls } from './links.ts'
import { parseTemplate } from './mustache.ts'

/** What an edited message shows besides its own words. */
export type Particulars = {
  code: string
  valid: string
  life: Life
  reference: string
  app: string | null
  support: string | null
  hasLogo: boolean
  links: LinkUrls
  variables: Variables | null
}

type Parts = { subject: string | null; text: string; html: string }

/** Fills in a template; without `withCode` the subject is null where it would show the code. */
export function renderTemplate(template: Template, values: Particulars, withCode: boolean): Parts {
  const { subject, text, html } = parsed(template)
  const filled = valuesOf(values)
  return {
    subject: withCode || !namesIn(subject).includes('code') ? renderTokens(subject, filled) : null,
    text: renderTokens(text, filled).replace(/\n+$/, ''),
    html: renderTokens(html, filled, escapeHtml),
  }
}

function valuesOf({ life, app, support, hasLogo, links, variables, ...values }: Particulars) {
  const { code, valid, reference } = values
  const left = life.count === 0 ? '' : life.digits
  const filled: TemplateValues = {
    ...variables,
    ...{ code, valid, reference },
    minutes: life.unit === 'minutes' ? left : '',
    hours: life.unit === 'hours' ? left : '',
    app: app ?? '',
    support: support ?? '',
    logo: hasLogo ? 'logo' : '',
    page_link: links.page ?? '',
    report_link: links.report ?? '',
  }
  return filled
}

type Parsed = Record<'subject' | 'text' | 'html', Token[]>

/** Parsed templates, for as long as their texts are kept. */
const known = new WeakMap<Template, Parsed>()

function parsed(template: Template): Parsed {
  const before = known.get(template)
  if (before) return before
  const { subject, text, html } = template
  const tokens = { subject: tokensOf(subject), text: tokensOf(text), html: tokensOf(html) }
  known.set(template, tokens)
  return tokens
}

/** Templates are parsed before they are stored, so this cannot fail. */
function tokensOf(text: string): Token[] {
  const found = parseTemplate(text)
  if ('fault' in found) throw new Error('a stored template cannot be read')
  return found.tokens
}

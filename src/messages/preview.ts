import type { App } from '../domain/app/app.ts'
import { findApp } from '../domain/app/manage.ts'
import { readLocale } from '../domain/language.ts'
import type { Ports } from '../domain/ports.ts'
import { adviceOn } from '../domain/template/advice.ts'
import type { TemplateInput } from '../domain/template/check.ts'
import type { Template } from '../domain/template/template.ts'
import { checkedTemplate, findTemplate } from '../domain/template/templates.ts'
import { readVariables, type Variables } from '../domain/template/variables.ts'
import { chooseMessage } from './languages.ts'
import type { Links } from './links.ts'
import { type Message, renderMessage } from './render.ts'

export type PreviewRequest = {
  appId: string
  locale: string
  /** A template that is not stored; else the one in force, or a version of it. */
  input?: TemplateInput | undefined
  version?: number | undefined
  /** Values of variables; one that is absent is its name. */
  values?: Record<string, string> | undefined
}

export type Preview = Pick<Message, 'language' | 'subject' | 'text' | 'html'> & {
  /** What would make the template better; empty for the built-in words. */
  advice: string[]
}

type PreviewPorts = Pick<Ports, 'apps' | 'templates' | 'templating'>

/**
 * A message as a person would get it, with a code and links that belong to nothing. Throws `app_not_found`,
 * `template_not_found`, `invalid_request` with every mistake.
 */
export async function previewMessage(
  ports: PreviewPorts,
  { appId, values, ...request }: PreviewRequest,
): Promise<Preview> {
  const app = await findApp(ports, appId)
  const locale = readLocale(request.locale)
  const found = await templateFor(ports, app, { ...request, locale })
  const template = found && { locale: found.locale, content: found.content }
  const variables = found && sampleValues(found.content, values)
  const { otpToken: _, ...message } = renderMessage({
    ...{ ...sample, app, locale, variables, template },
    links: sampleLinks(app),
  })
  const html = await withLogo(ports, app, message.html)
  return { ...message, html, advice: found ? adviceOn(found.content, app.policy) : [] }
}

const sample = {
  code: '123456',
  reference: 'KF42',
  life: { unit: 'minutes', count: 10, digits: '10' },
} as const

function sampleLinks({ policy }: App): Links {
  const report = policy.reportLink ? 'report' : null
  return { base: 'https://otp.example.com', id: 'sample', page: policy.pageLink === true, report }
}

type Source = Pick<PreviewRequest, 'locale' | 'input' | 'version'>

/** Null for the built-in words. */
async function templateFor(
  ports: PreviewPorts,
  app: App,
  { locale, input, version }: Source,
): Promise<{ locale: string; content: Template } | null> {
  if (input) return { locale, content: checkedTemplate(ports, { locale, input }) }
  const place = { appId: app.id, locale }
  if (version !== undefined) {
    return { locale, content: (await findTemplate(ports, { ...place, version })).template }
  }
  const { template } = chooseMessage(app, locale)
  if (template === null) return null
  const stored = await findTemplate(ports, { ...place, locale: template.locale })
  return { locale: template.locale, content: stored.template }
}

function sampleValues(template: Template, values: PreviewRequest['values']): Variables {
  const named = template.variables.map((name) => [name, name.replaceAll('_', ' ').trim()])
  return { ...Object.fromEntries(named), ...readVariables(values, [template], 'values') }
}

/** Shows the logo in a browser, which has no attachments. */
async function withLogo(
  { templates }: Pick<Ports, 'templates'>,
  { id, brand }: App,
  html: string,
): Promise<string> {
  const logo = brand?.logo ? await templates.logo(id, brand.logo.id) : null
  if (!logo) return html
  const base64 = Buffer.from(logo.bytes).toString('base64')
  return html.replaceAll('cid:logo', `data:${logo.type};base64,${base64}`)
}

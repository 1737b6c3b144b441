import type { App } from '../domain/app/app.ts'
import type { Template } from '../domain/template/template.ts'
import { escapeHtml } from './html.ts'
import { builtIn, languageOf } from './languages.ts'
import { lifeIn, renderMessage } from './render.ts'
import { fillIn } from './words.ts'

const life = { unit: 'minutes', count: 10, digits: '10' } as const

/**
 * The built-in message of a language as a template, to begin with. Without the brand, whose place an
 * admin will choose.
 */
export function starterTemplate({ policy }: Pick<App, 'policy'>, locale: string): Template {
  const { origin: _, ...rest } = policy
  const app = { name: '{{app}}', policy: rest, brand: null }
  const own = { code: '{{code}}', reference: '{{reference}}', locale, variables: null }
  const { subject, text, html } = renderMessage({ ...own, app, life })
  const language = languageOf(locale, policy.language)
  const valid = fillIn(builtIn[language].valid, { life: lifeIn(language, life) })
  return {
    subject,
    text: `${text.replace(valid, '{{valid}}')}\n`,
    html: `${html.replace(escapeHtml(valid), '{{valid}}')}\n`,
    variables: [],
  }
}

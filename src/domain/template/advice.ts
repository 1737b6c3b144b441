import type { Policy } from '../app/policy.ts'
import { readMarkup } from './markup.ts'
import type { Template } from './template.ts'

/** The narrowest screen that a mail should fit, in pixels. */
const screenMin = 320

/**
 * What would make a template better, in sentences. Unlike the rules of `readTemplate` these are
 * hints: mail programs differ, and an admin may have a reason.
 */
export function adviceOn({ subject, text, html }: Template, policy: Policy): string[] {
  const uses = (part: string, name: string) => new RegExp(`\\{\\{\\s*${name}\\s*\\}\\}`).test(part)
  const lacks = (name: string) => !uses(text, name) || !uses(html, name)
  const saysLife = (part: string) => ['valid', 'minutes'].some((name) => uses(part, name))
  const markup = readMarkup(html)
  const advice: [boolean, string][] = [
    [!uses(subject, 'code'), 'The subject has no code; many people read it there.'],
    [!uses(firstLine(text), 'code'), 'The first line of the text has no code; phones look there.'],
    [!saysLife(text), 'The text does not say how long the code is valid: {{valid}}.'],
    [!saysLife(html), 'The HTML does not say how long the code is valid: {{valid}}.'],
    [!markup.has('lang'), 'The HTML names no language: lang="..." on its outer element.'],
    [!/name=["']?viewport/i.test(html), 'The HTML has no viewport: phones may show it small.'],
    [
      !/color-scheme/i.test(html),
      'The HTML does not say that it suits dark mode: a meta element named color-scheme.',
    ],
    [widest(html) > screenMin, `The HTML has a fixed width above ${screenMin} pixels.`],
    [policy.pageLink === true && lacks('page_link'), missingLink('page_link')],
    [policy.reportLink === true && lacks('report_link'), missingLink('report_link')],
    [/(^|[;"'\s])color\s*:/i.test(html) && !/background/i.test(html), halfColored],
  ]
  return advice.flatMap(([applies, says]) => (applies ? [says] : []))
}

const halfColored = 'The HTML sets colours of text without a background; dark mode may hide them.'

function missingLink(name: string): string {
  return `The app wants ${name}, and the text or the HTML has no {{${name}}}.`
}

function firstLine(text: string): string {
  return text.trimStart().split('\n')[0] ?? ''
}

/** The greatest width that is set and not a maximum, in pixels. */
function widest(html: string): number {
  const set = html.matchAll(/(?<!max-)\bwidth\s*[:=]\s*["']?\s*(\d{1,5})(?:px|["';\s>])/gi)
  return Math.max(0, ...[...set].map(([, pixels]) => Number(pixels)))
}

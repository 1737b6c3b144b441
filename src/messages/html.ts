import type { LogoRef } from '../domain/brand/brand.ts'
import type { Language } from '../domain/language.ts'
import { readableOn, readColor, toHex } from '../domain/template/color.ts'
import type { ShownLink } from './links.ts'

/** What the HTML of a message shows; all of it is text, except `code`, which is alphanumeric. */
export type HtmlSource = {
  language: Language
  direction: 'ltr' | 'rtl'
  title: string
  code: string
  heading: Html
  valid: string
  never: Html
  ignore: string
  reference: string
  name: string | null
  /** Of the app: behind the code, under the text, and above it. */
  color: string | null
  support: string | null
  logo: LogoRef | null
  links: ShownLink[]
}

/** Text in which `<`, `>`, `&` and quotes are escaped. */
export type Html = { html: string }

/**
 * The HTML of a message: light and dark, from 320 px, without remote content. Mail programs drop
 * the html element, so language and direction stand on the part that is read as well. Text that
 * differs between messages begins its line or follows a space, as in the plain text.
 */
export function hypertext(source: HtmlSource): string {
  const { language, direction, heading, never } = source
  // Korean has spaces between its words, but browsers would break a line anywhere.
  const wordBreak = language === 'ko' ? 'keep-all' : 'break-word'
  const reading = `lang="${language}" dir="${direction}"`
  return `<!doctype html>
<html ${reading}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escapeHtml(source.title)}</title>
<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
.page { background: #16181c !important; color: #f4f4f5 !important; }
.quiet { color: #c9ccd1 !important; }
}
</style>
</head>
<body class="page" style="margin: 0; background: #ffffff; color: #16181c;">
<div role="main" ${reading}>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">
<tr>
<td class="page" align="center" style="padding: 32px 16px; background: #ffffff; color: #16181c;
font-family: Helvetica, Arial, sans-serif; font-size: 16px; line-height: 1.5;
word-break: ${wordBreak}; overflow-wrap: anywhere;">
${logoHtml(source)}<h1 style="margin: 0; font-size: 16px; font-weight: normal;">
${heading.html}</h1>
<p dir="ltr" style="margin: 16px 0; font-family: Menlo, Consolas, monospace;
font-size: 36px; font-weight: bold; line-height: 1.25;">
${codeHtml(source)}
</p>
<p style="margin: 0;">
${escapeHtml(source.valid)}</p>${linksHtml(source, 'page')}
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
${never.html}<br>
${escapeHtml(source.ignore)}${linksHtml(source, 'report')}</p>
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
${escapeHtml(source.reference)}${supportHtml(source)}</p>
</td>
</tr>
</table>
</div>
</body>
</html>`
}

/** The largest size of a logo in the mail, in pixels. */
const logoWidth = 240
const logoHeight = 80

function logoHtml({ logo, name }: HtmlSource): string {
  if (logo === null) return ''
  const scale = Math.min(1, logoWidth / logo.width, logoHeight / logo.height)
  const [width, height] = [logo.width, logo.height].map((side) => Math.max(1, side * scale))
  const size = `width="${Math.round(width ?? 1)}" height="${Math.round(height ?? 1)}"`
  return `<p style="margin: 0 0 24px;">
<img src="cid:logo" ${size} alt="${escapeHtml(name ?? '')}"
style="border: 0; max-width: 100%;"></p>
`
}

/** On a colour the code is black or white, in light and dark alike. */
function codeHtml({ code, color }: HtmlSource): string {
  const background = color === null ? null : readColor(color)
  if (!background) return code
  return `<span style="display: inline-block; padding: 8px 20px; border-radius: 8px;
background: ${toHex(background)}; color: ${toHex(readableOn(background))};">
${code}
</span>`
}

/** The link to the page is a paragraph, the other one the last line of what it belongs to. */
function linksHtml({ links }: HtmlSource, kind: ShownLink['kind']): string {
  const shown = links.filter((link) => link.kind === kind)
  return shown
    .map(({ label, url }) => {
      const link = `<a href="${escapeHtml(url)}"\nstyle="color: inherit;">${escapeHtml(label)}</a>`
      return kind === 'page' ? `\n<p style="margin: 16px 0 0;">\n${link}</p>` : `<br>\n${link}`
    })
    .join('')
}

function supportHtml({ support }: HtmlSource): string {
  return support === null ? '' : `<br>\n<bdi dir="ltr">${escapeHtml(support)}</bdi>`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

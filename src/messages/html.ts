import type { Language } from '../domain/language.ts'

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
}

/** Text in which `<`, `>`, `&` and quotes are escaped. */
export type Html = { html: string }

/**
 * The HTML of a message: light and dark, from 320 px, without remote content. Mail programs drop
 * the html element, so language and direction stand on the part that is read as well. Text that
 * differs between messages begins its line or follows a space, as in the plain text.
 */
export function hypertext(source: HtmlSource): string {
  const { language, direction, code, heading, never } = source
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
<h1 style="margin: 0; font-size: 16px; font-weight: normal;">
${heading.html}</h1>
<p dir="ltr" style="margin: 16px 0; font-family: Menlo, Consolas, monospace;
font-size: 36px; font-weight: bold; line-height: 1.25;">
${code}
</p>
<p style="margin: 0;">
${escapeHtml(source.valid)}</p>
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
${never.html}<br>
${escapeHtml(source.ignore)}</p>
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
${escapeHtml(source.reference)}</p>
</td>
</tr>
</table>
</div>
</body>
</html>`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

import type { App } from '../domain/app/app.ts'
import type { Handover } from '../domain/delivery/delivery.ts'

/** The parts of a hand-over that the text of a message depends on. */
export type MessageSource = Pick<Handover, 'code' | 'reference' | 'createdAt' | 'expiresAt'> & {
  app: Pick<App, 'name' | 'policy'>
}

/** A rendered message for any channel; e-mail uses all of it. */
export type Message = {
  subject: string
  text: string
  html: string
  /** For the OTP-Token header (draft-goto-otp-token); null unless the app has an origin. */
  otpToken: { code: string; origin: string } | null
}

/**
 * Renders the default message. It depends on the hand-over only, so a retry has the same text. An
 * app without a name is not mentioned.
 */
export function renderMessage(source: MessageSource): Message {
  const { app, code } = source
  const { policy } = app
  const origin = policy.origin === undefined ? null : URL.parse(policy.origin)
  return {
    subject: policy.codeInSubject === false ? title(app.name) : subjectWithCode(app.name, code),
    text: plainText(source, origin),
    html: hypertext(source),
    otpToken: origin ? { code, origin: origin.origin } : null,
  }
}

/**
 * `14:05 UTC`, with the day where the time alone would be ambiguous (lives above 12 h).
 * Minutes are cut, not rounded: the code is never valid for less than the message says.
 */
export function validUntil({
  createdAt,
  expiresAt,
}: Pick<MessageSource, 'createdAt' | 'expiresAt'>): string {
  const until = new Date(expiresAt)
  const [, day, month] = until.toUTCString().split(' ')
  const time = `${until.toISOString().slice(11, 16)} UTC`
  return expiresAt - createdAt > 43_200_000 ? `${time} on ${day} ${month}` : time
}

function title(name: string | null): string {
  return name === null ? 'Your code' : `Your ${name} code`
}

function subjectWithCode(name: string | null, code: string): string {
  return name === null ? `Your code: ${code}` : `${code} is your ${name} code`
}

// Here and below, text that differs between messages begins its line or is in a short one, so that
// the encoding of a line that is long because of the app's name never breaks a code.
function plainText(source: MessageSource, origin: URL | null): string {
  const { app, code, reference } = source
  const lines = [
    app.name === null ? `${code} is your code.` : `${code} is your code for ${app.name}.`,
    '',
    `It is valid until ${validUntil(source)}. Reference: ${reference}`,
    '',
    `Never share this code with anyone: ${nobody(app.name)} will ask you for it.`,
    'If you did not ask for it, ignore this message.',
  ]
  // https://wicg.github.io/sms-one-time-codes/
  if (origin) lines.push('', `@${origin.hostname} #${code}`)
  return lines.join('\n')
}

function nobody(name: string | null): string {
  return name === null ? 'nobody' : `nobody at ${name}`
}

function hypertext(source: MessageSource): string {
  const { app, code, reference } = source
  const name = app.name === null ? null : escapeHtml(app.name)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escapeHtml(title(app.name))}</title>
<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
.page { background: #16181c !important; color: #f4f4f5 !important; }
.quiet { color: #c9ccd1 !important; }
}
</style>
</head>
<body class="page" style="margin: 0; background: #ffffff; color: #16181c;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">
<tr>
<td class="page" align="center" style="padding: 32px 16px; background: #ffffff; color: #16181c;
font-family: Helvetica, Arial, sans-serif; font-size: 16px; line-height: 1.5;">
<p style="margin: 0;">${name === null ? 'Your code is' : `Your code for ${name} is`}</p>
<p style="margin: 16px 0; font-family: Menlo, Consolas, monospace;
font-size: 36px; font-weight: bold; line-height: 1.25;">
${code}
</p>
<p style="margin: 0;">
It is valid until ${validUntil(source)}.</p>
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
Never share this code with anyone: ${nobody(name)} will ask you for it.<br>
If you did not ask for it, ignore this message.</p>
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
Reference: ${reference}</p>
</td>
</tr>
</table>
</body>
</html>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

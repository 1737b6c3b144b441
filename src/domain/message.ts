import type { Handover } from './delivery.ts'

/** A message as every channel can use it; e-mail sends all of it. */
export type Message = {
  subject: string
  text: string
  html: string
  /** For the OTP-Token header (draft-goto-otp-token); null unless the app has an origin. */
  otpToken: { code: string; origin: string } | null
}

/** The default message. It depends on the hand-over only, so a retry carries the same words. */
export function renderMessage(handover: Handover): Message {
  const { app, code } = handover
  const title = `Your ${app.name} code`
  const origin = app.policy.origin === undefined ? null : URL.parse(app.policy.origin)
  return {
    subject: app.policy.codeInSubject === false ? title : `${code} is ${lowerFirst(title)}`,
    text: plainText(handover, origin),
    html: hypertext(handover, title),
    otpToken: origin ? { code, origin: origin.origin } : null,
  }
}

/**
 * `14:05 UTC`, and the day where the time alone could be taken for another one (lives above 12 h).
 * Minutes are cut, not rounded: the code is never valid for less than the message says.
 */
export function validUntil({ createdAt, expiresAt }: Handover): string {
  const until = new Date(expiresAt)
  const [, day, month] = until.toUTCString().split(' ')
  const time = `${until.toISOString().slice(11, 16)} UTC`
  return expiresAt - createdAt > 43_200_000 ? `${time} on ${day} ${month}` : time
}

// What differs from message to message starts its line or stands in a short one, here and below: no
// encoding of a line that an app's name makes too long can then cut a code in two.
function plainText(handover: Handover, origin: URL | null): string {
  const { app, code, reference } = handover
  const lines = [
    `${code} is your code for ${app.name}.`,
    '',
    `It is valid until ${validUntil(handover)}. Reference: ${reference}`,
    '',
    `Never share this code with anyone: nobody at ${app.name} will ask you for it.`,
    'If you did not ask for it, ignore this message.',
  ]
  // https://wicg.github.io/sms-one-time-codes/
  if (origin) lines.push('', `@${origin.hostname} #${code}`)
  return lines.join('\n')
}

function hypertext(handover: Handover, title: string): string {
  const name = escapeHtml(handover.app.name)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escapeHtml(title)}</title>
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
<p style="margin: 0;">Your code for ${name} is</p>
<p style="margin: 16px 0; font-family: Menlo, Consolas, monospace;
font-size: 36px; font-weight: bold; line-height: 1.25;">
${handover.code}
</p>
<p style="margin: 0;">
It is valid until ${validUntil(handover)}.</p>
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
Never share this code with anyone: nobody at ${name} will ask you for it.<br>
If you did not ask for it, ignore this message.</p>
<p class="quiet" style="margin: 24px 0 0; font-size: 14px; color: #50545b;">
Reference: ${handover.reference}</p>
</td>
</tr>
</table>
</body>
</html>`
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

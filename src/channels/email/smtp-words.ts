import type { SmtpFailure } from './smtp-outcome.ts'

/** Secrets that a server's reply may quote. */
export type Secrets = { recipient: string; code: string }

/** The longest detail, of a server's reply or of our own words. */
const wordsMax = 200
export const detailMax = 300

/** A reply as one line of at most 200 characters, without control characters and secrets. */
export function wordsOf(response: string, secrets?: Secrets, passwords: string[] = []): string {
  let line = response.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  for (const password of passwords) line = hide(line, password, '<password>')
  if (!secrets) return line.slice(0, wordsMax)
  const { recipient, code } = secrets
  line = hide(line, recipient, '<recipient>')
  // URL-encoded, as in a link to a page about the refusal.
  line = hide(line, encodeURIComponent(recipient), '<recipient>')
  return hide(line, code, '<code>').slice(0, wordsMax)
}

/**
 * A password or an access token as it is, and as AUTH LOGIN, AUTH PLAIN (RFC 4616) and XOAUTH2 send
 * it.
 */
export function credentialForms(user: string | null, password: string | null): string[] {
  if (password === null || password === '') return []
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const xoauth2 = `user=${user ?? ''}\u0001auth=Bearer ${password}\u0001\u0001`
  const messages = [password, `\0${user ?? ''}\0${password}`, xoauth2]
  return [password, ...messages.map(base64)]
}

/** The reply's code and enhanced status code, such as `550 5.1.1`; null for no reply. */
export function replyCode(response: string | undefined): string | null {
  const match = /^([2-5]\d\d)(?:[ -]+([245]\.\d{1,3}\.\d{1,3})\b)?/.exec(response ?? '')
  if (!match) return null
  const [, basic = '', enhanced] = match
  return enhanced === undefined ? basic : `${basic} ${enhanced}`
}

/** The server's id of an accepted message, from the replies of Postfix, Exim and SES. */
export function remoteIdOf(words: string): string | null {
  const patterns = [
    /\bqueued (?:mail )?as ([A-Za-z0-9._-]{1,64})/i,
    /\bid=([A-Za-z0-9._-]{1,64})/i,
    /^250 Ok ([0-9a-f]+(?:-[0-9a-f]+)+)$/i,
  ]
  for (const pattern of patterns) {
    const id = pattern.exec(words)?.[1]
    if (id !== undefined) return id
  }
  return null
}

const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const

/** The wait that a reply asks for, as in `try again in 300 seconds`; null without one. */
export function retryAfterOf(words: string): number | null {
  const pattern = /\b(?:again|retry|wait)\b(?: (?:in|after|for))? (\d{1,5}) ?(s|m|h)[a-z]*\b/i
  const [, count, unit] = pattern.exec(words) ?? []
  if (count === undefined || unit === undefined) return null
  return Number(count) * unitsMs[unit.toLowerCase() as keyof typeof unitsMs]
}

function hide(text: string, secret: string, by: string): string {
  // Nearly every reply contains neither, and then needs no regular expression.
  if (secret === '' || !text.toLowerCase().includes(secret.toLowerCase())) return text
  return text.replace(new RegExp(secret.replace(/[^A-Za-z0-9@]/g, '\\$&'), 'gi'), by)
}

/** The verification results of OpenSSL and of Node's host name check. */
export function isCertificateFault(code: string): boolean {
  return /CERT|^UNABLE_TO_|^INVALID_(CA|PURPOSE)|^HOSTNAME_MISMATCH/.test(code)
}

/** The failure of a TLS handshake, or of STARTTLS. */
export function isTlsFault({ code = '', originalCode = '' }: SmtpFailure): boolean {
  return isCertificateFault(originalCode) || code === 'ETLS' || /SSL|TLS/.test(originalCode)
}

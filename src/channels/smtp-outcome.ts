import type { DeliveryOutcome, Handover, RefusalCause } from '../domain/delivery.ts'

/** What nodemailer's errors tell; every field may be missing. */
export type SmtpFailure = {
  code?: string | undefined
  originalCode?: string | undefined
  /** The server's reply, all its lines. */
  response?: string | undefined
  command?: string | undefined
  /** What the reply may quote and nobody may read: see `passwordForms`. */
  passwords?: string[] | undefined
}

type Secrets = Pick<Handover, 'recipient' | 'code'>
type Login = { user?: string | undefined; pass?: string | undefined }
type Reply = { basic: number; class: string; subject: string; detail: string }

/**
 * What became of a hand-over that failed (security.md D7): by enhanced status code (RFC 3463), by
 * the reply's first digit where there is none, and by the kind of failure where no reply came.
 * `dataBegun`: the message was on its way, so without a reply it may have been taken.
 */
export function outcomeOf(
  failure: SmtpFailure,
  secrets: Secrets,
  dataBegun: boolean,
): DeliveryOutcome {
  const reply = readReply(failure)
  if (!reply) return withoutReply(failure, dataBegun)

  const detail = wordsOf(failure.response ?? '', secrets, failure.passwords)
  const cause = causeOf(reply, failure)
  if (cause === null) return { status: 'deferred', detail, ambiguous: false }
  return { status: 'refused', detail, cause }
}

/** A reply as one line of at most 200 characters, without control characters and secrets. */
export function wordsOf(response: string, secrets?: Secrets, passwords: string[] = []): string {
  let line = response.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  for (const password of passwords) line = hide(line, password, '<password>')
  if (!secrets) return line.slice(0, 200)
  const { recipient, code } = secrets
  line = hide(line, recipient, '<recipient>')
  // As it stands in the address of a page about the refusal.
  line = hide(line, encodeURIComponent(recipient), '<recipient>')
  return hide(line, code, '<code>').slice(0, 200)
}

/** A password as it was typed, and as AUTH LOGIN and AUTH PLAIN (RFC 4616) send it. */
export function passwordForms(auth: Login | undefined): string[] {
  const { user = '', pass = '' } = auth ?? {}
  if (pass === '') return []
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return [pass, base64(pass), base64(`\0${user}\0${pass}`)]
}

function hide(text: string, secret: string, by: string): string {
  // Nearly every reply holds neither: no pattern is made for those.
  if (!text.toLowerCase().includes(secret.toLowerCase())) return text
  return text.replace(new RegExp(secret.replace(/[^A-Za-z0-9@]/g, '\\$&'), 'gi'), by)
}

/** Null for what is no SMTP reply: the banner of another kind of server tells nobody anything. */
function readReply({ response, code, command }: SmtpFailure): Reply | null {
  const match = /^([45]\d\d)(?:[ -](?:([245])\.(\d{1,3})\.(\d{1,3})\b)?|$)/.exec(response ?? '')
  if (!match || (code === 'EPROTOCOL' && command === 'API')) return null
  const [, basic = '', enhanced, subject = '', detail = ''] = match
  return { basic: Number(basic), class: enhanced ?? basic.charAt(0), subject, detail }
}

/** Why the reply is a permanent no; null when it is not. */
function causeOf(reply: Reply, failure: SmtpFailure): RefusalCause | null {
  // 421 ends the session whatever the text says; 503 speaks of the session, not of the message.
  if (reply.basic === 421 || reply.basic === 503 || reply.class !== '5') return null
  if (isLogin(reply, failure)) return 'login'

  const { subject, detail } = reply
  if (subject === '2' && detail === '2') return null // A full mailbox may be emptied in time.
  if (subject === '1') return detail === '7' || detail === '8' ? 'policy' : 'recipient'
  if (subject === '2') return detail === '3' ? 'message' : 'recipient'
  if (subject === '3') return detail === '4' ? 'message' : 'server'
  if (subject === '6') return 'message'
  if (subject === '7') return 'policy'
  return byCommand(reply, failure.command ?? '')
}

function isLogin({ basic, subject, detail }: Reply, { code, command }: SmtpFailure): boolean {
  if (code === 'EAUTH' || command?.startsWith('AUTH')) return true
  if (basic === 534 || basic === 535 || basic === 538) return true
  // 550 5.7.30: Microsoft 365, where basic authentication is switched off.
  return subject === '7' && (basic === 530 || (basic === 550 && detail === '30'))
}

/** Servers that give no subject: what the reply answered says what it is about. */
function byCommand({ basic, subject }: Reply, command: string): RefusalCause | null {
  if (command === 'RCPT TO') return basic === 552 && subject === '' ? null : 'recipient'
  if (command === 'MAIL FROM') return basic === 552 ? 'message' : 'policy'
  if (command === 'DATA') return basic === 552 ? 'message' : subject === '5' ? 'server' : 'policy'
  return 'server'
}

const ownWords: Record<string, string> = {
  EDNS: 'the mail server has no address in the DNS, or the DNS did not answer',
  ETIMEDOUT: 'the mail server did not answer in time',
  EABORT: 'the mail server did not take the message in time',
  ECONNREFUSED: 'the mail server refused the connection',
  ECONNECTION: 'the mail server closed the connection',
  ESOCKET: 'the connection to the mail server broke',
  ETLS: 'the mail server did not complete the TLS handshake',
  EPROTOCOL: 'the mail server did not answer as one',
}

function withoutReply(failure: SmtpFailure, dataBegun: boolean): DeliveryOutcome {
  const { code = '', originalCode = '' } = failure
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    const detail = 'the mail server offers no login that works with this password'
    return { status: 'refused', detail, cause: 'login' }
  }
  if (isCertificateFault(originalCode)) {
    const detail = `the mail server's certificate is not trusted (${originalCode})`
    return { status: 'refused', detail, cause: 'server' }
  }
  if (code === notPublicCode) {
    const detail = 'the mail server must have public addresses only'
    return { status: 'refused', detail, cause: 'policy' }
  }
  if (code === 'EENVELOPE' || code === 'EMESSAGE') {
    const detail = 'the mail server does not take a message of this size or form'
    return { status: 'refused', detail, cause: 'message' }
  }
  const detail = ownWords[originalCode] ?? ownWords[code] ?? 'the message could not be handed over'
  return { status: 'deferred', detail, ambiguous: dataBegun }
}

/** Set on the error of a dial that was not made because an address is not public. */
export const notPublicCode = 'ENOTPUBLIC'

/** The verification results of OpenSSL and of Node's host name check. */
export function isCertificateFault(code: string): boolean {
  return /CERT|^UNABLE_TO_|^INVALID_(CA|PURPOSE)|^HOSTNAME_MISMATCH/.test(code)
}

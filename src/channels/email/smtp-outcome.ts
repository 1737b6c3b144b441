import type { SmtpSettings } from '../../domain/app/smtp-fields.ts'
import type {
  DeferralCause,
  DeliveryOutcome,
  RefusalCause,
} from '../../domain/delivery/delivery.ts'
import type { MailServer } from './mail-job.ts'
import { adviceOf, notPublicCode } from './smtp-advice.ts'
import {
  credentialForms,
  detailMax,
  isCertificateFault,
  isTlsFault,
  remoteIdOf,
  replyCode,
  retryAfterOf,
  type Secrets,
  wordsOf,
} from './smtp-words.ts'

/** The fields of nodemailer's errors; each may be missing. */
export type SmtpFailure = {
  code?: string | undefined
  originalCode?: string | undefined
  /** The server's reply, all its lines. */
  response?: string | undefined
  command?: string | undefined
}

type Reply = { basic: number; class: string; subject: string; detail: string }
type Cause =
  | { status: 'deferred'; cause: DeferralCause }
  | { status: 'refused'; cause: RefusalCause }

/**
 * The outcome of a failed hand-over: by enhanced status code (RFC 3463), by the reply's first digit
 * without one, and by the kind of failure without a reply. `begun`: the message was being sent, so
 * without a reply it may have been accepted. An openly registered app gets our own words only, so
 * that it cannot use replies to explore an internal network.
 */
export function outcomeOf(
  failure: SmtpFailure,
  server: Pick<MailServer, 'settings' | 'credential' | 'registeredBy'>,
  { secrets, begun }: { secrets: Secrets; begun: boolean },
): DeliveryOutcome {
  const reply = readReply(failure)
  const cause = reply ? causeOfReply(reply, failure) : causeWithoutReply(failure)
  const { settings, credential, registeredBy } = server
  const forms = credentialForms(settings.user, credential)
  const words = reply ? wordsOf(failure.response ?? '', secrets, forms) : null
  const shown = registeredBy === 'open' && words !== null ? '' : words
  const detail = detailOf(cause, failure, { settings, words: shown }).slice(0, detailMax)
  const code = reply ? replyCode(failure.response) : null
  if (cause.status === 'refused') return { ...cause, code, detail }
  const retryAfterMs = retryAfterOf(words ?? '')
  return { ...cause, ambiguous: !reply && begun, retryAfterMs, code, detail }
}

/** The outcome of a message that the server accepted. */
export function sentOutcome(
  response: string,
  registeredBy: MailServer['registeredBy'],
  secrets: Secrets,
): DeliveryOutcome {
  const words = wordsOf(response, secrets)
  const detail = registeredBy === 'open' ? null : words
  return { status: 'sent', code: replyCode(response), detail, remoteId: remoteIdOf(words) }
}

/**
 * What follows from the status of a returned message (RFC 3464), by the rules of replies: the
 * server's own reply counts where the status says nothing, as `5.0.0` does. Null for what is not a
 * refusal, such as a full mailbox.
 */
export function causeOfStatus(status: string, words: string): RefusalCause | null {
  const basic = /^[45]\d\d\b/.exec(words)?.[0] ?? `${status.charAt(0)}50`
  const isTold = status.endsWith('.0.0') && readReply({ response: words })?.subject
  const response = isTold ? words : `${basic} ${status} ${words}`
  const reply = readReply({ response })
  return reply && refusalOf(reply, { response })
}

/** Parses the reply; null for anything else, such as the banner of another kind of server. */
function readReply({ response }: SmtpFailure): Reply | null {
  const match = /^([45]\d\d)(?:[ -](?:([245])\.(\d{1,3})\.(\d{1,3})\b)?|$)/.exec(response ?? '')
  if (!match) return null
  const [, basic = '', enhanced, subject = '', detail = ''] = match
  return { basic: Number(basic), class: enhanced ?? basic.charAt(0), subject, detail }
}

function causeOfReply(reply: Reply, failure: SmtpFailure): Cause {
  const text = failure.response ?? ''
  const tooMany = /too many (concurrent |simultaneous |open )*(smtp )?(connections|sessions)/i
  if (tooMany.test(text)) return { status: 'deferred', cause: 'busy' }
  const refusal = refusalOf(reply, failure)
  if (refusal !== null) return { status: 'refused', cause: refusal }
  const { basic, subject, detail } = reply
  const isGrey = (basic === 450 || basic === 451) && subject === '7' && detail === '1'
  const cause = isGrey || /gr[ae]y-?list/i.test(text) ? 'greylisted' : 'busy'
  return { status: 'deferred', cause }
}

/** The cause of a permanent refusal; null for other replies. */
function refusalOf(reply: Reply, failure: SmtpFailure): RefusalCause | null {
  // 421 always ends the session; 503 is about the session, not about the message.
  if (reply.basic === 421 || reply.basic === 503 || reply.class !== '5') return null
  // 530 asks for encryption (RFC 3207) or for a login (RFC 4954).
  if (reply.basic === 530 && /STARTTLS/i.test(failure.response ?? '')) return 'server'
  if (isLogin(reply, failure)) return 'login'
  if (failure.command === 'STARTTLS') return 'server'

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
  if (basic === 530 || basic === 534 || basic === 535 || basic === 538) return true
  // 550 5.7.30: Microsoft 365, where basic authentication is switched off.
  return basic === 550 && subject === '7' && detail === '30'
}

/** The cause by the refused command, for replies without an enhanced code. */
function byCommand({ basic, subject }: Reply, command: string): RefusalCause | null {
  if (command === 'RCPT TO') return basic === 552 && subject === '' ? null : 'recipient'
  if (command === 'MAIL FROM') return basic === 552 ? 'message' : 'policy'
  if (command === 'DATA') return basic === 552 ? 'message' : subject === '5' ? 'server' : 'policy'
  return 'server'
}

function causeWithoutReply({ code = '', originalCode = '' }: SmtpFailure): Cause {
  if (code === 'EAUTH' || code === 'ENOAUTH') return { status: 'refused', cause: 'login' }
  if (isCertificateFault(originalCode)) return { status: 'refused', cause: 'server' }
  if (code === notPublicCode) return { status: 'refused', cause: 'policy' }
  if (code === 'EENVELOPE' || code === 'EMESSAGE') return { status: 'refused', cause: 'message' }
  return { status: 'deferred', cause: 'network' }
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
  EENVELOPE: 'the mail server does not take a message of this size or form',
  EMESSAGE: 'the mail server does not take a message of this size or form',
}

/** Shown in place of the server's words to openly registered apps. */
const coarseWords: Record<RefusalCause | DeferralCause, string> = {
  recipient: 'the mail server refused the recipient',
  login: 'the mail server refused the login',
  policy: 'the mail server refused the message by its policy',
  message: 'the mail server refused the message',
  server: 'the mail server does not serve',
  unsupported: 'the mail server does not support the message',
  capped: 'a limit of the app is used up',
  cost: 'the cost of the app is used up',
  gone: 'the mail server wants no more messages',
  network: 'the mail server did not answer',
  busy: 'the mail server is busy',
  greylisted: 'the mail server asked for a later try',
}

/** Advice where the settings are wrong, else the server's words, else our own. */
function detailOf(
  { status, cause }: Cause,
  failure: SmtpFailure,
  // Null without a reply, empty where the reply must not be shown.
  { settings, words }: { settings: SmtpSettings; words: string | null },
): string {
  const { code = '', originalCode = '' } = failure
  const isSettings = (status === 'refused' && isTlsFault(failure)) || /SSL|TLS/.test(originalCode)
  if (isSettings || code === notPublicCode) return adviceOf(settings, failure, words ?? '').says
  if (words !== null) return words === '' ? coarseWords[cause] : words
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    return settings.auth === 'password'
      ? 'the mail server offers no login that works with this password'
      : 'the mail server offers neither XOAUTH2 nor OAUTHBEARER'
  }
  return ownWords[originalCode] ?? ownWords[code] ?? 'the message could not be handed over'
}

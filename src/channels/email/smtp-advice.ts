import type { SmtpSettings } from '../../domain/app/smtp-fields.ts'
import type { SmtpFailure } from './smtp-outcome.ts'
import { isCertificateFault, isTlsFault } from './smtp-words.ts'

export type Advice = {
  /** The step that failed. */
  step: 'resolve' | 'connect' | 'tls' | 'login'
  /** What is wrong and what to do. */
  says: string
}

/** Advice for the admin about a failed connection. `words`: the server's reply. */
export function adviceOf(settings: SmtpSettings, failure: SmtpFailure, words: string): Advice {
  const { host, port } = settings
  const { code = '', originalCode = '' } = failure
  const reply = words === '' ? '' : ` It said: ${words}`
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    if (code === 'ENOAUTH' && settings.auth !== 'password') {
      const says = `${host} offers neither XOAUTH2 nor OAUTHBEARER; use a password, or another host.`
      return { step: 'login', says }
    }
    return { step: 'login', says: `The login was refused; ${loginAdvice[settings.auth]}.${reply}` }
  }
  if (isTlsFault(failure)) return { step: 'tls', says: tlsAdvice(settings, failure, reply) }
  if (code === 'EDNS') {
    const says = `${host} has no address; check the name, and the DNS of this machine.`
    return { step: 'resolve', says }
  }
  if (code === notPublicCode) {
    const says = `${host} has an address that is not public; name a public mail server.`
    return { step: 'resolve', says }
  }
  const says =
    originalCode === 'ECONNREFUSED'
      ? `Nothing listens at ${host}:${port}; check host and port.`
      : `No mail server answers at ${host}:${port}; check the port, whether security is right ` +
        `for it (465 "tls", 587 "starttls"), and the firewall.${reply}`
  return { step: 'connect', says }
}

const loginAdvice: Record<SmtpSettings['auth'], string> = {
  password: 'check user and password, or make an app password',
  google: 'check that user is the mailbox whose owner consented',
  google_service_account: 'check the mailbox, and that the service account may act for it',
  microsoft: 'check that user is the mailbox whose owner consented, and that it may use SMTP AUTH',
  microsoft_app:
    'check that the Enterprise application’s object id has a service principal in Exchange with ' +
    'access to the mailbox (up to 30 minutes), and that the mailbox may use SMTP AUTH',
}

/** The code of the error when an address is not public and therefore not dialled. */
export const notPublicCode = 'ENOTPUBLIC'

function tlsAdvice(
  { host, port, security }: SmtpSettings,
  { originalCode = '', command }: SmtpFailure,
  reply: string,
): string {
  if (isCertificateFault(originalCode)) {
    return (
      `The certificate of ${host} is not trusted (${originalCode}); name the host as its ` +
      'certificate does, give the server’s ca (or NODE_EXTRA_CA_CERTS) the certificate of your own ' +
      'authority, or use security "none" on a network that nobody else can listen on.'
    )
  }
  if (command === 'STARTTLS' && reply !== '') {
    return (
      `${host}:${port} offers no STARTTLS; use security "tls" if the port speaks TLS at once, or ` +
      `"none" on a network that nobody else can listen on.${reply}`
    )
  }
  const other = security === 'tls' ? '"starttls" (usual on 587)' : '"tls" (usual on 465)'
  return `No encryption was agreed on at ${host}:${port}; try security ${other}.${reply}`
}

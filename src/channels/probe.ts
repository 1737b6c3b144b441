import { promises as dns } from 'node:dns'
import SMTPPool from 'nodemailer/lib/smtp-pool'
import type { App, EmailChannel } from '../domain/app.ts'
import type { Ports } from '../domain/ports.ts'
import type { MailEgress } from './egress.ts'
import { openPassword } from './mail-pools.ts'
import { type MailNetwork, smtpOptions } from './smtp-options.ts'
import { isCertificateFault, passwordForms, type SmtpFailure, wordsOf } from './smtp-outcome.ts'

export type ProbeStep = {
  step: 'resolve' | 'connect' | 'tls' | 'login'
  ok: boolean
  /** One sentence: what was found, and after a failure what to do next. */
  says: string
}

/**
 * Tries an app's mail server as far as the login, without mail. The steps come in order and end
 * with the first that failed; none for an app without a mail server.
 */
export async function probeSmtp(
  { keyring, ...network }: Pick<Ports, 'keyring'> & MailNetwork,
  app: App,
): Promise<ProbeStep[]> {
  const { email } = app
  if (!email) return []
  const resolved = await resolveStep(email, network.egress)
  if (!resolved.ok) return [resolved]

  const password = openPassword(keyring, app, email)
  const failure = await verify(smtpOptions(email, password ?? null, network))
  const steps = [resolved, ...reachedSteps(email, failure)]
  if (password !== undefined || steps.some(({ ok }) => !ok)) return steps
  const says = 'The stored password does not open with this master key; set the password again.'
  return [...steps.filter(({ step }) => step !== 'login'), { step: 'login', ok: false, says }]
}

async function resolveStep(email: EmailChannel, egress: MailEgress): Promise<ProbeStep> {
  const { host, publicOnly } = email
  const says = (ok: boolean, text: string): ProbeStep => ({ step: 'resolve', ok, says: text })
  const reach = publicOnly ? await egress.reach(host) : await lookUp(host)
  if (reach === 'unknown') {
    return says(false, `${host} has no address; check the name, and the DNS of this machine.`)
  }
  if (reach === 'not_public') {
    return says(false, `${host} has an address that is not public; name a public mail server.`)
  }
  return says(true, `${host} has an address.`)
}

/** As the system resolves, /etc/hosts included. */
async function lookUp(host: string): Promise<'found' | 'unknown'> {
  return dns.lookup(host).then(
    () => 'found',
    () => 'unknown',
  )
}

async function verify(options: SMTPPool.Options): Promise<SmtpFailure | null> {
  const pool = new SMTPPool(options)
  try {
    await pool.verify()
    return null
  } catch (error) {
    const { code, originalCode, response } = error as SmtpFailure
    return { code, originalCode, response, passwords: passwordForms(options.auth) }
  } finally {
    pool.close()
  }
}

function reachedSteps(email: EmailChannel, failure: SmtpFailure | null): ProbeStep[] {
  const { host, port, security, user } = email
  const good: ProbeStep[] = [
    { step: 'connect', ok: true, says: `A mail server answers at ${host}:${port}.` },
  ]
  if (security !== 'none') {
    good.push({ step: 'tls', ok: true, says: `The connection is encrypted, for ${host} indeed.` })
  }
  if (user !== null) good.push({ step: 'login', ok: true, says: 'The login was accepted.' })
  if (!failure) return good

  const bad = failedStep(email, failure)
  const before = good.findIndex(({ step }) => step === bad.step)
  return [...good.slice(0, before < 0 ? good.length : before), bad]
}

function failedStep({ host, port, security }: EmailChannel, failure: SmtpFailure): ProbeStep {
  const { code = '', originalCode = '', response = '', passwords } = failure
  const reply = response === '' ? '' : ` It said: ${wordsOf(response, undefined, passwords)}`
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    const says = `The login was refused; check user and password, or make an app password.${reply}`
    return { step: 'login', ok: false, says }
  }
  if (isCertificateFault(originalCode)) {
    const says =
      `The certificate of ${host} is not trusted (${originalCode}); name the host as its ` +
      `certificate does, or point NODE_EXTRA_CA_CERTS at the file of your own authority.`
    return { step: 'tls', ok: false, says }
  }
  if (code === 'ETLS' || /SSL|TLS/.test(originalCode)) {
    const other = security === 'tls' ? '"starttls" (usual on 587)' : '"tls" (usual on 465)'
    const says = `No encryption was agreed on at ${host}:${port}; try security ${other}.${reply}`
    return { step: 'tls', ok: false, says }
  }
  const says =
    originalCode === 'ECONNREFUSED'
      ? `Nothing listens at ${host}:${port}; check host and port.`
      : `No mail server answers at ${host}:${port}; check the port, whether security is right ` +
        `for it (465 "tls", 587 "starttls"), and the firewall.${reply}`
  return { step: 'connect', ok: false, says }
}

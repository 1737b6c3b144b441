import type { App } from '../../domain/app/app.ts'
import type { Endpoint } from '../../domain/app/endpoint.ts'
import type { Ports } from '../../domain/ports.ts'
import { lookUp, type MailNetwork } from './dial.ts'
import { mailServer } from './email.ts'
import type { MailServer } from './mail-job.ts'
import { openSession } from './session.ts'
import { adviceOf } from './smtp-advice.ts'
import type { SmtpFailure } from './smtp-outcome.ts'
import { passwordForms, wordsOf } from './smtp-words.ts'

export type ProbeStep = {
  step: 'resolve' | 'connect' | 'tls' | 'login'
  ok: boolean
  /** One sentence: what was found, and after a failure what to do next. */
  says: string
}

const probeMaxMs = 40_000

/**
 * Tests a mail server up to the login, without mail. The steps are in order and end with the first
 * that failed. An openly registered app gets none of the server's words.
 */
export async function probeSmtp(
  { keyring, ...network }: Pick<Ports, 'keyring'> & MailNetwork,
  app: App,
  endpoint: Endpoint,
): Promise<ProbeStep[]> {
  const opened = mailServer(keyring, app, endpoint)
  const server = opened ?? { ...withoutLogin(app, endpoint), password: null }
  const failed = await tryServer(server, network)
  const steps = stepsTo(server, failed)
  if (opened || failed) return steps
  const says = 'The stored password does not open with this master key; set the password again.'
  return [...steps.filter(({ step }) => step !== 'login'), { step: 'login', ok: false, says }]
}

/** Tests the login at the endpoint; null on success, else the reason. */
export async function tryLogin(
  ports: Pick<Ports, 'keyring'> & MailNetwork,
  app: App,
  endpoint: Endpoint,
): Promise<string | null> {
  const steps = await probeSmtp(ports, app, endpoint)
  return steps.find(({ ok }) => !ok)?.says ?? null
}

function withoutLogin(app: App, { id, settings }: Endpoint): Omit<MailServer, 'password'> {
  const { registeredBy, version: appVersion } = app
  return { endpointId: id, appVersion, settings, registeredBy }
}

async function tryServer(server: MailServer, network: MailNetwork): Promise<SmtpFailure | null> {
  const { host } = server.settings
  const controller = new AbortController()
  const cancelLate = network.timers.after(probeMaxMs, () => controller.abort())
  try {
    // Resolved again, to distinguish an unknown name from a dead server.
    if (server.registeredBy === 'admin') await lookUp(host, network.timers)
    const session = await openSession(server, network, controller.signal)
    session.quit()
    return null
  } catch (error) {
    const { code, originalCode, response, command } = error as SmtpFailure
    return { code, originalCode, response, command }
  } finally {
    cancelLate()
  }
}

/** The successful steps, and the one that failed. */
function stepsTo(
  { settings, password, registeredBy }: MailServer,
  failed: SmtpFailure | null,
): ProbeStep[] {
  const { host, port, security, user } = settings
  const good: ProbeStep[] = [
    { step: 'resolve', ok: true, says: `${host} has an address.` },
    { step: 'connect', ok: true, says: `A mail server answers at ${host}:${port}.` },
  ]
  if (security === 'tls' || security === 'starttls') {
    good.push({
      step: 'tls',
      ok: true,
      says: `The connection is encrypted, with a certificate for ${host}.`,
    })
  }
  if (user !== null) good.push({ step: 'login', ok: true, says: 'The login was accepted.' })
  if (!failed) return good

  const forms = passwordForms(user, password)
  const words = registeredBy === 'open' ? '' : wordsOf(failed.response ?? '', undefined, forms)
  const bad = adviceOf(settings, failed, words)
  const before = good.findIndex(({ step }) => step === bad.step)
  return [...good.slice(0, before < 0 ? good.length : before), { ...bad, ok: false }]
}

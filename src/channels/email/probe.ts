import type { App } from '../../domain/app/app.ts'
import type { Endpoint } from '../../domain/app/endpoint.ts'
import { credentialOf } from './credential.ts'
import { lookUp, type MailNetwork } from './dial.ts'
import { type MailServer, mailServer } from './mail-job.ts'
import { openSession } from './session.ts'
import { adviceOf } from './smtp-advice.ts'
import type { SmtpFailure } from './smtp-outcome.ts'
import { credentialForms, wordsOf } from './smtp-words.ts'
import { createTokens, type TokenPorts } from './tokens.ts'

export type ProbeStep = {
  step: 'resolve' | 'connect' | 'tls' | 'token' | 'login'
  ok: boolean
  /** One sentence: what was found, and after a failure what to do next. */
  says: string
}

const probeMaxMs = 40_000

type ProbePorts = TokenPorts & MailNetwork

/**
 * Tests a mail server up to the login, without mail. The steps are in order and end with the first
 * that failed. An openly registered app gets none of the server's words.
 */
export async function probeSmtp(
  ports: ProbePorts,
  app: App,
  endpoint: Endpoint,
): Promise<ProbeStep[]> {
  // With a token of its own, so that the token server is tested too.
  const found = await credentialOf({ ...ports, tokens: createTokens(ports) }, app, endpoint)
  const server = mailServer(app, endpoint, 'outcome' in found ? null : found.credential)
  const failed = await tryServer(server, ports)
  const steps = stepsTo(server, failed)
  if (!('outcome' in found) || failed) return steps
  const step = endpoint.settings.auth === 'password' ? 'login' : 'token'
  const before = steps.filter((each) => each.step !== 'login' && each.step !== 'token')
  return [...before, { step, ok: false, says: sentence(found.outcome.detail) }]
}

/** Tests the login at the endpoint; null on success, else the reason. */
export async function tryLogin(
  ports: ProbePorts,
  app: App,
  endpoint: Endpoint,
): Promise<string | null> {
  const steps = await probeSmtp(ports, app, endpoint)
  return steps.find(({ ok }) => !ok)?.says ?? null
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
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
  { settings, credential, registeredBy }: MailServer,
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
  if (settings.auth !== 'password') {
    good.push({ step: 'token', ok: true, says: 'An access token was given.' })
  }
  if (user !== null) good.push({ step: 'login', ok: true, says: 'The login was accepted.' })
  if (!failed) return good

  const forms = credentialForms(user, credential)
  const words = registeredBy === 'open' ? '' : wordsOf(failed.response ?? '', undefined, forms)
  const bad = adviceOf(settings, failed, words)
  const before = good.findIndex(({ step }) => step === bad.step)
  return [...good.slice(0, before < 0 ? good.length : before), { ...bad, ok: false }]
}

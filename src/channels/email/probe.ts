import type { App } from '../../domain/app/app.ts'
import type { EmailEndpoint } from '../../domain/app/endpoint.ts'
import type { DeliveryOutcome, Handover } from '../../domain/delivery/delivery.ts'
import type { Clock } from '../../domain/ports.ts'
import type { Wording } from '../wording.ts'
import { credentialOf } from './credential.ts'
import { lookUp, type MailNetwork } from './dial.ts'
import { type DialogueStep, mailStepsSeen, sentence, stepsSeen } from './dialogue.ts'
import { createEmailChannel } from './email.ts'
import { type Mailer, type MailServer, mailServer } from './mail-job.ts'
import { createMailer } from './mailer.ts'
import { openSession } from './session.ts'
import { adviceOf } from './smtp-advice.ts'
import type { SmtpFailure } from './smtp-outcome.ts'
import { credentialForms, wordsOf } from './smtp-words.ts'
import { createTokens, type TokenPorts } from './tokens.ts'
import { createTranscript, type Transcript } from './transcript.ts'

const probeMaxMs = 40_000

type ProbePorts = TokenPorts & MailNetwork

/**
 * Tests a mail server up to the login, without mail. The steps are in order and end with the first
 * that failed. An openly registered app gets none of the server's words.
 */
export async function probeSmtp(
  ports: ProbePorts,
  app: App,
  endpoint: EmailEndpoint,
): Promise<DialogueStep[]> {
  // With a token of its own, so that the token server is tested too.
  const found = await credentialOf({ ...ports, tokens: createTokens(ports) }, app, endpoint)
  const server = mailServer(app, endpoint, 'outcome' in found ? null : found.credential)
  const transcript = createTranscript()
  const tried = await tryServer(server, { ...ports, transcript })
  const steps = stepsTo(server, { ...tried, transcript })
  if (!('outcome' in found) || tried.failed) return steps
  const step = endpoint.settings.auth === 'password' ? 'login' : 'token'
  const before = steps.filter((each) => each.step !== 'login' && each.step !== 'token')
  return [...before, { step, ok: false, says: sentence(found.outcome.detail) }]
}

/** Tests the login at the endpoint; null on success, else the reason. */
export async function tryLogin(
  ports: ProbePorts,
  app: App,
  endpoint: EmailEndpoint,
): Promise<string | null> {
  const steps = await probeSmtp(ports, app, endpoint)
  return steps.find(({ ok }) => !ok)?.says ?? null
}

type Tried = { failed: SmtpFailure | null; addresses: string[] }

async function tryServer(server: MailServer, network: MailNetwork): Promise<Tried> {
  const { host } = server.settings
  let addresses: string[] = []
  const controller = new AbortController()
  const cancelLate = network.timers.after(probeMaxMs, () => controller.abort())
  try {
    // Resolved again, to distinguish an unknown name from a dead server.
    if (server.registeredBy === 'admin') addresses = await lookUp(host, network.timers)
    const session = await openSession(server, network, controller.signal)
    session.quit()
    return { failed: null, addresses }
  } catch (error) {
    const { code, originalCode, response, command } = error as SmtpFailure
    return { failed: { code, originalCode, response, command }, addresses }
  } finally {
    cancelLate()
  }
}

/** The successful steps, and the one that failed. */
function stepsTo(
  server: MailServer,
  { failed, transcript, addresses }: Tried & { transcript: Transcript },
): DialogueStep[] {
  const { settings, credential, registeredBy } = server
  const seen = stepsSeen({ server, transcript, addresses })
  if (!failed) return seen

  const forms = credentialForms(settings.user, credential)
  const words = registeredBy === 'open' ? '' : wordsOf(failed.response ?? '', undefined, forms)
  const bad = adviceOf(settings, failed, words)
  const before = seen.findIndex(({ step }) => step === bad.step)
  return [...seen.slice(0, before < 0 ? seen.length : before), { ...bad, ok: false }]
}

/** Hands over one message on a connection of its own, and tells what was said. */
export async function probeMail(
  ports: ProbePorts & { clock: Clock },
  handover: Handover & { endpoint: EmailEndpoint; wording?: Wording },
): Promise<{ outcome: DeliveryOutcome; steps: DialogueStep[] }> {
  const transcript = createTranscript()
  const mailer = createMailer({ ...ports, transcript, connectionsMax: 1 })
  const { app, endpoint, recipient, code } = handover
  let server = mailServer(app, endpoint, null)
  const send: Mailer['send'] = (job, signal) => {
    // With the credential, so that it can be taken out of the server's words.
    server = job.server
    return mailer.send(job, signal)
  }
  const channel = createEmailChannel(ports, { ...mailer, send })
  const secrets = { recipient: recipient.address, code }
  try {
    const outcome = await channel.deliver(handover, new AbortController().signal)
    return { outcome, steps: mailStepsSeen({ server, transcript, secrets }, outcome) }
  } finally {
    channel.close()
  }
}

import { createDns } from '../channels/dns.ts'
import { createEgress } from '../channels/egress.ts'
import type { MailNetwork } from '../channels/email/dial.ts'
import type { DialogueStep } from '../channels/email/dialogue.ts'
import { probeMail, probeSmtp } from '../channels/email/probe.ts'
import { adviseMailDns } from '../channels/mail-dns/advice.ts'
import { probeGateway } from '../channels/phone/phone.ts'
import { type HttpKind, httpChannels } from '../channels/registry.ts'
import { probeBot } from '../channels/telegram/probe.ts'
import { probeWebhook } from '../channels/webhook.ts'
import { createWordingReader } from '../channels/wording.ts'
import type { App } from '../domain/app/app.ts'
import { type Endpoint, isEmail } from '../domain/app/endpoint.ts'
import type { Handover } from '../domain/delivery/delivery.ts'
import { newTimedId } from '../domain/id.ts'
import type { DnsFinding, Ports } from '../domain/ports.ts'
import type { Recipient } from '../domain/verification/recipient.ts'

type ProbePorts = Pick<
  Ports,
  'keyring' | 'apps' | 'templates' | 'bindings' | 'clock' | 'random' | 'timers' | 'httpOut'
> &
  Partial<Pick<MailNetwork, 'egress'>>

export type TestDelivery = {
  /** Null when no message was to be sent. */
  status: 'sent' | 'deferred' | 'refused' | null
  detail: string | null
  steps: TestStep[]
}

/** One step of the test; `detail` is a sentence, after a failure with what to do. */
export type TestStep = { name: string; ok: boolean; detail: string | null }

/** Tests connection, encryption and login of an endpoint; sends no message. */
export async function probeEndpoint(
  given: ProbePorts,
  app: App,
  endpoint: Endpoint,
): Promise<TestStep[]> {
  const ports = withNetwork(given)
  if (isEmail(endpoint)) return (await probeSmtp(ports, app, endpoint)).map(shown)
  if (endpoint.settings.kind === 'telegram') return probeBot(ports, app, endpoint)
  if (endpoint.settings.kind === 'webhook') return [await probeWebhook(ports, app, endpoint)]
  return [await probeGateway(ports, app, endpoint)]
}

function withNetwork(ports: ProbePorts) {
  const { egress = createEgress({ dns: createDns(ports) }) } = ports
  // A test message belongs to no delivery, so nothing is to be reported of it.
  return { ...ports, egress, publicUrl: null }
}

function shown({ step, ok, says }: DialogueStep): TestStep {
  return { name: step, ok, detail: says }
}

/** What the DNS says about the From domains of the app; sends nothing. */
export function testDns(ports: Pick<Ports, 'dns'>, app: App): Promise<DnsFinding[]> {
  return adviseMailDns(ports, app)
}

/** As `probeEndpoint`, and with a recipient a real message. */
export async function testEndpoint(
  ports: ProbePorts,
  app: App,
  endpoint: Endpoint,
  message: TestMessage | null,
): Promise<TestDelivery> {
  const steps = await probeEndpoint(ports, app, endpoint)
  const broken = steps.find(({ ok }) => !ok)
  if (broken) return { status: 'refused', detail: broken.detail, steps }
  if (message === null) return { status: null, detail: null, steps }
  const handover = testMessage(ports, app, endpoint, message)
  if (!isEmail(endpoint)) {
    const channel = httpChannels[endpoint.settings.kind as HttpKind](withNetwork(ports))
    const { status, detail } = await channel.deliver(handover, AbortSignal.timeout(testMaxMs))
    channel.close()
    return { status, detail, steps: [...steps, { name: 'message', ok: status === 'sent', detail }] }
  }
  const wording = await createWordingReader(ports).read(handover)
  const sent = await probeMail(withNetwork(ports), { ...handover, endpoint, wording })
  const { status, detail } = sent.outcome
  return { status, detail, steps: [...steps, ...sent.steps.map(shown)] }
}

/** Whom it is for; and in the app's language if no other is given. */
type TestMessage = { recipient: Recipient } & Partial<Pick<Handover, 'locale' | 'variables'>>

const lifeMs = 600_000
/** The longest hand-over of a test message, in ms. */
const testMaxMs = 40_000

/** A message with the usual layout, whose code belongs to no verification. */
function testMessage(
  { clock, random }: ProbePorts,
  app: App,
  endpoint: Endpoint,
  message: TestMessage,
): Handover & { endpoint: Endpoint } {
  const now = clock.now()
  return {
    ...{ deliveryId: newTimedId(random, now), verificationId: newTimedId(random, now) },
    ...{ app, endpoint, locale: null, variables: null, ...message },
    mode: 'live',
    channel: endpoint.channel,
    route: [endpoint.channel],
    code: '000000',
    codeFormat: 'numeric',
    reference: 'TEST',
    createdAt: now,
    expiresAt: now + lifeMs,
  }
}

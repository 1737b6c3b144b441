import { createEgress, type MailEgress } from '../channels/egress.ts'
import { createEmailChannel } from '../channels/email.ts'
import { probeSmtp } from '../channels/probe.ts'
import type { App } from '../domain/app.ts'
import { newId } from '../domain/id.ts'
import type { Channel, Ports } from '../domain/ports.ts'
import { readRecipient } from '../domain/recipient.ts'

type ProbePorts = Pick<Ports, 'keyring' | 'clock' | 'random'> & { egress: MailEgress }

export type TestDelivery = {
  status: 'sent' | 'deferred' | 'refused'
  detail: string | null
  steps: TestStep[]
}

/** The ports of a command, with its own way out. */
export function withEgress<Some extends object>(ports: Some): Some & { egress: MailEgress } {
  return { ...ports, egress: createEgress() }
}

/** One step towards the mail server; `detail` is a sentence that says what to do next. */
export type TestStep = { name: string; ok: boolean; detail: string | null }

/** Connects, agrees on encryption and logs in; sends nothing. */
export async function probeApp(ports: ProbePorts, app: App): Promise<TestStep[]> {
  const steps = await probeSmtp(ports, app)
  return steps.map(({ step, ok, says }) => ({ name: step, ok, detail: says }))
}

/** A real mail, laid out like any other, whose code belongs to no verification. */
export async function sendTestMail(
  ports: ProbePorts,
  email: Channel,
  { app, recipient }: { app: App; recipient: string },
): Promise<TestDelivery> {
  const steps = await probeApp(ports, app)
  const broken = steps.find(({ ok }) => !ok)
  if (broken) return { status: 'refused', detail: broken.detail, steps }

  const now = ports.clock.now()
  const handover = {
    deliveryId: newId(ports.random),
    app,
    recipient: readRecipient(recipient),
    code: '000000',
    codeFormat: 'numeric' as const,
    reference: 'TEST',
    locale: null,
    createdAt: now,
    expiresAt: now + 600_000,
  }
  const { status, detail } = await email.deliver(handover, new AbortController().signal)
  return { status, detail, steps }
}

/** The same without a server, with connections of its own. */
export async function sendTestMailOnce(
  ports: ProbePorts,
  request: { app: App; recipient: string },
): Promise<TestDelivery> {
  const email = createEmailChannel(ports)
  try {
    return await sendTestMail(ports, email, request)
  } finally {
    email.close()
  }
}

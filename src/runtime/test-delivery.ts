import { createEgress } from '../channels/egress.ts'
import type { MailNetwork } from '../channels/email/dial.ts'
import { probeSmtp } from '../channels/email/probe.ts'
import { adviseMailDns } from '../channels/mail-dns/advice.ts'
import { createChannels } from '../channels/registry.ts'
import type { App } from '../domain/app/app.ts'
import type { Endpoint } from '../domain/app/endpoint.ts'
import type { ChannelKind } from '../domain/delivery/channel.ts'
import type { Handover } from '../domain/delivery/delivery.ts'
import { newTimedId } from '../domain/id.ts'
import type { Channel, DnsFinding, Ports } from '../domain/ports.ts'
import type { Recipient } from '../domain/verification/recipient.ts'

type ProbePorts = Pick<
  Ports,
  'keyring' | 'apps' | 'templates' | 'inbox' | 'clock' | 'random' | 'timers'
> &
  Partial<Pick<MailNetwork, 'egress'>>

export type TestDelivery = {
  status: 'sent' | 'deferred' | 'refused'
  detail: string | null
  steps: TestStep[]
}

/** One step of the test; `detail` is a sentence, after a failure with what to do. */
export type TestStep = { name: string; ok: boolean; detail: string | null }

/** Tests connection, encryption and login of an endpoint; sends nothing. */
export async function probeEndpoint(
  ports: ProbePorts,
  app: App,
  endpoint: Endpoint,
): Promise<TestStep[]> {
  const steps = await probeSmtp({ ...ports, egress: ports.egress ?? createEgress() }, app, endpoint)
  return steps.map(({ step, ok, says }) => ({ name: step, ok, detail: says }))
}

/** What the DNS says about the From domains of the app; sends nothing. */
export function testDns(ports: Pick<Ports, 'dns'>, app: App): Promise<DnsFinding[]> {
  return adviseMailDns(ports, app)
}

/**
 * Sends a real message with the usual layout, whose code belongs to no verification. Without
 * `channels` it opens its own connections.
 */
export async function sendTestMail(
  ports: ProbePorts & { channels?: Record<ChannelKind, Channel> },
  app: App,
  endpoint: Endpoint,
  recipient: Recipient,
): Promise<TestDelivery> {
  const steps = await probeEndpoint(ports, app, endpoint)
  const broken = steps.find(({ ok }) => !ok)
  if (broken) return { status: 'refused', detail: broken.detail, steps }

  const own = ports.channels ? null : createChannels({ ...ports, connectionsMax: 1 })
  const channel = (ports.channels ?? own)?.[endpoint.channel]
  if (!channel) throw new Error('an endpoint without a channel')
  try {
    const handover = testMessage(ports, app, endpoint, recipient)
    const { status, detail } = await channel.deliver(handover, new AbortController().signal)
    return { status, detail, steps }
  } finally {
    for (const each of Object.values(own ?? {})) each.close()
  }
}

const lifeMs = 600_000

function testMessage(
  { clock, random }: ProbePorts,
  app: App,
  endpoint: Endpoint,
  recipient: Recipient,
): Handover {
  const now = clock.now()
  return {
    ...{ deliveryId: newTimedId(random, now), verificationId: newTimedId(random, now) },
    ...{ app, endpoint, recipient },
    mode: 'live',
    code: '000000',
    codeFormat: 'numeric',
    reference: 'TEST',
    locale: null,
    variables: null,
    createdAt: now,
    expiresAt: now + lifeMs,
  }
}

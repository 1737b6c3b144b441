import { Webhook } from 'standardwebhooks'
import type { App } from '../domain/app/app.ts'
import { type Endpoint, openSecrets } from '../domain/app/endpoint.ts'
import type { WebhookSecret } from '../domain/app/webhook-fields.ts'
import { type DeliveryOutcome, deferredBy, type Handover } from '../domain/delivery/delivery.ts'
import { lifeLeft } from '../domain/delivery/life.ts'
import type { HttpAnswer } from '../domain/http-out.ts'
import type { Channel, Clock, Ports } from '../domain/ports.ts'
import { renderShort } from '../messages/short.ts'
import { outcomeOfFault, wordsOfFault } from './http-outcome.ts'

type WebhookPorts = Pick<Ports, 'keyring' | 'clock' | 'httpOut'>

/** Posts each message to the admin's own gateway, signed as Standard Webhooks says. */
export function createWebhookChannel(ports: WebhookPorts): Channel {
  return {
    async deliver(handover, signal) {
      const { app, endpoint } = handover
      if (endpoint?.settings.kind !== 'webhook') return refused('server', 'there is no webhook')
      const secrets = openSecrets<WebhookSecret>(ports, app, endpoint)
      if (!secrets) return refused('login', 'the secret of the webhook cannot be opened')
      const { url } = endpoint.settings
      const body = JSON.stringify(bodyOf(handover, ports.clock))
      const headers = headersOf(handover.deliveryId, secrets.secret, body, ports.clock.now())
      const answer = await ports.httpOut({ method: 'POST', url, headers, body, signal })
      return 'fault' in answer ? outcomeOfFault(answer, 'the gateway') : outcomeOf(answer)
    },
    close: () => {},
  }
}

/** Posts a signed request of type `test`, which is no message. */
export async function probeWebhook(
  ports: WebhookPorts,
  app: App,
  endpoint: Endpoint,
): Promise<{ name: string; ok: boolean; detail: string }> {
  const step = { name: 'request', ok: false }
  const secrets = openSecrets<WebhookSecret>(ports, app, endpoint)
  if (endpoint.settings.kind !== 'webhook' || !secrets) {
    return { ...step, detail: 'The secret cannot be opened.' }
  }
  const { url } = endpoint.settings
  const now = ports.clock.now()
  const body = JSON.stringify({ type: 'test', app: app.id, app_name: app.name })
  const headers = headersOf(`test_${endpoint.id}_${now}`, secrets.secret, body, now)
  const answer = await ports.httpOut({ method: 'POST', url, headers, body })
  if ('fault' in answer) return { ...step, detail: `The gateway ${wordsOfFault(answer)}.` }
  const { status } = answer
  return { ...step, ok: status >= 200 && status < 300, detail: `The gateway answered ${status}.` }
}

function bodyOf(handover: Handover, clock: Clock) {
  const { app, recipient, code, codeFormat, reference, expiresAt, variables } = handover
  const life = lifeLeft(expiresAt, clock.now())
  const { language, text } = renderShort({ ...handover, life })
  return {
    type: 'message',
    id: handover.deliveryId,
    app: app.id,
    app_name: app.name,
    verification: handover.verificationId,
    to: recipient.address,
    channel: handover.endpoint?.channel ?? null,
    ...{ code, code_format: codeFormat, locale: language, text, reference, variables },
    expires_at: new Date(expiresAt).toISOString(),
  }
}

/** The id is the same in every try of a delivery. */
function headersOf(id: string, secret: string, body: string, now: number): Record<string, string> {
  const at = new Date(now)
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  }
}

/** Answers that may change: RFC 9110 sections 15.5.9 and 15.6, RFC 8470 (425), RFC 6585 (429). */
const deferring = [408, 425, 429]

function outcomeOf({ status, retryAfterMs }: HttpAnswer): DeliveryOutcome {
  const [code, detail] = [String(status), `the gateway answered ${status}`]
  if (status >= 200 && status < 300) return { status: 'sent', code, detail, remoteId: null }
  if (status >= 500 || deferring.includes(status)) {
    return { ...deferredBy('busy', detail), retryAfterMs, code }
  }
  const cause = status === 401 || status === 403 ? 'login' : 'server'
  return { status: 'refused', cause, code, detail }
}

function refused(cause: 'login' | 'server', detail: string): DeliveryOutcome {
  return { status: 'refused', cause, code: null, detail }
}

import type { App } from '../domain/app/app.ts'
import type { Endpoint } from '../domain/app/endpoint.ts'
import { isWebhook, secretsOf, type WebhookEndpoint } from '../domain/app/endpoint-rotation.ts'
import {
  type DeliveryOutcome,
  deferredBy,
  type Handover,
  type RefusalCause,
} from '../domain/delivery/delivery.ts'
import { lifeLeft } from '../domain/delivery/life.ts'
import type { HttpAnswer, HttpFault, HttpRequest } from '../domain/http-out.ts'
import type { Channel, Ports } from '../domain/ports.ts'
import { renderShort } from '../messages/short.ts'
import { outcomeOfFault, wordsOfFault } from './http-outcome.ts'
import { signedHeaders } from './webhook-signature.ts'

type WebhookPorts = Pick<Ports, 'keyring' | 'clock' | 'httpOut'>

/** Posts each message to the admin's own gateway, signed as Standard Webhooks says. */
export function createWebhookChannel(ports: WebhookPorts): Channel {
  return {
    async deliver(handover, signal, lease) {
      const { app, endpoint, deliveryId: id } = handover
      if (!endpoint || !isWebhook(endpoint)) return refused('server', 'there is no webhook')
      const body = bodyOf(handover, ports.clock.now())
      const answer = await post(ports, app, endpoint, { id, body, signal, lease })
      if (answer === null) return refused('login', cannotOpen)
      if ('fault' in answer) return outcomeOfFault(answer, 'the gateway')
      const outcome = outcomeOf(answer)
      const isTold = outcome.status === 'sent' && outcome.remoteId?.includes(handover.code)
      return isTold ? { ...outcome, remoteId: null } : outcome
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
  if (!isWebhook(endpoint)) return { ...step, detail: 'It is no webhook.' }
  const id = `test_${ports.clock.now()}`
  const body = { type: 'test', id, app: app.id, app_name: app.name }
  const answer = await post(ports, app, endpoint, { id, body })
  if (answer === null) return { ...step, detail: sentence(cannotOpen) }
  if ('fault' in answer) return { ...step, detail: `The gateway ${wordsOfFault(answer)}.` }
  const { status } = answer
  if (isTaken(status)) return { ...step, ok: true, detail: `The gateway answered ${status}.` }
  const outcome = outcomeOf(answer)
  return { ...step, detail: sentence(`${outcome.detail}; ${adviceOf(status)}`) }
}

const cannotOpen = 'the stored secret does not open with this master key; set it again'

function adviceOf(status: number): string {
  if (status === 401 || status === 403) return 'check that it has the same secret, and its clock'
  if (status === 404 || status === 405) return 'check the path of the URL'
  return 'read its log'
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

type Posting = { id: string; body: Record<string, unknown> } & Pick<HttpRequest, 'signal' | 'lease'>

/** Null where the secrets do not open. */
async function post(
  { keyring, clock, httpOut }: WebhookPorts,
  app: App,
  endpoint: WebhookEndpoint,
  { id, body: content, ...bounds }: Posting,
): Promise<HttpAnswer | HttpFault | null> {
  const now = clock.now()
  const secrets = secretsOf({ keyring }, app, endpoint, now)
  if (!secrets) return null
  const { url } = endpoint.settings
  const body = JSON.stringify(content)
  const headers = signedHeaders(secrets, { id, body, now })
  return httpOut({ method: 'POST', url, headers, body, ...bounds })
}

function bodyOf(handover: Handover, now: number) {
  const { app, recipient, code, codeFormat, reference, expiresAt, variables } = handover
  const { language, text } = renderShort({ ...handover, life: lifeLeft(expiresAt, now) })
  return {
    type: 'message',
    id: handover.deliveryId,
    app: app.id,
    app_name: app.name,
    verification: handover.verificationId,
    to: recipient.address,
    to_kind: recipient.kind,
    channel: 'webhook',
    ...{ code, code_format: codeFormat, locale: language, text, reference, variables },
    expires_at: new Date(expiresAt).toISOString(),
  }
}

/** Answers that may change: RFC 9110 section 15.5.9, RFC 8470 (425), RFC 6585 (429). */
const deferring = [408, 425, 429]
const goneStatus = 410

/** What the gateway may say of a refusal, as `cause` in its body; anything else is about itself. */
const saidCauses: RefusalCause[] = ['recipient', 'message', 'unsupported']

/** The outcome by the status; of the body nothing but two words counts, and nothing is kept. */
function outcomeOf({ status, retryAfterMs, body }: HttpAnswer): DeliveryOutcome {
  const [code, detail] = [String(status), `the gateway answered ${status}`]
  const said = readBody(body)
  if (isTaken(status)) return { status: 'sent', code, detail, remoteId: remoteIdOf(said) }
  if (status >= 500 || deferring.includes(status)) {
    return { ...deferredBy('busy', detail), retryAfterMs, code }
  }
  if (status < 400) return refused('server', `${detail}; redirects are not followed`, code)
  if (status === 401 || status === 403) return refused('login', detail, code)
  const cause = saidCauses.find((each) => each === said['cause'])
  return refused(cause ?? (status === goneStatus ? 'gone' : 'server'), detail, code)
}

function isTaken(status: number): boolean {
  return status >= 200 && status < 300
}

function readBody(text: string): Record<string, unknown> {
  try {
    const body = JSON.parse(text)
    return typeof body === 'object' && body !== null ? body : {}
  } catch {
    return {}
  }
}

/** The gateway's own id of the message, where it gives one. */
function remoteIdOf({ id }: Record<string, unknown>): string | null {
  return typeof id === 'string' && /^[\w.:-]{1,128}$/.test(id) ? id : null
}

function refused(
  cause: RefusalCause,
  detail: string,
  code: string | null = null,
): Extract<DeliveryOutcome, { status: 'refused' }> {
  return { status: 'refused', cause, code, detail }
}

import type { Actor } from '../audit.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { type RotationInput, readRotation } from '../webhook/secret.ts'
import type { App } from './app.ts'
import { type Endpoint, openSecrets, sealSecret } from './endpoint.ts'
import { found } from './endpoints.ts'
import { changeApp, findApp, type ManagePorts } from './manage.ts'
import type { WebhookSecrets, WebhookSettings } from './webhook-fields.ts'

export type WebhookEndpoint = Endpoint<WebhookSettings>

/** An endpoint, and its new secret where that was made here, to be shown this once. */
export type Rotated = { endpoint: WebhookEndpoint; secret: string | null }

/**
 * Gives a webhook another secret; the one before signs too for a day, or as long as is given. Throws
 * `app_not_found`, `endpoint_not_found`, `invalid_request`.
 */
export async function rotateSecret(
  ports: ManagePorts,
  actor: Actor,
  { appId, id, ...input }: RotationInput & { appId: string; id: string },
): Promise<Rotated> {
  webhookOf(await findApp(ports, appId), id)
  const { next, isMade, keptMs } = readRotation(ports.random, input)
  const app = await changeApp(ports, actor, { id: appId, action: 'endpoint.rotate' }, (current) => {
    const now = ports.clock.now()
    const until = keptMs === 0 ? null : now + keptMs
    const changed = renewed(ports, current, webhookOf(current, id), { next, until, now })
    const endpoints = current.endpoints.map((other) => (other.id === id ? changed : other))
    return { change: { endpoints }, detail: `endpoint ${id}` }
  })
  return { endpoint: webhookOf(app, id), secret: isMade ? next : null }
}

/** The secrets that sign a message now, the current one first; null where they do not open. */
export function secretsOf(
  ports: Pick<Ports, 'keyring'>,
  app: Pick<App, 'id' | 'dataKey'>,
  endpoint: WebhookEndpoint,
  now: number,
): string[] | null {
  const { formerUntil } = endpoint.settings
  const opened = openSecrets<WebhookSecrets>(ports, app, endpoint)
  if (!opened) return null
  const { secret, former } = opened
  const isOver = former === undefined || formerUntil === null || formerUntil <= now
  return isOver ? [secret] : [secret, former]
}

/** A webhook by its kind. */
export function isWebhook(endpoint: Endpoint): endpoint is WebhookEndpoint {
  return endpoint.settings.kind === 'webhook'
}

function webhookOf(app: App, id: string): WebhookEndpoint {
  const endpoint = found(app, id)
  if (isWebhook(endpoint)) return endpoint
  const reason = 'must be of a webhook: other secrets are changed where they are made'
  throw new Problem('invalid_request', { errors: [{ field: 'endpoint_id', reason }] })
}

function renewed(
  ports: Pick<Ports, 'keyring'>,
  app: App,
  current: WebhookEndpoint,
  { next, until, now }: { next: string; until: number | null; now: number },
): WebhookEndpoint {
  const [before] = secretsOf(ports, app, current, now) ?? []
  const isKept = until !== null && before !== undefined
  const secrets: WebhookSecrets = { secret: next, ...(isKept && { former: before }) }
  const settings = { ...current.settings, formerUntil: isKept ? until : null }
  const secret = { set: JSON.stringify(secrets) }
  const secretSealed = sealSecret(ports, app, { ...current, settings }, { secret, current })
  return { ...current, settings, secretSealed, updatedAt: now }
}

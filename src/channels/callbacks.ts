import type { App } from '../domain/app/app.ts'
import type { Endpoint, EndpointKind } from '../domain/app/endpoint.ts'
import type { Callback, CallbackResult } from '../domain/delivery/callback.ts'
import type { Ports } from '../domain/ports.ts'
import { openGateway } from './phone/phone.ts'
import { takeReports } from './phone/reports.ts'
import { takeTelegramUpdate } from './telegram/webhook.ts'

export type CallbackPorts = Pick<
  Ports,
  | ('apps' | 'bindings' | 'bots' | 'limits' | 'keyring' | 'clock' | 'timers' | 'random')
  | ('verifications' | 'deliveries' | 'outbox')
> & {
  /** How gateways call this server; null where that is not known. */
  publicUrl: string | null
}

/** Verifies the signature, then takes what was told. Its endpoint is of this kind. */
export type TakeCallback = (
  ports: CallbackPorts,
  told: Callback & { app: App; endpoint: Endpoint },
) => Promise<CallbackResult>

/** The kinds of endpoints whose gateways tell something. */
const takers: Partial<Record<EndpointKind, TakeCallback>> = {
  telegram: takeTelegramUpdate,
  twilio: takeReports,
  vonage: takeReports,
  whatsapp: takeReports,
  telegram_gateway: takeReports,
}

/**
 * The answer to the request by which a gateway checks the address of its callbacks; null where it is
 * not for this endpoint.
 */
export async function answerChallenge(
  ports: Pick<CallbackPorts, 'apps' | 'keyring'>,
  { endpointId, query }: { endpointId: string; query: URLSearchParams },
): Promise<string | null> {
  const app = await ports.apps.findByEndpoint(endpointId)
  const endpoint = app?.endpoints.find(({ id }) => id === endpointId)
  const opened = app && endpoint && openGateway(ports, app, endpoint)
  return opened?.gateway.callbacks?.challenge?.(query, opened.secrets) ?? null
}

/** Takes a callback by the kind of its endpoint. */
export async function takeCallback(
  ports: CallbackPorts,
  callback: Callback,
): Promise<CallbackResult> {
  const { endpointId } = callback
  const app = await ports.apps.findByEndpoint(endpointId)
  const endpoint = app?.endpoints.find(({ id }) => id === endpointId)
  const take = endpoint && takers[endpoint.settings.kind]
  if (!app || !endpoint || !take) return { outcome: 'unsigned' }
  return take(ports, { ...callback, app, endpoint })
}

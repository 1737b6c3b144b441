import type { App } from '../../domain/app/app.ts'
import { type Endpoint, openSecrets } from '../../domain/app/endpoint.ts'
import type { GatewaySettings } from '../../domain/app/gateway-fields.ts'
import type { DeliveryOutcome, Handover } from '../../domain/delivery/delivery.ts'
import { lifeLeft } from '../../domain/delivery/life.ts'
import type { Channel, Ports } from '../../domain/ports.ts'
import { renderShort } from '../../messages/short.ts'
import { outcomeOfFault, wordsOfFault } from '../http-outcome.ts'
import type { Gateway, Message } from './gateway.ts'
import { sns } from './sns.ts'
import { telegramGateway } from './telegram-gateway.ts'
import { twilio } from './twilio.ts'
import { vonage } from './vonage.ts'
import { whatsapp } from './whatsapp.ts'

type PhonePorts = Pick<Ports, 'keyring' | 'clock' | 'httpOut'> & { publicUrl: string | null }
type Secrets = Record<string, string>
type AnyGateway = Gateway<GatewaySettings, Secrets>

const gateways: Record<GatewaySettings['kind'], unknown> = {
  twilio,
  vonage,
  sns,
  whatsapp,
  telegram_gateway: telegramGateway,
}

/** The gateway of an endpoint with its settings and secrets; null where there is none. */
export function openGateway(
  ports: Pick<Ports, 'keyring'>,
  app: App,
  endpoint: Endpoint | null,
): { gateway: AnyGateway; settings: GatewaySettings; secrets: Secrets } | null {
  const { settings } = endpoint ?? {}
  if (!endpoint || !settings || !(settings.kind in gateways)) return null
  const secrets = openSecrets<Secrets>(ports, app, endpoint)
  // The kind of the settings says which gateway they are of.
  const gateway = gateways[settings.kind as GatewaySettings['kind']] as AnyGateway
  return secrets && { gateway, settings: settings as GatewaySettings, secrets }
}

/** The address for a gateway's reports; null where the server has no public URL. */
export function callbackUrlOf(publicUrl: string | null, endpointId: string): string | null {
  return publicUrl && `${publicUrl}/v1/inbound/${endpointId}`
}

/** Hands messages to the gateways of telephone numbers. */
export function createPhoneChannel(ports: PhonePorts): Channel {
  return {
    async deliver(handover, signal, lease) {
      const { app, endpoint } = handover
      const opened = openGateway(ports, app, endpoint)
      if (!opened) return refusedHere('login', 'the secrets of the gateway cannot be opened')
      const { gateway, settings, secrets } = opened
      const message = messageOf(handover, ports)
      const request = gateway.send(message, settings, secrets)
      if (request === 'unsupported') {
        return refusedHere('unsupported', `${gateway.name} cannot carry a code of this form`)
      }
      const answer = await ports.httpOut({ ...request, signal, lease })
      if ('fault' in answer) return outcomeOfFault(answer, gateway.name)
      return gateway.outcome(answer, message)
    },
    close: () => {},
  }
}

/** Makes a request that sends nothing and costs nothing, and says what it showed. */
export async function probeGateway(
  ports: PhonePorts,
  app: App,
  endpoint: Endpoint,
): Promise<{ name: string; ok: boolean; detail: string }> {
  const step = { name: 'request', ok: false }
  const opened = openGateway(ports, app, endpoint)
  if (!opened) return { ...step, detail: 'The secrets cannot be opened.' }
  const { gateway, settings, secrets } = opened
  const answer = await ports.httpOut(gateway.probe(settings, secrets, ports.clock.now()))
  if ('fault' in answer) return { ...step, detail: `${gateway.name} ${wordsOfFault(answer)}.` }
  const fault = gateway.probeFault(answer)
  if (fault !== null) return { ...step, detail: `${gateway.name} ${fault}.` }
  return { ...step, ok: true, detail: `${gateway.name} takes the login.` }
}

function messageOf(handover: Handover, { clock, publicUrl }: PhonePorts): Message {
  const { deliveryId, endpoint, recipient, code, codeFormat, expiresAt } = handover
  const now = clock.now()
  const life = lifeLeft(expiresAt, now)
  return {
    ...{ deliveryId, to: recipient.address, code, codeFormat, now },
    text: renderShort({ ...handover, life }).text,
    lifeMs: Math.max(0, expiresAt - now),
    callbackUrl: callbackUrlOf(publicUrl, endpoint?.id ?? ''),
  }
}

function refusedHere(cause: 'login' | 'unsupported', detail: string): DeliveryOutcome {
  return { status: 'refused', cause, code: null, detail }
}

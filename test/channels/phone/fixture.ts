import type { Message } from '../../../src/channels/phone/gateway.ts'
import type { Pace } from '../../../src/domain/app/endpoint-fields.ts'
import type * as fields from '../../../src/domain/app/gateway-fields.ts'
import type { HttpAnswer } from '../../../src/domain/http-out.ts'

export const noon = Date.UTC(2026, 5, 15, 12)
const pace: Pace = { connectionsMax: null, ratePerMinute: null, cost: null }

export const deliveryId = '0123456789abcdefghijABCDEFGHIJ'
export const callbackUrl = 'https://otp.example.com/v1/inbound/AbCdEfGhIjKlMnOpQrStUv'

export const message: Message = {
  deliveryId,
  to: '+4917012345678',
  text: '123456 is your Acme code',
  code: '123456',
  codeFormat: 'numeric',
  lifeMs: 600_000,
  callbackUrl,
  now: noon,
}

export const twilioAccount: { settings: fields.TwilioSettings; secrets: fields.TwilioSecrets } = {
  settings: { ...pace, kind: 'twilio', accountSid: `AC${'1'.repeat(32)}`, from: 'Acme' },
  secrets: { authToken: 'twilio-auth-token' },
}
export const vonageAccount: { settings: fields.VonageSettings; secrets: fields.VonageSecrets } = {
  settings: { ...pace, kind: 'vonage', apiKey: 'abc123', from: 'Acme', signatureMethod: 'sha256' },
  secrets: { apiSecret: 'vonage-secret', signatureSecret: 'vonage-signature-secret' },
}
export const snsAccount: { settings: fields.SnsSettings; secrets: fields.SnsSecrets } = {
  settings: {
    ...{ ...pace, kind: 'sns', region: 'eu-central-1', senderId: 'Acme' },
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  },
  secrets: { secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
}
export const whatsappAccount: {
  settings: fields.WhatsappSettings
  secrets: fields.WhatsappSecrets
} = {
  settings: {
    ...{ ...pace, kind: 'whatsapp', phoneNumberId: '105954558954427' },
    ...{ template: 'codes', templateLanguage: 'en', graphVersion: 'v23.0' },
  },
  secrets: { accessToken: 'meta-token', appSecret: 'meta-app-secret', verifyToken: 'typed-in' },
}
export const telegramGatewayAccount: {
  settings: fields.TelegramGatewaySettings
  secrets: fields.TelegramGatewaySecrets
} = {
  settings: { ...pace, kind: 'telegram_gateway', sender: null },
  secrets: { accessToken: 'telegram-gateway-token' },
}

export function answer(
  status: number,
  body: unknown,
  retryAfterMs: number | null = null,
): HttpAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { status, body: text, headers: new Headers(), retryAfterMs }
}

export const formOf = (body: string | undefined) => Object.fromEntries(new URLSearchParams(body))

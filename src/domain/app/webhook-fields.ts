import {
  type FieldTable,
  type Pace,
  paceFields,
  type ReadSettings,
  readByTable,
  type SettingsReading,
} from './endpoint-fields.ts'

/** The admin's own gateway, which is posted each message (Standard Webhooks). */
export type WebhookSettings = Pace & {
  kind: 'webhook'
  url: string
  /** How long the former secret signs too; null without one. */
  formerUntil: number | null
}

/** What is sealed, as JSON. */
export type WebhookSecrets = { secret: string; former?: string }

export const webhookFields = {
  url: {
    type: 'text',
    min: 1,
    max: 2048,
    must: 'an https URL without user, password and fragment',
    wire: 'url',
    required: true,
    destination: true,
    leads: true,
    read: readUrl,
    says: 'Where each message is posted to.',
  },
  secret: {
    type: 'text',
    min: 1,
    max: 128,
    must: '"whsec_" and 24 to 64 bytes in base64',
    wire: 'secret',
    required: true,
    secret: true,
    asks: 'Secret of the webhook (whsec_...)',
    file: true,
    read: readWebhookSecret,
    says: 'Write-only. Signs each request: "whsec_" and 24 to 64 random bytes in base64.',
  },
  ...paceFields,
} as const satisfies FieldTable

/** An http or https URL in its usual spelling; the egress decides where plain http may go. */
export function readUrl(text: string): string | null {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return null
  return url.username || url.password || url.hash ? null : url.href
}

/** As `readByTable`; another secret ends the former one. */
export function readWebhookSettings(
  reading: SettingsReading,
): ReadSettings<WebhookSettings> | null {
  const read = readByTable<WebhookSettings>('webhook', webhookFields, reading)
  if (!read) return null
  const { formerUntil = null }: Partial<WebhookSettings> = reading.current?.settings ?? {}
  const kept = read.secret === 'keep' ? formerUntil : null
  return { ...read, settings: { ...read.settings, formerUntil: kept } }
}

/** A secret of Standard Webhooks. */
export function readWebhookSecret(text: string): string | null {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1]
  if (base64 === undefined || base64.length % 4 !== 0) return null
  const bytes = (base64.length / 4) * 3 - (base64.match(/=/g)?.length ?? 0)
  return bytes >= 24 && bytes <= 64 ? text : null
}

import type { EventType } from '../event.ts'
import { type Field, isWithin } from '../field.ts'
import type { SealPlace } from '../keyring.ts'

/** What webhooks are told of: a closed set, so that a receiver can handle every one. */
export const webhookTypes = [
  'verification.approved',
  'verification.canceled',
  'verification.expired',
  'verification.exhausted',
  'delivery.sent',
  'delivery.delivered',
  'delivery.failed',
  'delivery.bounced',
  'app.alarm',
] as const
export type WebhookType = (typeof webhookTypes)[number]

/** The type under which an event is told; null for one that is not. */
export const toldAs: Record<EventType, WebhookType | null> = {
  'verification.approved': 'verification.approved',
  'verification.exhausted': 'verification.exhausted',
  'verification.canceled': 'verification.canceled',
  'verification.expired': 'verification.expired',
  'delivery.sent': 'delivery.sent',
  'delivery.deferred': null,
  'delivery.refused': 'delivery.failed',
  'delivery.undeliverable': 'delivery.failed',
  'delivery.delayed': null,
  'delivery.bounced': 'delivery.bounced',
  'delivery.delivered': 'delivery.delivered',
  'delivery.failed': 'delivery.failed',
  'budget.exhausted': null,
  'alarm.raised': 'app.alarm',
  'alarm.cleared': 'app.alarm',
}

/**
 * Why a webhook is off. `admin`: switched off by hand. `gone`: the receiver answered 410. `failing`:
 * no message arrived for days.
 */
export const offCauses = ['admin', 'gone', 'failing'] as const
export type OffCause = (typeof offCauses)[number]

/** A URL of an app that is told of its events, as Standard Webhooks has it. */
export type Webhook = {
  id: string
  url: string
  types: WebhookType[]
  /** Whether it is also told of what test keys do. */
  testEvents: boolean
  /** Signs every message; bound to the webhook and its URL, as the former one. */
  secretSealed: Uint8Array
  /** The secret before, which signs too until `formerUntil`, so that none is refused meanwhile. */
  formerSealed: Uint8Array | null
  formerUntil: number | null
  /** Since when nothing is sent; messages wait. Null while it is on. */
  offSince: number | null
  offCause: OffCause | null
  createdAt: number
  updatedAt: number
}

/** How a webhook stands, which changes with its messages. */
export type WebhookState = {
  id: string
  /** Messages that have not ended. */
  waiting: number
  /** When the first of the tries failed since one succeeded; null after a success. */
  failingSince: number | null
}

/** Webhooks of an app. */
export const webhooksMax = 10

type WebhookField = Field & { wire: string }

/** The fields that an admin sets. */
export const webhookFields = {
  url: {
    type: 'text',
    min: 9,
    max: 2048,
    must: 'an https URL of at most 2048 characters, without a login and a fragment',
    wire: 'url',
    says: 'Where messages are posted to: https, without a login and a fragment.',
  },
  testEvents: {
    type: 'boolean',
    wire: 'test_events',
    says: 'Also tell of what test keys do (default: no).',
  },
  enabled: {
    type: 'boolean',
    wire: 'enabled',
    says: 'Whether it is on. While it is off its messages wait, at most seven days.',
  },
  secret: {
    type: 'text',
    min: 38,
    max: 98,
    must: '"whsec_" and base64 of 24 to 64 bytes',
    wire: 'secret',
    says: 'Signs the messages: "whsec_" and base64 of 24 to 64 bytes; made if absent. Write-only.',
  },
} as const satisfies Record<string, WebhookField>

export const typesSay = 'What it is told of; everything if absent.'

/** How long the former secret signs too: a day, where the admin does not say. */
export const formerSecondsField = {
  type: 'integer',
  min: 0,
  max: 604_800,
  wire: 'keep_former_seconds',
  says: 'Seconds that the former secret signs too (default 86400). 0 ends it at once.',
} as const satisfies WebhookField
export const formerSecondsUsual = 86_400

export function isWebhookType(value: unknown): value is WebhookType {
  return webhookTypes.some((type) => type === value)
}

/** The URL in its usual form; undefined for anything else than https or http to a host. */
export function readWebhookUrl(value: unknown): string | undefined {
  if (!isWithin(webhookFields.url, value) || !URL.canParse(String(value))) return undefined
  const { protocol, username, password, hash, hostname, href } = new URL(String(value))
  const isWeb = protocol === 'https:' || protocol === 'http:'
  if (!isWeb || hostname === '' || username !== '' || password !== '' || hash !== '')
    return undefined
  return isWithin(webhookFields.url, href) ? href : undefined
}

/** The place that a webhook's secret is bound to. */
export function webhookPlace(
  { id, url }: Pick<Webhook, 'id' | 'url'>,
  column: 'secret_sealed' | 'former_sealed',
): SealPlace {
  return { table: 'webhooks', row: id, column, binding: url }
}

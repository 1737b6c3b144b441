import { readUrl } from '../app/webhook-fields.ts'
import type { EventType } from '../event.ts'
import { type Field, isWithin } from '../field.ts'
import type { SealPlace } from '../keyring.ts'

/** What webhooks are told of: a closed set, so that a receiver can handle every one. */
export const webhookTypes = [
  'verification.approved',
  'verification.canceled',
  'verification.expired',
  'verification.exhausted',
  'verification.reported',
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
  'verification.reported': 'verification.reported',
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
    min: 8,
    max: 2048,
    must: 'an https URL without user, password and fragment',
    wire: 'url',
    says: 'Where messages are posted to. Plain http only within OTPMINT_EGRESS_ALLOW.',
  },
  types: {
    type: 'list',
    of: webhookTypes,
    min: 1,
    max: webhookTypes.length,
    wire: 'types',
    says: 'What it is told of; everything if absent.',
  },
  testEvents: {
    type: 'boolean',
    wire: 'test_events',
    says: 'Whether it is also told of what test keys do; false if absent.',
  },
  enabled: {
    type: 'boolean',
    wire: 'enabled',
    says: 'Whether it is on. While it is off its messages wait, for seven days at most.',
  },
  secret: {
    type: 'text',
    min: 38,
    max: 128,
    must: '"whsec_" and 24 to 64 bytes in base64',
    wire: 'secret',
    says: 'Write-only. Signs its messages: "whsec_" and 24 to 64 bytes in base64; made if absent.',
  },
  keepFormerSeconds: {
    type: 'integer',
    min: 0,
    max: 604_800,
    wire: 'keep_former_seconds',
    says: 'Seconds that the former secret signs too; a day if absent, 0 ends it at once.',
  },
} as const satisfies Record<string, WebhookField>

export const formerSecondsUsual = 86_400

/** The URL in its usual spelling; undefined for anything else. The egress judges where it leads. */
export function readWebhookUrl(value: unknown): string | undefined {
  if (!isWithin(webhookFields.url, value)) return undefined
  const url = readUrl(String(value))
  return url !== null && isWithin(webhookFields.url, url) ? url : undefined
}

/** The place that a webhook's secret is bound to. */
export function webhookPlace(
  { id, url }: Pick<Webhook, 'id' | 'url'>,
  column: 'secret_sealed' | 'former_sealed',
): SealPlace {
  return { table: 'webhooks', row: id, column, binding: url }
}

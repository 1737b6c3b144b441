import { readWebhookSecret as readSecret } from '../app/webhook-fields.ts'
import { isWithin } from '../field.ts'
import type { Random } from '../ports.ts'
import { webhookFields } from './webhook.ts'

/** A new secret of 256 bits, as Standard Webhooks writes them. */
export function newWebhookSecret(random: Random): string {
  return `whsec_${Buffer.from(random.bytes(32)).toString('base64')}`
}

/** The secret as it was given; undefined for anything else. */
export function readWebhookSecret(value: unknown): string | undefined {
  if (!isWithin(webhookFields.secret, value)) return undefined
  return readSecret(String(value)) ?? undefined
}

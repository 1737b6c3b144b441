import { isWithin } from '../field.ts'
import type { Random } from '../ports.ts'
import { webhookFields } from './webhook.ts'

const prefix = 'whsec_'
const [bytesMin, bytesMax] = [24, 64]

/** A new secret of 256 bits, as Standard Webhooks writes them. */
export function newWebhookSecret(random: Random): string {
  return prefix + Buffer.from(random.bytes(32)).toString('base64')
}

/** The secret as it was given; undefined unless it is base64 of 24 to 64 bytes behind its prefix. */
export function readWebhookSecret(value: unknown): string | undefined {
  if (!isWithin(webhookFields.secret, value)) return undefined
  const text = String(value)
  const bytes = Buffer.from(text.slice(prefix.length), 'base64')
  const isRight = text === prefix + bytes.toString('base64')
  return isRight && bytes.length >= bytesMin && bytes.length <= bytesMax ? text : undefined
}

/** The key of a secret. */
export function webhookKey(secret: string): Uint8Array {
  return new Uint8Array(Buffer.from(secret.slice(prefix.length), 'base64'))
}

import { readWebhookSecret as readSecret } from '../app/webhook-fields.ts'
import { isWithin, mustBe } from '../field.ts'
import type { Random } from '../ports.ts'
import { type FieldError, refuseIfAny } from '../problem.ts'
import { formerSecondsUsual, webhookFields } from './webhook.ts'

/** A new secret of 256 bits, as Standard Webhooks writes them. */
export function newWebhookSecret(random: Random): string {
  return `whsec_${Buffer.from(random.bytes(32)).toString('base64')}`
}

/** The secret as it was given; undefined for anything else. */
export function readWebhookSecret(value: unknown): string | undefined {
  if (!isWithin(webhookFields.secret, value)) return undefined
  return readSecret(String(value)) ?? undefined
}

/** The replacement of a secret as received, not validated. */
export type RotationInput = {
  /** Made if absent. */
  secret?: unknown
  keepFormerSeconds?: unknown
  mistakes?: FieldError[]
}

/** The next secret, and how long the former one signs too; 0 for not at all. */
export type Rotation = { next: string; isMade: boolean; keptMs: number }

/** Throws `invalid_request` with every mistake. */
export function readRotation(random: Random, input: RotationInput): Rotation {
  const { secret, keepFormerSeconds: kept = formerSecondsUsual, mistakes = [] } = input
  const given = secret === undefined ? undefined : readWebhookSecret(secret)
  if (secret !== undefined && given === undefined) {
    mistakes.push({ field: 'secret', reason: mustBe(webhookFields.secret) })
  }
  const { keepFormerSeconds: field } = webhookFields
  if (!isWithin(field, kept)) mistakes.push({ field: field.wire, reason: mustBe(field) })
  refuseIfAny(mistakes)
  const next = given ?? newWebhookSecret(random)
  return { next, isMade: given === undefined, keptMs: Number(kept) * 1000 }
}

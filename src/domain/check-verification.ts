import { readCode } from './code.ts'
import type { Ports } from './ports.ts'
import { invalidField, Problem } from './problem.ts'
import { statusOf, type Verification } from './verification.ts'

export type CheckRequest = { appId: string; id: string; code: unknown }
export type CheckResult = { valid: boolean; verification: Verification }

/**
 * Charges an attempt and judges it in one step: parallel guesses cannot share an attempt, and one
 * code is accepted once. Every front door checks codes through here. A wrong code is an outcome.
 *
 * Throws `invalid_request` for what cannot be this verification's code (no attempt is spent),
 * `verification_not_found`, `_expired`, `_exhausted`, `_used`, `_canceled`, `store_unavailable`.
 */
export async function checkVerification(
  { verifications, keyring, clock }: Pick<Ports, 'verifications' | 'keyring' | 'clock'>,
  { appId, id, code }: CheckRequest,
): Promise<CheckResult> {
  const now = clock.now()
  const typed = readCode(code)
  if (!typed) throw invalidField('code', 'must be the digits of the code, as a string')

  const charged = await verifications.chargeAttempt({
    appId,
    id,
    format: typed.format,
    length: typed.code.length,
    digests: keyring.codeDigests(appId, id, typed.code),
    now,
  })
  if (charged) return { valid: charged.status === 'approved', verification: charged }

  const verification = await verifications.get(appId, id)
  if (verification && statusOf(verification, now) === 'pending') {
    throw invalidField('code', 'must be as long as code_length says')
  }
  throw refusalOf(verification, now)
}

/** Why nothing can be done with a verification that is not pending. */
export function refusalOf(verification: Verification | null, now: number): Problem {
  if (!verification) return new Problem('verification_not_found')
  const status = statusOf(verification, now)
  if (status === 'approved') return new Problem('verification_used')
  if (status === 'canceled') return new Problem('verification_canceled')
  return new Problem(status === 'expired' ? 'verification_expired' : 'verification_exhausted')
}

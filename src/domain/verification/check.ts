import type { Ports } from '../ports.ts'
import { invalidField, Problem, secondsUntil } from '../problem.ts'
import { type CodeFormat, readCode } from './code.ts'
import type { AttemptResult, KeptRequest } from './stores.ts'
import { statusOf, type Verification, type VerificationKey } from './verification.ts'

export type CheckRequest = VerificationKey & {
  code: unknown
  /** A repeat with the same code gets the same answer and spends nothing. */
  idempotencyKey?: string | undefined
}

/** `at` is when the code was judged; for a repeated request the first time. */
export type CheckResult = {
  valid: boolean
  replayed: boolean
  at: number
  verification: Verification
}

type CheckPorts = Pick<Ports, 'verifications' | 'keyring' | 'clock' | 'outbox'>

/** How long the answer to a check is kept for its Idempotency-Key. */
export const checkKeptMs = 600_000

/**
 * Charges an attempt and judges it in one step: parallel guesses cannot share an attempt, and one
 * code is accepted once. Every API checks codes through here. A wrong code is an outcome.
 *
 * Throws `invalid_request` for what cannot be this verification's code and `check_too_early` with the
 * seconds to wait (no attempt is spent), `verification_not_found`, `_expired`, `_exhausted`, `_used`, `_canceled`,
 * `idempotency_key_reused`, `store_unavailable`.
 */
export async function checkVerification(
  ports: CheckPorts,
  request: CheckRequest,
): Promise<CheckResult> {
  const result = await checkAsOf(ports, request, null)
  if (!result) throw new Error('the app has changed, which nobody asked')
  return result
}

/**
 * Like `checkVerification` for a caller that `recallByKey` found. Null where the app has changed since:
 * nothing was done, and the caller is to be authenticated anew.
 */
export async function checkAsOf(
  ports: CheckPorts,
  request: CheckRequest,
  asOf: number | null,
): Promise<CheckResult | null> {
  const { verifications, keyring, clock, outbox } = ports
  const { appId, mode, id, code } = request
  const now = clock.now()
  const typed = readCode(code)
  if (!typed) throw invalidField('code', 'must be the digits of the code, as a string')

  const result = await verifications.chargeAttempt({
    appId,
    mode,
    id,
    format: typed.format,
    length: typed.code.length,
    digests: keyring.codeDigests(appId, id, typed.code),
    now,
    events: { approved: 'verification.approved', exhausted: 'verification.exhausted' },
    idempotency: keptCheck(ports, request, typed.code, now),
    asOf,
  })
  if (result.outcome === 'app_changed') return null
  if (result.outcome !== 'judged' && result.outcome !== 'replayed') {
    throw refusal(ports, result, { length: typed.code.length, format: typed.format, now })
  }
  const { verification } = result
  const valid = verification.status === 'approved'
  if (valid) outbox.withdraw(id)
  const replayed = result.outcome === 'replayed'
  return { valid, replayed, at: replayed ? result.at : now, verification }
}

function keptCheck(
  { keyring }: Pick<Ports, 'keyring'>,
  { appId, mode, id, idempotencyKey }: CheckRequest,
  code: string,
  now: number,
): KeptRequest | null {
  if (idempotencyKey === undefined) return null
  return {
    key: keyring.fingerprint(appId, `check\0${mode}\0${id}\0${idempotencyKey}`),
    fingerprint: keyring.fingerprint(appId, `code\0${mode}\0${id}\0${code}`),
    since: now - checkKeptMs,
  }
}

function refusal(
  { keyring }: Pick<Ports, 'keyring'>,
  result: Extract<AttemptResult, { outcome: 'refused' | 'key_reused' }>,
  { length, format, now }: { length: number; format: CodeFormat; now: number },
): Problem {
  if (result.outcome === 'key_reused') return new Problem('idempotency_key_reused')
  const { verification } = result
  if (verification && statusOf(verification, now) === 'pending') {
    // A rotation under a clock that was ahead has deleted its key as expired.
    if (!keyring.hasCodeKey(verification.codeKeyId)) return new Problem('verification_expired')
    const { codeLength, codeFormat, checkAt } = verification
    if (codeLength === length && codeFormat === format && checkAt !== null) {
      return new Problem('check_too_early', { retryAfterSeconds: secondsUntil(checkAt, now) })
    }
    return invalidField('code', 'must be as long as code_length says')
  }
  return refusalOf(verification, now)
}

/** The refusal of a verification that is unknown or not pending. */
export function refusalOf(verification: Verification | null, now: number): Problem {
  if (!verification) return new Problem('verification_not_found')
  const status = statusOf(verification, now)
  if (status === 'approved') return new Problem('verification_used')
  if (status === 'canceled') return new Problem('verification_canceled')
  return new Problem(status === 'expired' ? 'verification_expired' : 'verification_exhausted')
}

import { invalidField, Problem } from '../../domain/problem.ts'
import { checkVerification } from '../../domain/verification/check.ts'
import type { Context, Reply } from '../core/api.ts'
import { text } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import { isDeadKey } from './api.ts'

/** Checks codes of `/otp` only, because this call names no app. */
export async function verify(
  ports: RoutePorts,
  { client, draft: { fields } }: Context & { draft: Draft },
): Promise<Reply> {
  const { shareableKey: id, otp } = fields
  if (typeof id !== 'string') throw invalidField('shareableKey', 'must be a string')
  if (typeof otp !== 'string') throw invalidField('otp', 'must be a string')
  const key = await ports.verifications.findShareable(id)
  try {
    if (!key) throw new Problem('verification_not_found')
    const { valid } = await checkVerification(ports, { ...key, code: otp })
    ports.metrics.count('otpmint_checks_total', valid ? 'approved' : 'wrong')
    return valid ? text('OTP Matched!', 201) : text('OTP Mismatched!', 403)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    // Text that cannot be the code is a mismatch and costs no attempt.
    if (error.code === 'invalid_request') return text('OTP Mismatched!', 403)
    if (isDeadKey(error)) await ports.guard.chargeFailure(client())
    throw error
  }
}

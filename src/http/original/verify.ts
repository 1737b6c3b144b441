import { invalidField, Problem } from '../../domain/problem.ts'
import { checkVerification } from '../../domain/verification/check.ts'
import type { Context, Reply } from '../core/api.ts'
import { text } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import { isDeadKey } from './api.ts'

const nobodys = { appId: '0'.repeat(22), mode: 'live' } as const

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
    // An unknown id is checked too, so that its answer takes as long as that of a used one.
    const { valid } = await checkVerification(ports, { ...(key ?? nobodys), id, code: otp })
    ports.metrics.count('otpmint_checks_total', valid ? 'approved' : 'wrong')
    return valid ? text('OTP Matched!', 201) : text('OTP Mismatched!', 403)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    // Text that cannot be the code is a mismatch and costs no attempt.
    const isNoCode = error.code === 'invalid_request'
    if (isNoCode && key) return text('OTP Mismatched!', 403)
    const refusal = isNoCode ? new Problem('verification_not_found') : error
    if (isDeadKey(refusal)) await ports.guard.chargeFailure(client())
    throw refusal
  }
}

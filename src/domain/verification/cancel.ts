import type { Ports } from '../ports.ts'
import { refusalOf } from './check.ts'
import type { Verification, VerificationKey } from './verification.ts'

/**
 * Ends a verification that is pending as of `now`: its code is refused and nothing further is sent.
 */
export async function cancelVerification(
  { verifications, clock, outbox }: Pick<Ports, 'verifications' | 'clock' | 'outbox'>,
  key: VerificationKey,
  now = clock.now(),
): Promise<Verification> {
  const canceled = await verifications.cancel({ ...key, now, event: 'verification.canceled' })
  if (!canceled) throw refusalOf(await verifications.get(key), now)
  outbox.withdraw(key.id)
  return canceled
}

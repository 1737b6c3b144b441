import { refusalOf } from './check-verification.ts'
import type { Ports } from './ports.ts'
import type { Verification } from './verification.ts'

/** Ends a pending verification: its code is refused and nothing further is sent. */
export async function cancelVerification(
  { verifications, clock }: Pick<Ports, 'verifications' | 'clock'>,
  { appId, id }: { appId: string; id: string },
): Promise<Verification> {
  const now = clock.now()
  const canceled = await verifications.cancel({ appId, id, now })
  if (!canceled) throw refusalOf(await verifications.get(appId, id), now)
  return canceled
}

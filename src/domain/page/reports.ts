import { isTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { cancelVerification } from '../verification/cancel.ts'
import { dayMs } from '../verification/limits.ts'
import type { VerificationKey } from '../verification/verification.ts'
import { isPageToken, isSameSecret, linkSecret } from './page.ts'

/** The alarm of an app is on while more verifications than this were reported in `reportWindowMs`. */
export const reportsMax = 5
export const reportWindowMs = dayMs

type ReportPorts = Pick<Ports, 'pages' | 'verifications' | 'keyring' | 'clock' | 'outbox'>

/** The verification that a link of "this was not me" belongs to; null for any other link. */
export async function readReportLink(
  { pages, keyring }: Pick<ReportPorts, 'pages' | 'keyring'>,
  { id, secret }: { id: string; secret: string },
): Promise<VerificationKey | null> {
  if (!isTimedId(id) || !isPageToken(secret)) return null
  const key = await pages.find(id)
  return key && isSameSecret(secret, linkSecret(keyring, 'report', key)) ? key : null
}

/**
 * Writes that a person did not ask for a code, once for a verification, whatever became of it; one that
 * is pending is canceled. Throws `store_unavailable`.
 */
export async function reportVerification(ports: ReportPorts, key: VerificationKey): Promise<void> {
  const now = ports.clock.now()
  await ports.pages.report({ ...key, now, event: 'verification.reported' })
  try {
    await cancelVerification(ports, key, now)
  } catch (error) {
    if (!(error instanceof Problem) || error.code === 'store_unavailable') throw error
  }
}

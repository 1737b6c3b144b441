import { type App, recipientPlace } from './app.ts'
import { refusalOf } from './check-verification.ts'
import { newTimedId } from './id.ts'
import type { Ports } from './ports.ts'
import { Problem } from './problem.ts'
import { handover, leaseMs } from './start-verification.ts'
import { statusOf, type Verification } from './verification.ts'

/**
 * Sends the same code again: same expiry, attempts not reset (NIST SP 800-63B-4 3.1.3.2).
 * Throws `resend_too_early` with the seconds to wait, `sends_exhausted`, the refusals of a check.
 */
export async function resendVerification(
  ports: Pick<Ports, 'verifications' | 'keyring' | 'clock' | 'random' | 'outbox' | 'settings'>,
  { app, id }: { app: App; id: string },
): Promise<{ verification: Verification; deliveryId: string }> {
  const { verifications, keyring, clock, random, outbox, settings } = ports
  const now = clock.now()
  const deliveryId = newTimedId(random, now)
  const nextResendAt = now + settings.resendAfterSeconds * 1000
  const claimed = await verifications.claimResend({
    appId: app.id,
    id,
    now,
    nextResendAt,
    delivery: { id: deliveryId, leaseUntil: now + leaseMs },
  })
  if (!claimed) throw resendRefusal(await verifications.get(app.id, id), now)

  const { verification } = claimed
  const sealed = await verifications.sealedRecipient(app.id, id)
  if (sealed) {
    const recipient = keyring.open(app.id, app.dataKey, recipientPlace(id), sealed)
    const delivery = {
      id: deliveryId,
      appId: app.id,
      verificationId: id,
      channel: verification.channel,
      status: 'queued' as const,
      detail: null,
      tries: 0,
      createdAt: now,
      expiresAt: verification.expiresAt,
    }
    outbox.offer(delivery, handover(ports, app, verification, delivery, recipient))
  }
  return { verification, deliveryId }
}

function resendRefusal(verification: Verification | null, now: number): Problem {
  if (!verification || statusOf(verification, now) !== 'pending') {
    return refusalOf(verification, now)
  }
  if (verification.resendsSpent >= verification.resendsMax) return new Problem('sends_exhausted')
  const retryAfterSeconds = Math.max(1, Math.ceil((verification.resendAt - now) / 1000))
  return new Problem('resend_too_early', { retryAfterSeconds })
}

import type { App } from '../app/app.ts'
import { firstLane, handover, leaseMs, openSealed, queuedDelivery } from '../delivery/handover.ts'
import { newTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { Problem, secondsUntil } from '../problem.ts'
import type { NewDelivery } from '../stores.ts'
import { refusalOf } from './check.ts'
import { type Mode, statusOf, type Verification } from './verification.ts'

type ResendPorts = Pick<
  Ports,
  'verifications' | 'keyring' | 'clock' | 'random' | 'outbox' | 'settings' | 'node'
>

/**
 * Sends the same code again: same expiry, attempts not reset (NIST SP 800-63B-4 3.1.3.2).
 * Throws `resend_too_early` with the seconds to wait, `sends_exhausted`, the refusals of a check.
 */
export async function resendVerification(
  ports: ResendPorts,
  { app, mode, id }: { app: App; mode: Mode; id: string },
): Promise<Verification> {
  const { verifications, keyring, clock, random, outbox, settings, node } = ports
  const key = { appId: app.id, mode, id }
  const now = clock.now()
  const current = await verifications.get(key)
  if (!current) throw refusalOf(null, now)
  if (!keyring.hasCodeKey(current.codeKeyId)) throw new Problem('verification_expired')

  const lane = firstLane(app, current.channel)
  const isHeld = outbox.reserve(lane)
  const delivery: NewDelivery = {
    id: newTimedId(random, now),
    channel: current.channel,
    endpointId: lane.endpointId,
    createdAt: now,
    lease: isHeld ? { node, until: now + leaseMs } : null,
  }
  const resendAfterMs = settings.resendAfterSeconds * 1000
  let isOffered = false
  try {
    const claimed = await verifications.claimResend({ ...key, now, resendAfterMs, delivery })
    if (!claimed) throw refusal(await verifications.get(key), now)
    isOffered = isHeld && (await offer(ports, app, claimed, delivery))
    return claimed
  } finally {
    if (isHeld && !isOffered) outbox.release(lane)
    if (!isHeld) outbox.wake(lane)
  }
}

/** False when the address is gone: the code was just used or canceled, or its key was deleted. */
async function offer(
  ports: ResendPorts,
  app: App,
  verification: Verification,
  queued: NewDelivery,
): Promise<boolean> {
  const { verifications, outbox } = ports
  const { id, mode } = verification
  const sealed = await verifications.sealed({ appId: app.id, mode, id })
  if (!sealed) return false
  const opened = openSealed(ports, { app, id, sealed })
  if (!opened) return false
  const delivery = queuedDelivery(verification, queued)
  outbox.offer(delivery, handover(ports, { app, verification, delivery, ...opened }))
  return true
}

function refusal(verification: Verification | null, now: number): Problem {
  if (!verification || statusOf(verification, now) !== 'pending') {
    return refusalOf(verification, now)
  }
  if (verification.resendsSpent >= verification.resendsMax) return new Problem('sends_exhausted')
  const retryAfterSeconds = secondsUntil(verification.resendAt, now)
  return new Problem('resend_too_early', { retryAfterSeconds })
}

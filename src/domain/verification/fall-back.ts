import { stopAfter } from '../delivery/after-try.ts'
import { routeOf } from '../delivery/handover.ts'
import { type QueuePorts, queueNext } from '../delivery/queue-next.ts'
import type { Ports } from '../ports.ts'
import type { Verification } from './verification.ts'

/**
 * Sends the code through the next channel, because it was not approved in time; what is on its way
 * through the others is stopped. Null when the verification is over, was moved meanwhile, or has no
 * channel left.
 */
export async function fallBack(
  ports: QueuePorts & Pick<Ports, 'apps'>,
  verification: Verification,
): Promise<Verification | null> {
  const { apps, verifications, keyring, clock } = ports
  const { id, appId, mode, route, channel, fallBackAt, codeKeyId } = verification
  if (fallBackAt === null) return null
  const now = clock.now()
  const place = { id, appId, mode, now, fallBackAt }
  const app = await apps.get(appId)
  const kinds = route.map((stop) => stop.channel)
  const next = app && keyring.hasCodeKey(codeKeyId) && stopAfter(routeOf(app, kinds, null), channel)
  if (!app || !next) {
    await verifications.fallBack({ ...place, move: null })
    return null
  }
  return queueNext(ports, { app, verification, channel: next.channel, now }, (move) =>
    verifications.fallBack({ ...place, move }),
  )
}

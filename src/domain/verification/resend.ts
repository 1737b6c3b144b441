import type { App } from '../app/app.ts'
import type { ChannelKind } from '../delivery/channel.ts'
import { type QueuePorts, queueNext } from '../delivery/queue-next.ts'
import type { Ports } from '../ports.ts'
import { invalidField, Problem, secondsUntil } from '../problem.ts'
import { refusalOf } from './check.ts'
import { type Mode, statusOf, type Verification } from './verification.ts'

export type ResendRequest = {
  app: App
  mode: Mode
  id: string
  /** By default that of the latest message. */
  channel?: ChannelKind | undefined
}

/**
 * Sends the same code again: same expiry, attempts not reset (NIST SP 800-63B-4 3.1.3.2). Another
 * channel of the route is used from then on, and what is on its way through the others is stopped.
 * Throws `resend_too_early` with the seconds to wait, `sends_exhausted`, `invalid_request` for a
 * channel that is not in the route, the refusals of a check.
 */
export async function resendVerification(
  ports: QueuePorts & Pick<Ports, 'settings'>,
  { app, mode, id, channel: asked }: ResendRequest,
): Promise<Verification> {
  const { verifications, keyring, clock, settings } = ports
  const key = { appId: app.id, mode, id }
  const now = clock.now()
  const current = await verifications.get(key)
  if (!current) throw refusalOf(null, now)
  if (!keyring.hasCodeKey(current.codeKeyId)) throw new Problem('verification_expired')
  const channel = channelOf(current, asked)

  const resendAfterMs = settings.resendAfterSeconds * 1000
  const wanted = { app, verification: current, channel, now }
  const resent = await queueNext(ports, wanted, (move) =>
    verifications.claimResend({ ...key, now, resendAfterMs, ...move }),
  )
  if (!resent) throw refusal(await verifications.get(key), now)
  return resent
}

function channelOf({ channel, route }: Verification, asked: ChannelKind | undefined): ChannelKind {
  if (asked === undefined) return channel
  const channels = route.map((stop) => stop.channel)
  if (channels.includes(asked)) return asked
  throw invalidField('channel', `must be of the verification’s route: ${channels.join(', ')}`)
}

function refusal(verification: Verification | null, now: number): Problem {
  if (!verification || statusOf(verification, now) !== 'pending') {
    return refusalOf(verification, now)
  }
  if (verification.resendsSpent >= verification.resendsMax) return new Problem('sends_exhausted')
  const retryAfterSeconds = secondsUntil(verification.resendAt, now)
  return new Problem('resend_too_early', { retryAfterSeconds })
}

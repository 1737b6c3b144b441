import type { App } from '../app/app.ts'
import { deliveryData } from '../event.ts'
import { newTimedId } from '../id.ts'
import type { Ports } from '../ports.ts'
import { Problem, secondsUntil } from '../problem.ts'
import { deriveCode } from '../verification/code.ts'
import type { Verification } from '../verification/verification.ts'
import type { Cause, Delivery } from './delivery.ts'
import { followOf } from './follow.ts'
import { tracedRange, traceOf } from './trace.ts'

/** What a returned message says (RFC 3464) about the first recipient that it is about. */
export type BounceReport = {
  /** Every text in it that may be the trace of a message. */
  traces: string[]
  action: 'failed' | 'delayed'
  /** As of a reply of a mail server; null where nothing follows from it. */
  cause: Cause | null
  /** The server's code, such as `550 5.1.1`. */
  code: string
  /** The server's words, one line, without addresses. */
  detail: string
}

/** What became of a report: its sender is told nothing of it. */
export const bounceResults = ['bounced', 'delayed', 'unknown', 'ignored'] as const
export type BounceResult = (typeof bounceResults)[number]

type BouncePorts = Pick<
  Ports,
  'verifications' | 'deliveries' | 'events' | 'limits' | 'keyring' | 'clock' | 'random' | 'outbox'
> & { readBounce(raw: Uint8Array): Promise<BounceReport | null> }

/** Reports of one app in a minute: reading one costs more than a start. */
const perMinute = 600
/** Messages of one app whose ids are of the same millisecond. */
const tracedMax = 1_000

/**
 * Records a returned message of the app: its delivery is bounced, the next channel of its route
 * follows, and its recipient is suppressed where the address is wrong. Changes nothing for a message of another app, for one that nobody
 * sent, for a verification that is approved, and for a second report. Throws `rate_limited`.
 */
export async function recordBounce(
  ports: BouncePorts,
  { app, raw }: { app: App; raw: Uint8Array },
): Promise<BounceResult> {
  await takeFromLimit(ports, app)
  const report = await ports.readBounce(raw)
  if (report === null) return 'ignored'
  const delivery = await findTraced(ports, app, report.traces)
  if (delivery === null) return 'unknown'

  const { id, appId, mode, verificationId, channel, chosen } = delivery
  const verification = await ports.verifications.get({ appId, mode, id: verificationId })
  if (verification === null || verification.status === 'approved') return 'ignored'
  const now = ports.clock.now()
  const { cause, code } = report
  const detail = withoutCode(ports, verification, report.detail)
  if (report.action === 'delayed') {
    const data = deliveryData({ delivery, detail, code })
    await ports.events.add({ at: now, appId, type: 'delivery.delayed', verificationId, data })
    return 'delayed'
  }
  const isWrongAddress = cause === 'recipient'
  const follow = followOf(ports, { app, verification, channel, chosen }, now)
  const isBounced = await ports.deliveries.bounce({
    delivery: { id, appId, mode, verificationId },
    ...{ event: 'delivery.bounced', detail, cause, code, follow, now },
    suppress: isWrongAddress
      ? {
          id: newTimedId(ports.random, now),
          ...{ cause: 'bounced', code, endpointId: await endpointOf(ports, id) },
        }
      : null,
  })
  if (isBounced && follow) ports.outbox.wake({ ...follow.delivery, appId: app.id })
  return isBounced ? 'bounced' : 'ignored'
}

async function takeFromLimit(
  { limits, keyring, clock }: BouncePorts,
  { id }: Pick<App, 'id'>,
): Promise<void> {
  const now = clock.now()
  const key = keyring.limitIndex('app_bounces', id)
  const rate = { name: 'app_bounces', max: perMinute, windowMs: 60_000 } as const
  const taken = await limits.take({ key, rates: [rate] }, now)
  if (taken.taken) return
  const retryAfterSeconds = secondsUntil(taken.retryAt, now)
  throw new Problem('rate_limited', { limit: taken.name, retryAfterSeconds })
}

/** The app's live delivery that one of these traces names. */
async function findTraced(
  { deliveries }: Pick<Ports, 'deliveries'>,
  { id: appId }: App,
  traces: string[],
): Promise<Delivery | null> {
  for (const trace of traces) {
    const range = tracedRange(trace)
    const found = await deliveries.between({ appId, mode: 'live', ...range, limit: tracedMax })
    const traced = found.find(({ id }) => traceOf(id) === trace)
    if (traced) return traced
  }
  return null
}

/** The endpoint that accepted the message, or may have. */
async function endpointOf(
  { deliveries }: Pick<Ports, 'deliveries'>,
  deliveryId: string,
): Promise<string | null> {
  const tries = await deliveries.tries(deliveryId)
  const accepted = tries.findLast(({ status, ambiguous }) => status === 'sent' || ambiguous)
  return accepted?.endpointId ?? null
}

/** The words without the code, which a server may quote from the subject. */
function withoutCode(
  { keyring }: Pick<Ports, 'keyring'>,
  { id, appId, codeKeyId, generation, codeFormat, codeLength }: Verification,
  words: string,
): string {
  if (!keyring.hasCodeKey(codeKeyId)) return words
  const place = { appId, verificationId: id, generation }
  const code = deriveCode(keyring, codeKeyId, place, codeFormat, codeLength)
  return words.replaceAll(code, '<code>')
}

import type { ChannelKind } from '../delivery/channel.ts'
import type { Delivery, Try } from '../delivery/delivery.ts'
import type { Event, EventType } from '../event.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { statusOf, type Verification, type VerificationKey } from './verification.ts'

/**
 * What can happen to a verification. `queued` is a message, `sent`, `deferred` and `refused` are tries
 * to hand one over; what follows `refused` is what became of a message.
 */
export const stepKinds = [
  'started',
  'queued',
  'sent',
  'deferred',
  'refused',
  'undeliverable',
  'delayed',
  'bounced',
  'delivered',
  'failed',
  'wrong_code',
  'approved',
  'exhausted',
  'canceled',
  'expired',
] as const

/** One step of a verification's story; null where a field says nothing about this kind of step. */
export type Step = {
  at: number
  kind: (typeof stepKinds)[number]
  channel: ChannelKind | null
  endpointId: string | null
  /** How long a try took. */
  tookMs: number | null
  cause: string | null
  /** The reply code and the words of the other server. */
  code: string | null
  detail: string | null
}

type History = Delivery & { history: Try[] }

export type Story = { verification: Verification; deliveries: History[]; steps: Step[] }

/** A verification with its messages and all that happened to it. Throws `verification_not_found`. */
export async function readStory(
  ports: Pick<Ports, 'verifications' | 'deliveries' | 'events' | 'clock'>,
  key: VerificationKey,
): Promise<Story> {
  const verification = await ports.verifications.get(key)
  if (!verification) throw new Problem('verification_not_found')
  const { appId, id: verificationId } = key
  const [deliveries, events] = await Promise.all([
    ports.deliveries.history(key),
    ports.events.ofVerification({ appId, verificationId }),
  ])
  const steps = stepsOf({ verification, deliveries, events }, ports.clock.now())
  return { verification, deliveries, steps }
}

/** The steps, oldest first; those of one moment in the order of `stepKinds`. */
export function stepsOf(
  {
    verification,
    deliveries,
    events,
  }: { verification: Verification; deliveries: History[]; events: Event[] },
  now: number,
): Step[] {
  const steps = [
    step('started', verification.createdAt),
    ...deliveries.flatMap(ofDelivery),
    ...ofChecks(verification),
    ...events.flatMap((event) => ofEvent(event)),
    ...ofExpiry(verification, events, now),
  ]
  return steps.sort((one, other) => one.at - other.at || place(one) - place(other))
}

function place({ kind }: Step): number {
  return stepKinds.indexOf(kind)
}

function step(kind: Step['kind'], at: number, facts: Partial<Step> = {}): Step {
  const none = { channel: null, endpointId: null, tookMs: null }
  return { at, kind, ...none, cause: null, code: null, detail: null, ...facts }
}

function ofDelivery({ createdAt, channel, history }: History): Step[] {
  const tries = history.map(({ at, status, endpointId, tookMs, cause, code, detail }) =>
    step(status, at + tookMs, { channel, endpointId, tookMs, cause, code, detail }),
  )
  return [step('queued', createdAt, { channel }), ...tries]
}

/** All checks but an approval's were wrong; the last one that was left is also the end. */
function ofChecks({ checkedAt, status, attemptsMax }: Verification): Step[] {
  const last = checkedAt.length - 1
  return checkedAt.flatMap((at, index) => {
    if (index === last && status === 'approved') return [step('approved', at)]
    const wrong = step('wrong_code', at)
    return index === attemptsMax - 1 ? [wrong, step('exhausted', at)] : [wrong]
  })
}

const eventSteps: Partial<Record<EventType, Step['kind']>> = {
  'verification.canceled': 'canceled',
  'delivery.undeliverable': 'undeliverable',
  'delivery.delayed': 'delayed',
  'delivery.bounced': 'bounced',
  'delivery.delivered': 'delivered',
  'delivery.failed': 'failed',
}

function ofEvent({ type, at, data }: Event): Step[] {
  const kind = eventSteps[type]
  if (!kind) return []
  const text = (name: string) => (data[name] === undefined ? null : String(data[name]))
  // The channel was written from a delivery.
  const channel = text('channel') as ChannelKind | null
  return [
    step(kind, at, { channel, cause: text('cause'), code: text('code'), detail: text('detail') }),
  ]
}

/** The expiry is computed; one that came before its time, at a restore, is told by its event. */
function ofExpiry(verification: Verification, events: Event[], now: number): Step[] {
  if (statusOf(verification, now) !== 'expired') return []
  const told = events.find(({ type }) => type === 'verification.expired')
  return [step('expired', Math.min(verification.expiresAt, told?.at ?? verification.expiresAt))]
}

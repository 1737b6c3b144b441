/** The types of events: a closed set, so that a consumer can handle every one. */
export const eventTypes = [
  'verification.approved',
  'verification.exhausted',
  'verification.canceled',
  'verification.expired',
  'verification.reported',
  'delivery.sent',
  'delivery.deferred',
  'delivery.refused',
  'delivery.undeliverable',
  'delivery.delayed',
  'delivery.bounced',
  'delivery.delivered',
  'delivery.failed',
  'budget.exhausted',
  'alarm.raised',
  'alarm.cleared',
] as const

export type EventType = (typeof eventTypes)[number]

/** Those that a verification's story needs, because no other row tells when they happened. */
export const storyEvents = [
  'verification.canceled',
  'verification.expired',
  'delivery.undeliverable',
  'delivery.delayed',
  'delivery.bounced',
  'delivery.delivered',
  'delivery.failed',
] as const satisfies EventType[]

export type Event = {
  id: number
  at: number
  /** Null when the event concerns the whole server. */
  appId: string | null
  type: EventType
  verificationId: string | null
  /** Closed set of non-secret facts; no address, no code. */
  data: Record<string, string | number>
}

type DeliveryFacts = {
  delivery: { id: string; channel: string }
  detail: string | null
  cause?: string | null | undefined
  code?: string | null | undefined
}

/** The data of an event about a delivery. */
export function deliveryData({ delivery, detail, cause, code }: DeliveryFacts): Event['data'] {
  return {
    id: delivery.id,
    channel: delivery.channel,
    ...(detail !== null && { detail }),
    ...(cause && { cause }),
    ...(code && { code }),
  }
}

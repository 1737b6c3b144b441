import type { AuditAppend, HeadMoved } from '../audit.ts'
import type { EventType } from '../event.ts'
import type { Page } from '../stores.ts'
import type { Move, NewDelivery } from '../verification/stores.ts'
import type { Mode, VerificationKey } from '../verification/verification.ts'
import type { Cause, Delivery, DeliveryStatus, Try } from './delivery.ts'
import type { Lane } from './handover.ts'
import type { afterReport, Report } from './report.ts'
import type { Charge, ChargeResult, Conversion } from './spending.ts'
import type { EndpointTries, Suppression } from './suppression.ts'

/** The outbox. A delivery is due at its time, or when the lease of its node is no longer valid. */
export type DeliveryStore = {
  /** The lanes with due deliveries, after `after` in the order of lanes. */
  dueLanes(query: Due & { after: Lane | null; limit: number }): Promise<Lane[]>
  /**
   * Tells other nodes that deliveries of this lane wait for a node with room. It may be lost: they
   * also look for themselves. `release` announces what it gives up.
   */
  announce(lane: Lane): void
  /** Calls `listener` with lanes that other nodes have announced. */
  onAnnounced(listener: (lane: Lane) => void): void
  /** Leases due deliveries of one lane, oldest first. */
  claim(command: Due & { lane: Lane; leaseUntil: number; limit: number }): Promise<Delivery[]>
  /** Gives up the leases of a node that has restarted. */
  releaseLeases(node: string): Promise<void>
  /** Gives up one node's leases of these deliveries. */
  release(command: { node: string; ids: string[] }): Promise<void>
  /**
   * Writes a try and what follows it. A delivery that has ended meanwhile stays ended. True when the
   * delivery of `follow` was queued: the verification is pending, and this was its latest delivery.
   */
  settle(command: SettleCommand): Promise<boolean>
  /** False once the delivery has ended. */
  isOpen(deliveryId: string): Promise<boolean>
  /** True while the delivery has not ended and this node's lease of it lasts. */
  isHeld(query: { id: string; node: string; now: number }): Promise<boolean>
  /**
   * Marks an ended delivery that was sent, or may have been, as bounced, unless its verification is
   * approved; false when there is none. After the latest delivery of a pending verification that of
   * `follow` is queued.
   */
  bounce(command: BounceCommand): Promise<boolean>
  /**
   * Applies a report of a gateway to a delivery of its app and endpoint, as `afterReport` decides,
   * and ends it. `unknown` where there is no such delivery. When the verification's latest delivery
   * has failed and it is pending, that of `follow` is queued.
   */
  report(command: ReportCommand): Promise<ReportResult>
  /** One delivery of an app; null where there is none. */
  find(query: { appId: string; id: string }): Promise<Delivery | null>
  /** An app's deliveries with ids from `from` up to `to`, without `to`. */
  between(query: {
    appId: string
    mode: Mode
    from: string
    to: string
    limit: number
  }): Promise<Delivery[]>
  /** Ends the deliveries whose code has expired; how many. */
  expire(command: { now: number; limit: number; event: EventType }): Promise<number>
  /** The tries of one delivery, oldest first. */
  tries(deliveryId: string): Promise<Try[]>
  /** Every delivery of a verification with its tries, oldest first. */
  history(key: VerificationKey): Promise<(Delivery & { history: Try[] })[]>
  /** The deliveries that have not ended. */
  backlog(): Promise<{ waiting: number; oldestAt: number | null }>
}

export type Due = {
  node: string
  now: number
  /** Deliveries with smaller ids have an expired code, so that they need not be looked at. */
  from: string
  /** The longest wait of a delivery; a longer one was written by a wrong clock and is due. */
  dueWithinMs: number
  /** Leases of nodes that were last seen before this time are free. */
  silentSince: number
}

export type SettleCommand = {
  delivery: Pick<Delivery, 'id' | 'appId' | 'mode' | 'verificationId'>
  /** Null when the delivery ended without a try. */
  made: Try | null
  status: DeliveryStatus
  detail: string | null
  event: EventType
  /** Counted for the endpoint; null where no server replied. */
  counted: { endpointId: string; isRefusal: boolean } | null
  /** Suppresses the recipient, unless the endpoint refuses too many. */
  suppress: NewSuppression | null
  /** The next try of the same delivery; null ends it. */
  again: { endpointId: string | null; at: number; lease: NewDelivery['lease'] } | null
  /** A new delivery through another channel. */
  follow: Follow | null
  now: number
}

/** A new delivery through the next channel. */
export type Follow = Pick<Move, 'delivery' | 'hasNext'>

export type BounceCommand = Pick<
  SettleCommand,
  'delivery' | 'event' | 'suppress' | 'follow' | 'now'
> & {
  detail: string
  cause: Cause | null
  code: string | null
}

export type ReportCommand = {
  appId: string
  endpointId: string
  report: Report
  /** By what is reported. */
  events: Record<Report['status'], EventType>
  now: number
  /** What follows a failed message; null for nothing. */
  follow: Follow | null
}

/** What the report changed. */
export type ReportResult = ReturnType<typeof afterReport> | 'unknown'

/** What hand-overs to telephone numbers and through paid endpoints have used. */
export type SpendingStore = {
  /** Takes from every limit and from the day's cost, or from none of them. */
  charge(command: Charge): Promise<ChargeResult>
  /** Gives the cost back; what was taken from limits stays taken. */
  giveBack(command: { appId: string; day: number; cost: number }): Promise<void>
  /** By app and country, of verifications that were first handed over in this span. */
  conversions(query: { from: number; to: number }): Promise<(Conversion & { appId: string })[]>
}

/** A suppression of the recipient of a verification, from now on; the domain says until when. */
export type NewSuppression = Pick<Suppression, 'id' | 'cause' | 'code'> & {
  /** The endpoint that refused it; null where that is not known. */
  endpointId: string | null
}

/** Suppressed addresses of apps. `settle` and `bounce` of the outbox add them. */
export type SuppressionStore = {
  /** True while a suppression of exactly this address is in force. */
  has(query: { appId: string; recipientIndex: Uint8Array; now: number }): Promise<boolean>
  /** Those in force, newest first; the cursor is the last id. */
  list(query: {
    appId: string
    now: number
    limit: number
    cursor: string | null
  }): Promise<Page<Suppression>>
  /** Also forgets that there was one. False when there is none. */
  remove(
    command: { appId: string } & ({ id: string } | { recipientIndex: Uint8Array }),
    audit: AuditAppend,
  ): Promise<boolean | HeadMoved>
  /** Every endpoint with refusals since then, or whose `recipients_refused` alarm is on. */
  refusals(query: { since: number }): Promise<EndpointRefusals[]>
}

export type EndpointRefusals = EndpointTries & {
  appId: string
  endpointId: string
  alarmed: boolean
}

import type { Cause, DeliveryStatus } from './delivery.ts'

/** What a gateway says of a message that it had accepted. */
export type Report = {
  deliveryId: string
  status: 'delivered' | 'failed'
  cause: Cause | null
  /** The gateway's code; null without one. */
  code: string | null
  /** One line, without addresses; null where nothing is to be said. */
  detail: string | null
}

/** What is known of a delivery when a report of it comes. */
export type Standing = {
  status: DeliveryStatus
  /** It has not ended: a try is under way or to come. */
  isOpen: boolean
  /** A try through the reporting endpoint was accepted, or may have been. */
  wasTaken: boolean
  /** Its verification is approved. */
  isApproved: boolean
}

/**
 * What a report changes, whenever and however often it comes: `delivered` also where the message
 * was given up, and where an earlier report says that it failed, because the person has it; `failed`
 * only where the delivery counts as sent and the code was not used. `early`: the try may be so recent
 * that its outcome is not stored yet.
 */
export function afterReport(
  { status, isOpen, wasTaken, isApproved }: Standing,
  reported: Report['status'],
): Report['status'] | 'early' | 'nothing' {
  if (!wasTaken) return isOpen ? 'early' : 'nothing'
  if (status === 'delivered') return 'nothing'
  if (reported === 'delivered') return 'delivered'
  return status === 'sent' && !isApproved ? 'failed' : 'nothing'
}

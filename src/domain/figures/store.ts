import type { DeliveryStatus } from '../delivery/delivery.ts'
import type { EventType } from '../event.ts'
import type { Mode, StoredStatus } from '../verification/verification.ts'
import type { Figure, FigureKey, Slot } from './count.ts'

/** What was counted for the overview, and what is to be counted next. */
export type FigureStore = {
  /** Null before anything was counted. */
  state(): Promise<KeptState | null>
  /** Verifications of every app and mode with ids between both, without them, in their order. */
  started(query: { after: string; before: string; limit: number }): Promise<Begun[]>
  /** Events after this one in their order, each with its verification where that ended with it. */
  ended(query: { after: number; ends: readonly EventType[]; limit: number }): Promise<Ended[]>
  /** All figures of these slots. */
  of(slots: Slot[]): Promise<Figure[]>
  /** The figures of one scope and span, of one part or of all, with times in this range. */
  between(query: {
    scope: string
    spanMs: number
    part: Figure['part'] | null
    from: number
    to: number
  }): Promise<Figure[]>
  /** Slots before this time with figures that still name recipients. */
  withRecipients(query: { before: number; limit: number }): Promise<Slot[]>
  /**
   * Writes the state and replaces figures, unless the state has another version by now; then false.
   * Figures of an app that is gone are not written.
   */
  write(command: WriteFigures): Promise<boolean>
}

/** How far verifications and events were counted. */
export type FigureState = {
  /** The id of the last verification. */
  after: string
  /** The id of the last event. */
  afterEvent: number
  /** Every verification that was started before this time is counted. */
  countedUntil: number
}
export type KeptState = FigureState & { version: number }

export type WriteFigures = {
  /** 0 for none. */
  expectedVersion: number
  state: FigureState
  figures: Figure[]
  removed: FigureKey[]
}

/** A verification as it is counted. */
export type Begun = {
  id: string
  appId: string
  mode: Mode
  createdAt: number
  /** The channel that it began with, and its recipient, masked. */
  channel: string
  to: string
  locale: string | null
  recipientKey: Uint8Array
  status: StoredStatus
  deliveryStatus: DeliveryStatus
  /** When a message of it was first accepted, or may have been; null for never. */
  handedOverAt: number | null
}

/** `verification`: null for an event of another kind, and where it is gone. */
export type Ended = { id: number; at: number; verification: Begun | null }

import type { EventType } from '../event.ts'
import type { Mode, VerificationKey } from '../verification/verification.ts'
import type { Page } from './page.ts'

/** The hosted pages of verifications. */
export type PageStore = {
  /** Does nothing for a verification that has a page. */
  add(page: NewPage): Promise<void>
  get(id: string): Promise<Page | null>
  /** Binds a page to the first browser that opens it; false for any later one. */
  claim(command: { id: string; browserHash: Uint8Array }): Promise<boolean>
  /** Replaces the token of the result; false once a result was redeemed, and for a page that is gone. */
  offerResult(command: { id: string; resultHash: Uint8Array; until: number }): Promise<boolean>
  /** The key of a verification, with a page or without, of any app and mode. */
  find(id: string): Promise<VerificationKey | null>
  /** Writes a report with its event; false for a verification that was reported before. */
  report(command: VerificationKey & { now: number; event: EventType }): Promise<boolean>
  /** How many verifications of live mode were reported since then, by app. */
  reports(query: { since: number }): Promise<{ appId: string; count: number }[]>
  /** Uses a token up, in time; the id of the verification, or null. */
  redeem(command: RedeemCommand): Promise<string | null>
}

export type NewPage = Omit<Page, 'browserHash' | 'redeemedAt'>

export type RedeemCommand = { appId: string; mode: Mode; resultHash: Uint8Array; now: number }

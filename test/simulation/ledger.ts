import { lateMs } from '../../src/domain/ports.ts'
import type { DomainSettings } from '../../src/domain/settings.ts'
import { retiredKeepingMs } from '../../src/keys/keyset.ts'
import type { AppModel, Ask, Json, Seen } from './model.ts'
import type { VirtualTime } from './virtual-time.ts'

/** How long the simulated server keeps verifications, in ms. */
export const verificationsKeptMs = 7 * 86_400_000

/** All requests and answers so far, and the faults meanwhile. */
export type Ledger = {
  settings: DomainSettings
  time: VirtualTime
  apps: AppModel[]
  asks: Ask[]
  open: Set<Ask>
  seen: Map<string, Seen>
  /** The order of the next request or answer. */
  order: number
  jumpedBack: { ever: boolean; lastElapsed: number }
  jumped: boolean
  /** The clock's time before it went back, which running operations may still use. */
  staleClock: { shown: number; quietsLeft: number } | null
  rotations: Rotation[]
  /**
   * How long the process runs, in ms, while the disk, the clock and the mail servers have had no
   * fault; null after one. A long step of time counts as a short one.
   */
  calmMs: number | null
  /** True while the disk fails, or no process runs. */
  isTrouble: boolean
  troubleElapsed: number
}

/** A rotation of the master key, the clock's lowest time during it, and its highest since. */
export type Rotation = { overAt: number | null; clockMin: number; clockPeak: number }

export function createLedger(settings: DomainSettings, time: VirtualTime): Ledger {
  return {
    settings,
    time,
    apps: [],
    asks: [],
    open: new Set(),
    seen: new Map(),
    order: 0,
    jumpedBack: { ever: false, lastElapsed: Number.NEGATIVE_INFINITY },
    jumped: false,
    staleClock: null,
    rotations: [],
    calmMs: null,
    isTrouble: false,
    troubleElapsed: Number.NEGATIVE_INFINITY,
  }
}

/** Notes that a rotation begins. */
export function noteRotation(ledger: Ledger): Rotation {
  const now = ledger.time.clock.now()
  const rotation: Rotation = { overAt: null, clockMin: now, clockPeak: clockPeak(ledger) }
  ledger.rotations.push(rotation)
  return rotation
}

/** The verification of this id, which is added if it is new. */
export function seenOf(
  ledger: Ledger,
  id: string,
  { app, mode }: Pick<Seen, 'app' | 'mode'>,
): Seen {
  const known = ledger.seen.get(id)
  if (known) return known
  const seen: Seen = {
    ...{ id, app, mode, start: null, begun: null, code: null, clockMax: clockPeak(ledger) },
    ...{ wrong: 0, approvals: 0, approvedAt: null, canceledAt: null, left: [], copies: 0 },
    checkFrom: null,
    ...{ approvers: new Set(), cancelers: new Set(), spends: new Set(), resends: new Set() },
  }
  ledger.seen.set(id, seen)
  return seen
}

/** The highest time that new or running operations may use now. */
export function clockPeak({ time, staleClock }: Ledger): number {
  return Math.max(time.clock.now(), staleClock?.shown ?? 0)
}

/** Notes that the clock is about to go back. */
export function noteJumpBack(ledger: Ledger): void {
  ledger.jumpedBack = { ever: true, lastElapsed: ledger.time.elapsed() }
  ledger.staleClock = { shown: clockPeak(ledger), quietsLeft: 3 }
}

/** How much longer than it says a wait may be, in ms: what a clock that was ahead has written. */
export function lateOf({ jumpedBack }: Ledger): number {
  return jumpedBack.ever ? lateMs : 0
}

/** Notes that no task is due at this moment. */
export function noteQuiet(ledger: Ledger): void {
  const { staleClock, jumpedBack, time } = ledger
  if (!staleClock || time.elapsed() < jumpedBack.lastElapsed + 1_000) return
  if (--staleClock.quietsLeft === 0) ledger.staleClock = null
}

/** Updates the ranges of the clock after it has moved. */
export function noteClock(ledger: Ledger): void {
  const now = ledger.time.clock.now()
  for (const ask of ledger.open) {
    ask.clockMin = Math.min(ask.clockMin, now)
    ask.clockMax = Math.max(ask.clockMax, now)
  }
  for (const rotation of ledger.rotations) {
    if (rotation.overAt === null) rotation.clockMin = Math.min(rotation.clockMin, now)
    rotation.clockPeak = Math.max(rotation.clockPeak, now)
  }
  for (const ask of ledger.asks) ask.clockPeak = Math.max(ask.clockPeak, now)
  for (const seen of ledger.seen.values()) seen.clockMax = Math.max(seen.clockMax, now)
}

/** Notes that the disk fails, or the process is killed or stopped. */
export function noteTrouble(ledger: Ledger): void {
  ledger.troubleElapsed = ledger.time.elapsed()
  ledger.calmMs = null
  for (const ask of ledger.open) ask.isTroubled = true
}

/** True if a sweep may have deleted it, or its app may be deleted. */
export function mayBeDeleted({ app, begun, start, clockMax }: Seen): boolean {
  if (app.isLeaving || begun === null || start === null) return true
  return clockMax >= begun.createdAt + verificationsKeptMs
}

/** True if the clock has ever shown that its life is over. */
export function mayBeExpired({ begun, start, clockMax }: Seen): boolean {
  return begun === null || start === null || clockMax >= begun.expiresAt
}

/** True if its code key may have been deleted: a week after a rotation, by the clock. */
export function mayLackKey({ rotations }: Ledger, { start }: Seen): boolean {
  return rotations.some(({ overAt, clockMin, clockPeak: peak }) => {
    const isLater = start !== null && (overAt === null || overAt > start.begunAt)
    return isLater && peak - clockMin >= retiredKeepingMs
  })
}

/** The fields of a verification that never change, as text. */
export function fixedPart(json: Json): string {
  const { id, mode, route, purpose, metadata, code_length, code_format } = json
  const { reference, created_at, expires_at } = json
  const fields = { id, mode, route, purpose, metadata, code_length, code_format }
  return JSON.stringify({ ...fields, reference, created_at, expires_at })
}

import { type DomainSettings, defaultSettings } from '../../src/domain/settings.ts'
import { type Deed, usualWeights } from './actors.ts'
import { type DiskFault, diskFaults } from './disk.ts'
import type { Rng } from './rng.ts'

/** The length of a step of real time. */
type Pass = 'blink' | 'second' | 'minute' | 'hour' | 'day'
export type Event = 'ask' | 'admin' | 'mood' | 'jump' | 'fault' | 'crash' | 'restart' | 'rotate'

/** The faults and requests of a seed: each has only some, because more can be checked then. */
export type Profile = {
  /** `right`: never jumps. `ahead`: jumps forward only. `wild`: jumps in both directions. */
  clock: 'right' | 'ahead' | 'wild'
  events: Record<Event, number>
  deeds: Record<Deed, number>
  /** An attacker guesses the codes of one recipient of one app. */
  isGuessing: boolean
  passes: Record<Pass, number>
  settings: DomainSettings
}

export function profileOf(rng: Rng): Profile {
  const clock = rng.pick(['right', 'ahead', 'wild'] as const)
  const often = (share: number, weight: number) => (rng.chance(share) ? weight : 0)
  const isGuessing = rng.chance(0.3)
  // Guesses over weeks: verifications are deleted while their wrong codes still count.
  const isLong = isGuessing && rng.chance(0.5)
  return {
    clock,
    events: {
      ...{ ask: 60, admin: rng.pick([1, 4]), mood: rng.pick([1, 6]) },
      jump: clock === 'right' ? 0 : 3,
      fault: often(0.5, 2),
      crash: often(0.6, 2),
      ...{ restart: often(0.5, 1), rotate: often(0.5, 1) },
    },
    isGuessing,
    passes: { blink: 40, second: 32, minute: 18, hour: 8, day: isLong ? 20 : 2 },
    deeds: isGuessing
      ? {
          ...{ ...usualWeights, start: 40, check_wrong: 30, check_many: 20, cancel: 15 },
          ...{ check_right: 3, start_fresh: 2, otp: 1, repeat: 3 },
        }
      : usualWeights,
    settings: {
      ...defaultSettings,
      ...{ phonePrefixPerHour: 10_000, phoneCountryPerHour: 1_000_000 },
      resendsMax: rng.pick([1, 3]),
      ...((isGuessing || rng.chance(0.7)) && {
        recipientStartSpacingSeconds: 2,
        resendAfterSeconds: 5,
      }),
      ...(isGuessing && {
        recipientStartsPerQuarterHour: 100,
        recipientStartsPerDay: 1000,
        recipientStartsPerDayAcrossApps: 1000,
      }),
      ...(isLong && { guessBudgetPerDay: 10, guessBudgetPerMonth: 20 }),
    },
  }
}

/** The length of the next step of real time, in ms. */
export function passing(rng: Rng, passes: Profile['passes']): number {
  const scale = rng.weighted(passes)
  const [min, max] = {
    blink: [0, 50],
    second: [50, 5_000],
    minute: [5_000, 180_000],
    hour: [180_000, 7_200_000],
    day: [7_200_000, 200_000_000],
  }[scale] as [number, number]
  return rng.between(min, max)
}

/** By how much the clock is set, in ms: from seconds to years. */
export function jumpOf(rng: Rng, clock: Profile['clock']): number {
  const second = 1_000
  const sizes = [3 * second, 40 * second, 3_600_000, 6 * 3_600_000, 90_000_000, 864_000_000, 4e10]
  const size = Math.round(rng.pick(sizes) * (0.5 + rng.next()))
  return clock === 'ahead' || rng.chance(0.5) ? size : -size
}

/**
 * The next disk fault. `doubtful` is left out for clocks that go back: such a commit leaves a lease
 * that nobody holds, and it would last until the clock is right again.
 */
export function faultOf(rng: Rng, clock: Profile['clock']): DiskFault {
  return rng.pick(diskFaults.filter((fault) => clock !== 'wild' || fault !== 'doubtful'))
}

import { type DomainSettings, defaultSettings } from '../../src/domain/settings.ts'
import { type Deed, usualWeights } from './actors.ts'
import { type DiskFault, diskFaults } from './disk.ts'
import type { Rng } from './rng.ts'

export type Event = 'ask' | 'admin' | 'mood' | 'jump' | 'fault' | 'crash' | 'restart' | 'rotate'

/** What one seed is about: not everything goes wrong in each, so that more can be judged. */
export type Profile = {
  /** `right`: never jumps. `ahead`: jumps forward only. `wild`: jumps both ways. */
  clock: 'right' | 'ahead' | 'wild'
  events: Record<Event, number>
  deeds: Record<Deed, number>
  /** Somebody tries to guess one person's code of one app. */
  isGuessing: boolean
  settings: DomainSettings
}

export function profileOf(rng: Rng): Profile {
  const clock = rng.pick(['right', 'ahead', 'wild'] as const)
  const often = (share: number, weight: number) => (rng.chance(share) ? weight : 0)
  const isGuessing = rng.chance(0.3)
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
    deeds: isGuessing
      ? {
          ...{ ...usualWeights, start: 40, check_wrong: 30, check_many: 20, cancel: 15 },
          ...{ check_right: 3, start_fresh: 2, otp: 1, repeat: 3 },
        }
      : usualWeights,
    settings: {
      ...defaultSettings,
      ...((isGuessing || rng.chance(0.7)) && {
        recipientStartSpacingSeconds: 2,
        resendAfterSeconds: 5,
      }),
      ...(isGuessing && {
        recipientStartsPerQuarterHour: 100,
        recipientStartsPerDay: 1000,
        recipientStartsPerDayAcrossApps: 1000,
      }),
    },
  }
}

/** How far true time moves on, in ms: mostly little. */
export function passing(rng: Rng): number {
  const scale = rng.weighted({ blink: 40, second: 32, minute: 18, hour: 8, day: 2 })
  const [min, max] = {
    blink: [0, 50],
    second: [50, 5_000],
    minute: [5_000, 180_000],
    hour: [180_000, 7_200_000],
    day: [7_200_000, 200_000_000],
  }[scale] as [number, number]
  return rng.between(min, max)
}

/** How far the clock is set, in ms: by seconds to years. */
export function jumpOf(rng: Rng, clock: Profile['clock']): number {
  const second = 1_000
  const sizes = [3 * second, 40 * second, 3_600_000, 6 * 3_600_000, 90_000_000, 864_000_000, 4e10]
  const size = Math.round(rng.pick(sizes) * (0.5 + rng.next()))
  return clock === 'ahead' || rng.chance(0.5) ? size : -size
}

/**
 * What the disk does next. A start whose commit is in doubt stays leased to its process until the
 * lease ends, and SQLite itself has no such commits: with a clock that goes back there is none.
 */
export function faultOf(rng: Rng, clock: Profile['clock']): DiskFault {
  return rng.pick(diskFaults.filter((fault) => clock !== 'wild' || fault !== 'doubtful'))
}

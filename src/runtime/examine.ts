import type { DatabaseSettings } from '../config/load.ts'
import { type DifferingSetting, differingSettings } from '../domain/shared-settings.ts'
import { isAlive } from '../keys/rotate.ts'
import { type Examination, examine } from '../store/postgres/examination.ts'
import { isClockOff } from './database-clock.ts'
import type { OpenPorts } from './open.ts'
import { readTargets } from './open-postgres.ts'

export type { Examination }

/** What `doctor` asks of a PostgreSQL database. Throws `StartupError`. */
export function examineDatabase(database: DatabaseSettings): Promise<Examination> {
  const { service, direct } = readTargets(database)
  return examine(service, direct)
}

export type Nodes = { live: number; holding: number; differing: DifferingSetting[] }

/** How many servers serve the database, how many hold a next master key, and what they differ in. */
export async function examineNodes({ nodes, clock }: OpenPorts): Promise<Nodes> {
  const live = (await nodes.list()).filter((node) => isAlive(node, clock.now()))
  const holding = live.filter(({ nextKeyId }) => nextKeyId !== null).length
  return { live: live.length, holding, differing: differingSettings(live) }
}

/** How far this machine's clock is off the database's; null where it is the clock. */
export function clockLead({ databaseClock }: Pick<OpenPorts, 'databaseClock'>) {
  if (!databaseClock) return null
  const { ms, errorMs } = databaseClock.lead()
  return { ms: Math.round(ms), errorMs: Math.ceil(errorMs), isOff: isClockOff(databaseClock) }
}

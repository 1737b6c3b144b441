import { silentMs } from '../../domain/delivery/lease.ts'
import type { MaintenanceStore } from '../../domain/stores.ts'
import type { AddEvents } from './events.ts'
import { readFaults } from './faults.ts'
import type { Parts } from './parts.ts'
import { createSweep } from './sweep.ts'

/** How long the result of one probe is used, in ms. */
const probeMs = 1000

export type MaintenanceDeps = Pick<Parts, 'database' | 'timers'> & {
  addEvents: AddEvents
  /** Whose row of the probe; nodes with the same one wait for one another. */
  shard: number
}

export function createMaintenanceStore(deps: MaintenanceDeps): MaintenanceStore {
  const { database } = deps
  return {
    sweep: createSweep(deps),
    // A node that is silent has none; and a turn that ends later than two turns from now was written
    // by a wrong clock.
    takeTurn: async ({ job, node, now, until }) =>
      (await database.run(
        `insert into turns (job, node, until) values ($job, $node, $until)
        on conflict (job) do update set node = excluded.node, until = excluded.until
        where turns.node = excluded.node or turns.until <= $now or turns.until > $beyond
          or exists (select 1 from nodes where id = turns.node and seen_at < $silentSince)`,
        { job, node, now, until, beyond: until + (until - now), silentSince: now - silentMs },
      )) > 0,
    ready: createProbe(deps),
    faults: () => readFaults(database),
  }
}

/** Tests that a write reaches the disk, at most once a second. */
function createProbe({
  database,
  timers,
  shard,
}: Pick<MaintenanceDeps, 'database' | 'timers' | 'shard'>): () => Promise<void> {
  let latest: { at: number; answer: Promise<void> } | null = null

  async function touch(): Promise<void> {
    await database.run(
      `insert into meta (name, value) values ($name, uuid_send(gen_random_uuid()))
      on conflict (name) do update set value = excluded.value`,
      { name: `ready ${shard}` },
      'start',
    )
  }
  return () => {
    const at = timers.monotonic()
    if (!latest || at - latest.at >= probeMs) latest = { at, answer: touch() }
    return latest.answer
  }
}

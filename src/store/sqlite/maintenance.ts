import type { Database } from 'bun:sqlite'
import type { Timers } from '../../domain/ports.ts'
import type { MaintenanceStore } from '../../domain/stores.ts'
import { pragma } from './database.ts'
import type { AddEvent } from './events.ts'
import { damage, schemaFaults } from './inspect.ts'
import type { Parts } from './parts.ts'
import { createSweep } from './sweep.ts'

/** How long the result of one probe is used, in ms. */
const probeMs = 1000

type Deps = Parts & { timers: Pick<Timers, 'monotonic'>; addEvent: AddEvent }

export function createMaintenanceStore(deps: Deps): MaintenanceStore {
  const { database, write } = deps
  const sweep = createSweep(database, deps.addEvent)
  // A turn that ends later than two turns from now was written by a wrong clock.
  const takeTurn = database.prepare<
    null,
    { job: string; node: string; now: number; until: number; beyond: number }
  >(`
    insert into turns (job, node, until) values ($job, $node, $until)
    on conflict (job) do update set node = excluded.node, until = excluded.until
      where node = excluded.node or until <= $now or until > $beyond`)

  return {
    sweep: (command) => write(() => sweep(command)),
    takeTurn: (command) =>
      write(() => {
        const beyond = command.until + (command.until - command.now)
        return takeTurn.run({ ...command, beyond }).changes > 0
      }),
    ready: createProbe(deps),
    faults: createFaults(deps),
  }
}

/** Tests that a write reaches the disk, at most once a second. */
function createProbe({ database, write, timers }: Deps): () => Promise<void> {
  const touch = database.prepare<null, []>(
    "insert or replace into meta (name, value) values ('ready', randomblob(8))",
  )
  let latest: { at: number; answer: Promise<void> } | null = null

  return () => {
    const at = timers.monotonic()
    if (!latest || at - latest.at >= probeMs) {
      latest = { at, answer: write(() => void touch.run(), 'start') }
    }
    return latest.answer
  }
}

function createFaults({ database, read }: Deps): () => Promise<string[]> {
  const checks = [damage, schemaFaults, journalFaults]

  return async () => {
    const found = await Promise.all(
      checks.map((check) => read(() => check(database)).catch(() => ['it is damaged'])),
    )
    return [...new Set(found.flat())].map((fault) => `the database: ${fault}: restore a backup`)
  }
}

/** A database in memory has no log. */
function journalFaults(database: Database): string[] {
  const journal = pragma(database, 'pragma journal_mode')
  return journal === 'wal' || journal === 'memory' ? [] : ['its journal is not a write-ahead log']
}

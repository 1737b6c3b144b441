import { dayMs } from '../../domain/verification/limits.ts'
import type { Database } from './database.ts'
import { dayOf, listPartitions, type Partition, partitionedTables } from './partitions.ts'
import { schemaVersion } from './versioned.ts'

type State = {
  version: number
  now: number
  isStandby: boolean
  isReadOnly: boolean
  commit: string
}

const question = `
  select (select coalesce(max(version), 0) from schema_version) as version,
    (extract(epoch from clock_timestamp()) * 1000)::bigint as now,
    pg_is_in_recovery() as is_standby,
    current_setting('transaction_read_only') = 'on' as is_read_only,
    current_setting('synchronous_commit') as commit`

/** One sentence for each fault of the database; empty without faults. */
export async function readFaults(database: Pick<Database, 'read'>): Promise<string[]> {
  const [state] = await database.read<State>(question)
  if (!state) return []
  const found = [
    ...faultsOf(state),
    ...missingPartitions(await listPartitions(database), dayOf(state.now) + 1),
  ]
  return found.map((fault) => `the database: ${fault}`)
}

function faultsOf({ version, isStandby, isReadOnly, commit }: State): string[] {
  const found: string[] = []
  if (version < schemaVersion) {
    found.push(`its schema has version ${version}, not ${schemaVersion}: run otpmint migrate`)
  }
  if (isStandby) found.push('it is a standby, which takes no writes: connect to the primary')
  else if (isReadOnly) found.push('it takes no writes: see default_transaction_read_only')
  if (commit === 'off') {
    found.push('a crash loses what was acknowledged: set synchronous_commit to on')
  }
  return found
}

/** Before the first sweep there are none at all, which is no fault. */
function missingPartitions(there: Partition[], tomorrow: number): string[] {
  if (there.length === 0) return []
  const date = new Date(tomorrow * dayMs).toISOString().slice(0, 10)
  return partitionedTables
    .filter((table) => !there.some((each) => each.table === table && each.day === tomorrow))
    .map((table) => `${table} has no partition for ${date}: let a server run, which makes it`)
}

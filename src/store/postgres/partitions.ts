import { dayMs } from '../../domain/verification/limits.ts'
import type { Database } from './database.ts'

/** The tables with a partition for each day of the time in their ids. */
export const partitionedTables = [
  'verifications',
  'verification_recipients',
  'deliveries',
  'delivery_tries',
] as const
export type PartitionedTable = (typeof partitionedTables)[number]

/** A partition; `day` is counted from 1970 on. */
export type Partition = { table: PartitionedTable; day: number }

/** Days after today for which there is a partition already, in case that none can be made. */
export const daysAhead = 3
/** The most rows of a day that are moved from the default partition to the day's own. */
const rowsMovedMax = 10_000

export function dayOf(at: number): number {
  return Math.floor(at / dayMs)
}

export async function listPartitions(database: Pick<Database, 'read'>): Promise<Partition[]> {
  const rows = await database.read<Partition>(
    `select parent.relname as table, to_date(right(child.relname, 8), 'YYYYMMDD')
      - date '1970-01-01' as day
    from unnest($tables::text[]) as named (name)
      join pg_inherits on inhparent = to_regclass(named.name)
      join pg_class as parent on parent.oid = inhparent
      join pg_class as child on child.oid = inhrelid
    where child.relname ~ '_[0-9]{8}$'`,
    { tables: [...partitionedTables] },
  )
  return rows
}

/** Makes the partitions of these days, both included; a day that is left in the default one is none. */
export async function makePartitions(
  database: Pick<Database, 'read' | 'write'>,
  { from, to, movedMax = rowsMovedMax }: { from: number; to: number; movedMax?: number },
): Promise<void> {
  const there = new Set((await listPartitions(database)).map(nameOf))
  for (const table of partitionedTables) {
    for (let day = from; day <= to; day++) {
      if (there.has(nameOf({ table, day }))) continue
      await database.write('select make_partition__v($table, $day, $movedMax)', {
        ...{ table, day, movedMax },
      })
    }
  }
}

/** About how many rows were dropped; null while a code of that day is not forgotten. */
export async function dropPartition(
  database: Pick<Database, 'write'>,
  { table, day }: Partition,
): Promise<number | null> {
  const [row] = await database.write<{ rows: number | null }>(
    'select drop_partition__v($table, $day) as rows',
    { table, day },
  )
  return row?.rows ?? null
}

function nameOf({ table, day }: Partition): string {
  return `${table} ${day}`
}

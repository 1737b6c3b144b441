import type { Database } from 'bun:sqlite'
import type { SQL } from 'bun'
import { dayOf, daysAhead, partitionedTables } from '../postgres/partitions.ts'
import { versioned } from '../postgres/versioned.ts'

/** Rows that are older, or of a clock that was wrong, stay in the default partitions. */
const daysMax = 400

/** Makes a partition for each day that the old database has rows of, and for the next ones. */
export async function makeDays(sql: SQL, reader: Database, now: number): Promise<void> {
  const today = dayOf(now)
  const first = ['verifications', 'deliveries'].map((table) => {
    const [row] = reader
      .query<never, []>(`select created_at from ${table} order by id limit 1`)
      .values()
    return dayOf(Number(row?.[0] ?? now))
  })
  for (let day = Math.max(today - daysMax, Math.min(...first)); day <= today + daysAhead; day++) {
    for (const table of partitionedTables) {
      await sql.unsafe(versioned('select make_partition__v($1, $2::bigint, 0)'), [table, day])
    }
  }
}

import type { SQL } from 'bun'
import { nodeSilentMs } from '../../domain/delivery/lease.ts'
import type { Row } from './cells.ts'
import { keyFromText, keyText } from './key-text.ts'
import { type Mark, markBytes, moveFact, parseMark } from './mark.ts'
import { secondaryDefinitions } from './postgres-definitions.ts'
import { enterGuarded, freezePostgres, guard, guardedTables, unguard } from './postgres-guard.ts'
import { tables } from './tables.ts'

/** The same number for every mover, so that one works at a time. */
const moveLock = 7_046_118_540

/** How far a table is copied. */
export type Progress = { after: Row | null; rows: number; isDone: boolean }

/** A PostgreSQL database as the place that is moved to or from, over one connection. */
export function createPostgresPlace(sql: SQL) {
  const inTransaction = createTransactions(sql)
  return {
    ...createMarks(sql),
    ...createFilling(sql, inTransaction),
    inTransaction,
    /** False when another mover is connected. */
    async enter(): Promise<boolean> {
      await enterGuarded(sql)
      const [row] = await sql.unsafe(`select pg_try_advisory_lock(${moveLock}) as entered`)
      return row.entered
    },
    /** The first table that has rows; null for an empty database. */
    async firstFilled(): Promise<string | null> {
      for (const { name } of tables) {
        const [row] = await sql.unsafe(`select exists (select from ${name}) as filled`)
        if (row.filled) return name
      }
      return null
    },
    /** How many servers were seen in the last 15 s. */
    async liveNodes(): Promise<number> {
      const [row] = await sql.unsafe(`
        select count(*) as live from nodes
        where seen_at > extract(epoch from clock_timestamp()) * 1000 - ${nodeSilentMs}`)
      return Number(row.live)
    },
    /** Refuses every write from now on but this connection's. */
    freeze: (mark: Mark) =>
      inTransaction(async () => {
        await freezePostgres(sql)
        await createMarks(sql).writeMark(mark)
      }),
    /** Takes writes again, as before the move. */
    forget: () =>
      inTransaction(async () => {
        await unguard(sql)
        await sql.unsafe(`delete from meta where name = '${moveFact}'`)
      }),
  }
}

export type PostgresPlace = ReturnType<typeof createPostgresPlace>

type InTransaction = <Result>(work: () => Promise<Result>) => Promise<Result>

function createTransactions(sql: SQL): InTransaction {
  return async (work) => {
    await sql.unsafe('begin')
    try {
      const result = await work()
      await sql.unsafe('commit')
      return result
    } catch (error) {
      // Where the connection is lost there is no transaction any more.
      await sql.unsafe('rollback').catch(() => {})
      throw error
    }
  }
}

function createMarks(sql: SQL) {
  return {
    async readMark(): Promise<Mark | null> {
      const [row] = await sql.unsafe(`select value from meta where name = '${moveFact}'`)
      return row ? parseMark(row.value) : null
    },
    async writeMark(mark: Mark): Promise<void> {
      await sql.unsafe(
        `insert into meta (name, value) values ('${moveFact}', $1::bytea)
        on conflict (name) do update set value = excluded.value`,
        [markBytes(mark)],
      )
    },
  }
}

/** What an empty database needs while it is being filled. */
function createFilling(sql: SQL, inTransaction: InTransaction) {
  const { writeMark } = createMarks(sql)
  return {
    /**
     * Only the mover can write from now on, and what would refuse rows of different moments
     * (references, unique indexes) is put away until they fit together.
     */
    prepare: (mark: Mark) =>
      inTransaction(async () => {
        await sql.unsafe(`
          create table move_progress (
            name text primary key, after text, rows bigint not null, is_done boolean not null);
          create table move_definitions (
            number bigint generated always as identity primary key, statement text not null)`)
        for (const { drop, statement } of await secondaryDefinitions(sql)) {
          await sql.unsafe('insert into move_definitions (statement) values ($1)', [statement])
          await sql.unsafe(drop)
        }
        await guard(sql)
        await writeMark(mark)
      }),
    async progress(): Promise<Map<string, Progress>> {
      const rows: { name: string; after: string | null; rows: bigint; is_done: boolean }[] =
        await sql.unsafe('select name, after, rows, is_done from move_progress')
      return new Map(
        rows.map(({ name, after, rows, is_done: isDone }) => {
          const key = after === null ? null : keyFromText(after)
          return [name, { after: key, rows: Number(rows), isDone }]
        }),
      )
    },
    async saveProgress(name: string, { after, rows, isDone }: Progress): Promise<void> {
      await sql.unsafe(
        `insert into move_progress (name, after, rows, is_done)
        values ($1, $2, $3::bigint, $4::boolean)
        on conflict (name) do update set after = excluded.after, rows = excluded.rows,
          is_done = excluded.is_done`,
        [name, after && keyText(after), rows, isDone],
      )
    },
    /** Makes again what `prepare` has put away; goes on where it was killed. */
    async rebuild(onStep: (done: number, total: number) => void): Promise<void> {
      const waiting: { number: bigint; statement: string }[] = await sql.unsafe(
        'select number, statement from move_definitions order by number',
      )
      for (const [index, { number, statement }] of waiting.entries()) {
        onStep(index, waiting.length)
        await inTransaction(async () => {
          await sql.unsafe(statement)
          await sql.unsafe('delete from move_definitions where number = $1::bigint', [number])
        })
      }
      if (waiting.length > 0) await sql.unsafe(`analyze ${guardedTables.join(', ')}`)
      onStep(waiting.length, waiting.length)
    },
    /** Opens the filled database for its servers. */
    open: (mark: Mark) =>
      inTransaction(async () => {
        await unguard(sql)
        await sql.unsafe('drop table move_progress, move_definitions')
        await writeMark(mark)
      }),
  }
}

import type { SQL } from 'bun'
import { type Cell, copyLine, type Digest, hashBits, type Kind, type Row } from './cells.ts'
import { postgresName, type Shape } from './shapes.ts'
import { pageRows } from './tables.ts'

const types: Record<Kind, string> = {
  text: 'text',
  integer: 'bigint',
  boolean: 'boolean',
  bytes: 'bytea',
}

/** Reads and writes the rows of a PostgreSQL database, over one connection. */
export function createPostgresRows(sql: SQL) {
  return { ...readers(sql), ...writers(sql), ...counters(sql) }
}

export type PostgresRows = ReturnType<typeof createPostgresRows>

function readers(sql: SQL) {
  return {
    /** The rows after a key, in the order of SQLite. */
    async page(shape: Shape, after: Row | null): Promise<Row[]> {
      const { page = pageRows } = shape
      const range = rangeOf(shape, after, null)
      const found = await sql
        .unsafe(
          `select ${columnsOf(shape)} from ${source(shape)} ${range.where}
          order by ${keysOf(shape)} limit ${page}`,
          range.values,
        )
        .values()
      return found.map((row: unknown[]) => row.map(cellOf))
    },
    async count(shape: Shape): Promise<number> {
      const { where } = rangeOf(shape, null, null)
      const [row] = await sql.unsafe(`select count(*) from ${source(shape)} ${where}`)
      return Number(row.count)
    },
    /** Of the rows after a key, up to and with another; null for no bound. */
    digest(shape: Shape, after: Row | null, upTo: Row | null): Promise<Digest> {
      const range = rangeOf(shape, after, upTo)
      return readDigest(
        sql.unsafe(
          `select ${digestColumns(shape)} from ${source(shape)} ${range.where}`,
          range.values,
        ),
      )
    },
    digestByKeys(shape: Shape, keys: Row[]): Promise<Digest> {
      const { where, values, from } = amongKeys(shape, keys)
      return readDigest(
        sql.unsafe(
          `select ${digestColumns(shape)} from ${source(shape, 't')}, ${from} where ${where}`,
          values,
        ),
      )
    },
  }
}

function writers(sql: SQL) {
  return {
    async removeRange(shape: Shape, after: Row | null, upTo: Row | null): Promise<void> {
      const range = rangeOf(shape, after, upTo)
      await sql.unsafe(`delete from ${shape.name} ${range.where}`, range.values)
    },
    async removeKeys(shape: Shape, keys: Row[]): Promise<void> {
      if (keys.length === 0) return
      const { where, values, from } = amongKeys(shape, keys)
      await sql.unsafe(`delete from ${shape.name} as t using ${from} where ${where}`, values)
    },
    /** Adds rows that are not there. */
    async add(shape: Shape, rows: Row[]): Promise<void> {
      if (rows.length === 0) return
      const extra = Object.values(shape.added ?? {})
      const kinds: Kind[] = [...shape.kinds, ...extra.map(() => 'integer' as const)]
      const text = rows.map((row) => copyLine([...row, ...extra], kinds)).join('')
      const stream = sql.unsafe(`copy ${shape.name} (${writtenTo(shape)}) from stdin`).writable()
      const writer = stream.getWriter()
      await writer.write(new TextEncoder().encode(text))
      await writer.close()
    },
    /** Adds rows, or changes those that are there. */
    async put(shape: Shape, rows: Row[]): Promise<void> {
      if (rows.length === 0) return
      const { columns, kinds, added = {} } = shape
      const arrays = columns.map((_, index) => {
        const isBoolean = kinds[index] === 'boolean'
        return rows.map((row) => (isBoolean ? Boolean(row[index]) : (row[index] ?? null)))
      })
      const from = kinds.map((kind, index) => `$${index + 1}::${types[kind]}[]`).join(', ')
      const set = columns.map((column) => postgresName(shape, column))
      await sql.unsafe(
        `insert into ${shape.name} (${writtenTo(shape)})
        select *${Object.values(added)
          .map((value) => `, ${value}`)
          .join('')} from unnest(${from})
        on conflict (${keysOf(shape)}) do update set
          ${set.map((column) => `${column} = excluded.${column}`).join(', ')}`,
        arrays,
      )
    },
  }
}

function counters(sql: SQL) {
  return {
    /** The number that a counter gives next is above this one. */
    async countFrom({ name, counter }: Shape, given: number): Promise<void> {
      if (given === 0) return
      await sql.unsafe(`select setval(pg_get_serial_sequence($1, $2), $3::bigint)`, [
        name,
        counter ?? '',
        given,
      ])
    },
    async counted({ name, counter }: Shape): Promise<number> {
      const [sequence] = await sql.unsafe(`select pg_get_serial_sequence($1, $2) as name`, [
        name,
        counter ?? '',
      ])
      const [row] = await sql.unsafe(
        `select case when is_called then last_value else 0 end as given from ${sequence.name}`,
      )
      return Number(row.given)
    },
  }
}

function cellOf(value: unknown): Cell {
  return typeof value === 'bigint' ? Number(value) : (value as Cell)
}

async function readDigest(asked: Promise<{ rows: bigint; sum: string }[]>): Promise<Digest> {
  const [row] = await asked
  return { rows: Number(row?.rows ?? 0), sum: BigInt(row?.sum ?? 0) }
}

function quoted(shape: Shape): string[] {
  return shape.columns.map((column) => postgresName(shape, column))
}

function columnsOf(shape: Shape): string {
  return quoted(shape).join(', ')
}

function writtenTo(shape: Shape): string {
  return [...quoted(shape), ...Object.keys(shape.added ?? {})].join(', ')
}

function keysOf(shape: Shape): string {
  return shape.key.map((column) => postgresName(shape, column)).join(', ')
}

/** The table, or its rows added up to those of SQLite. */
function source(shape: Shape, as = 'source'): string {
  if (!shape.isSummed) return `${shape.name} as ${as}`
  const sums = shape.columns
    .filter((column) => !shape.key.includes(column))
    .map((column) => `sum(${column})::bigint as ${column}`)
  const keys = keysOf(shape)
  return `(select ${keys}, ${sums.join(', ')} from ${shape.name} group by ${keys}) as ${as}`
}

function digestColumns(shape: Shape): string {
  const cells = quoted(shape).map((column, index) => {
    return shape.kinds[index] === 'bytes' ? `encode(${column}, 'hex')` : column
  })
  const hash = `('x' || substr(md5(json_build_array(${cells.join(', ')})::text), 1, ${hashBits / 4}))`
  return `count(*) as rows, coalesce(sum(${hash}::bit(${hashBits})::bigint), 0)::text as sum`
}

type Range = { where: string; values: Cell[] }

function rangeOf(shape: Shape, after: Row | null, upTo: Row | null): Range {
  const values: Cell[] = []
  const conditions = shape.only ? [shape.only] : []
  for (const [bound, sign] of [
    [after, '>'],
    [upTo, '<='],
  ] as const) {
    if (!bound) continue
    const places = bound.map((cell, index) => {
      values.push(cell)
      return `$${values.length}::${types[shape.kinds[shape.keyAt[index] ?? 0] ?? 'text']}`
    })
    conditions.push(`(${keysOf(shape)}) ${sign} (${places.join(', ')})`)
  }
  return { where: conditions.length > 0 ? `where ${conditions.join(' and ')}` : '', values }
}

function amongKeys(shape: Shape, keys: Row[]) {
  const arrays = shape.key.map((_, index) => {
    const kind = types[shape.kinds[shape.keyAt[index] ?? 0] ?? 'text']
    return `$${index + 1}::${kind}[]`
  })
  const names = shape.key.map((_, index) => `k${index + 1}`)
  const equal = shape.key.map((column, index) => `t.${postgresName(shape, column)} = k${index + 1}`)
  return {
    from: `unnest(${arrays.join(', ')}) as wanted (${names.join(', ')})`,
    where: [...equal, ...(shape.only ? [`t.${shape.only}`] : [])].join(' and '),
    values: shape.key.map((_, index) => keys.map((key) => key[index] ?? null)),
  }
}

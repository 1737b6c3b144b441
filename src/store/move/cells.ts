import { hex } from '../hex.ts'
export type Cell = string | number | boolean | Uint8Array | null
export type Row = Cell[]
export type Kind = 'text' | 'integer' | 'boolean' | 'bytes'

/** How many rows, and the sum of a hash of each: equal for equal rows in any order. */
export type Digest = { rows: number; sum: bigint }

export const emptyDigest: Digest = { rows: 0, sum: 0n }

/** The bits of a row's MD5 that are added up; the same number in `rowHash` of PostgreSQL. */
export const hashBits = 60

/** A line of COPY in its text format. */
export function copyLine(row: Row, kinds: Kind[]): string {
  return `${row.map((cell, index) => copyCell(cell, kinds[index])).join('\t')}\n`
}

function copyCell(cell: Cell, kind: Kind | undefined): string {
  if (cell === null) return '\\N'
  if (typeof cell === 'string') return cell.replace(/[\\\t\n\r]/g, escaped)
  if (cell instanceof Uint8Array) return `\\\\x${hex(cell)}`
  return kind === 'boolean' ? (cell ? 't' : 'f') : String(cell)
}

const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function escaped(letter: string): string {
  return escapes[letter] ?? letter
}

/** A row as PostgreSQL's `json_build_array` writes it, with bytes in hexadecimal. */
export function jsonLine(row: Row, kinds: Kind[]): string {
  return `[${row.map((cell, index) => jsonCell(cell, kinds[index])).join(', ')}]`
}

function jsonCell(cell: Cell, kind: Kind | undefined): string {
  if (cell === null) return 'null'
  if (typeof cell === 'string') return JSON.stringify(cell)
  if (cell instanceof Uint8Array) return `"${hex(cell)}"`
  return kind === 'boolean' ? String(Boolean(cell)) : String(cell)
}

export function digestOf(rows: Row[], kinds: Kind[]): Digest {
  let sum = 0n
  for (const row of rows) {
    const hash = new Bun.CryptoHasher('md5').update(jsonLine(row, kinds)).digest()
    sum += hash.readBigUInt64BE() >> BigInt(64 - hashBits)
  }
  return { rows: rows.length, sum }
}

export function plus(a: Digest, b: Digest): Digest {
  return { rows: a.rows + b.rows, sum: a.sum + b.sum }
}

export function minus(a: Digest, b: Digest): Digest {
  return { rows: a.rows - b.rows, sum: a.sum - b.sum }
}

export function isEqual(a: Digest, b: Digest): boolean {
  return a.rows === b.rows && a.sum === b.sum
}

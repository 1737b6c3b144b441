import { toRows } from './rows.ts'

/** A select within another one, as the text of a JSON array that `readList` reads; bytes in hex. */
export function listOf(select: string): string {
  return `(select json_agg(listed) from (${select}) as listed)::text`
}

export function readList<Row>(text: string | null): Row[] {
  return text === null ? [] : toRows(JSON.parse(text))
}

/** Rows for `jsonb_to_recordset`, with names in `snake_case`; bytes in hex. */
export function writeList(rows: object[]): string {
  return JSON.stringify(rows.map(toStored))
}

function toStored(row: object): object {
  const fields = Object.entries(row).map(([name, value]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value instanceof Uint8Array ? value.toHex() : value,
  ])
  return Object.fromEntries(fields)
}

export function fromHex(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex')
}

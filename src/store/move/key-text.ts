import type { Cell, Row } from './cells.ts'

/** A key as JSON, with bytes in hexadecimal. */
export function keyText(key: Row): string {
  return JSON.stringify(
    key.map((cell) =>
      cell instanceof Uint8Array ? { hex: Buffer.from(cell).toString('hex') } : cell,
    ),
  )
}

export function keyFromText(text: string): Row {
  const cells: (Exclude<Cell, Uint8Array> | { hex: string })[] = JSON.parse(text)
  return cells.map((cell) => {
    return typeof cell === 'object' && cell !== null ? Buffer.from(cell.hex, 'hex') : cell
  })
}

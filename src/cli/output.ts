import type { Io } from './io.ts'

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
type Style = keyof typeof styles

/** Colours at a terminal only: see no-color.org. */
export function painter(io: Pick<Io, 'env'>, isTerminal: boolean) {
  const plain = !isTerminal || Boolean(io.env['NO_COLOR']) || io.env['TERM'] === 'dumb'
  return (style: Style, text: string) => (plain ? text : `\x1b[${styles[style]}m${text}\x1b[0m`)
}

/** Aligned columns under a heading for a person, tab-separated lines without one for a pipe. */
export function printTable(io: Io, heading: string[], rows: string[][]): void {
  if (!io.terminal.output) {
    for (const row of rows) io.out(`${row.map(oneLine).join('\t')}\n`)
    return
  }
  const paint = painter(io, true)
  const widths = heading.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => oneLine(row[column] ?? '').length)),
  )
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => oneLine(cell).padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  io.out(`${paint('bold', line(heading))}\n`)
  for (const row of rows) io.out(`${line(row)}\n`)
}

/** `name  value` lines, for one thing. */
export function printFacts(io: Io, facts: [string, string][]): void {
  const paint = painter(io, io.terminal.output)
  const width = Math.max(...facts.map(([name]) => name.length))
  for (const [name, value] of facts) {
    io.out(`${paint('dim', name.padEnd(width))}  ${oneLine(value)}\n`)
  }
}

export function printJson(io: Io, value: unknown): void {
  io.out(`${JSON.stringify(value, null, 2)}\n`)
}

/** Epoch milliseconds as a person and a script can both read them. */
export function timeText(at: number | null): string {
  return at === null ? '-' : new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}

// Names and server replies must not move the cursor or forge a line.
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}

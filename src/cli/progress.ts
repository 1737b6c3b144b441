import type { Io } from './io.ts'

type Step = { phase: string; table: string; done: number; total: number }

const width = 24
/** How often the line is drawn, in steps of a hundredth of the whole. */
const parts = 100

const names: Record<string, string> = {
  copy: 'copying',
  index: 'building indexes',
  compare: 'comparing',
  switch: 'switching',
}

/**
 * Shows how far a command has come: a bar on one line at a terminal, else a line for each step that
 * is done.
 */
export function createProgress({ err, terminal }: Pick<Io, 'err' | 'terminal'>) {
  let shown = ''
  let isDrawn = false

  return {
    onStep({ phase, table, done, total }: Step): void {
      const share = total === 0 ? 1 : Math.min(1, done / total)
      const label = `${names[phase] ?? phase} ${table}`.trim()
      const key = `${label} ${Math.floor(share * parts)}`
      if (key === shown) return
      shown = key
      if (!terminal.errors) {
        if (share === 1) err(`${label}: ${done}\n`)
        return
      }
      const filled = Math.round(share * width)
      const bar = '█'.repeat(filled) + '░'.repeat(width - filled)
      const percent = `${Math.floor(share * 100)}%`.padStart(4)
      err(`\r\x1b[K${label.padEnd(34)} ${bar} ${percent}  ${done} of ${total}`)
      isDrawn = true
    },
    /** Leaves the line. */
    end(): void {
      if (isDrawn) err('\n')
      isDrawn = false
    },
  }
}

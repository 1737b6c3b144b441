import type { Io } from './io.ts'

type Step = { phase: string; table: string; done: number; total: number }
type Deps = Pick<Io, 'err' | 'terminal'> & { monotonic(): number }

const width = 24
/** Where it is no terminal, a line is written at each of so many parts of a phase. */
const linesMax = 10

const phases: Record<string, { says: string; unit: string }> = {
  copy: { says: 'copying', unit: 'rows' },
  index: { says: 'building indexes', unit: 'indexes' },
  compare: { says: 'comparing', unit: 'rows' },
  switch: { says: 'switching', unit: 'steps' },
}

/** Shows how far a command has come: a bar at a terminal, else a line now and then. */
export function createProgress({ err, terminal, monotonic }: Deps) {
  let shown = ''
  let phase = ''
  let first = { at: 0, done: 0 }
  let isDrawn = false

  /** Since the phase began here; empty until that says something. */
  function rate(done: number, unit: string): string {
    const seconds = (monotonic() - first.at) / 1000
    if (unit !== 'rows' || seconds < 1) return ''
    return `, ${Math.round((done - first.done) / seconds).toLocaleString('en')} rows/s`
  }

  return {
    onStep(step: Step): void {
      const { done, total, table } = step
      if (step.phase !== phase) {
        phase = step.phase
        first = { at: monotonic(), done }
      }
      const share = total === 0 ? 1 : done / total
      const parts = terminal.errors ? 100 : linesMax
      const key = `${phase} ${Math.floor(share * parts)} ${terminal.errors ? table : ''}`
      if (key === shown) return
      shown = key
      const { says, unit } = phases[phase] ?? { says: phase, unit: '' }
      const counted = `${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${unit}`
      const text = `${counted}${rate(done, unit)}`
      const percent = `${Math.floor(share * 100)}%`.padStart(4)
      if (!terminal.errors) {
        err(`${says}: ${percent.trim()}, ${text}\n`)
        return
      }
      const filled = Math.round(share * width)
      const bar = '█'.repeat(filled) + '░'.repeat(width - filled)
      err(`\r\x1b[K${says} ${bar} ${percent}  ${text}  ${table}`)
      isDrawn = true
    },
    /** Leaves the line. */
    end(): void {
      if (isDrawn) err('\n')
      isDrawn = false
    },
  }
}

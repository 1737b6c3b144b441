import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One line of the report. `ceiling` is what the same machine gave in the same run, alternating. */
export type Finding = {
  what: string
  value: number
  unit: string
  /** The middle, the least and the most of the repetitions stand in `value` and here. */
  spread?: [least: number, most: number]
  ceiling?: { what: string; value: number }
  /** What is held against the target: the value itself, or the ratio to the ceiling. */
  judged?: { figure: number; atLeast?: number; atMost?: number }
  note?: string
}

export type Measure = (bench: Bench) => Promise<Finding[]>

export type Bench = {
  /** Repetitions; A and B alternate. */
  rounds: number
  /** Seconds of one repetition. */
  seconds: number
  directory(): string
  progress(text: string): void
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

export function spread(values: number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)]
}

export function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0
}

/** What was measured against what, pair by pair, so that a slow moment slows both. */
export function medianRatio(subject: number[], other: number[]): number {
  return median(subject.map((value, index) => value / (other[index] ?? Number.NaN)))
}

export function meets({ judged }: Finding): boolean | null {
  if (!judged) return null
  const { figure, atLeast = -Infinity, atMost = Infinity } = judged
  return figure >= atLeast && figure <= atMost
}

/** Directories that go when the process does. */
export function scratch(): () => string {
  const made: string[] = []
  process.on('exit', () => {
    for (const path of made) rmSync(path, { recursive: true, force: true })
  })
  return () => {
    const path = mkdtempSync(join(tmpdir(), 'otpmint-bench-'))
    made.push(path)
    return path
  }
}

const units: Record<string, (value: number) => string> = {
  '/s': (value) => Math.round(value).toLocaleString('en'),
  '': (value) => value.toFixed(2),
}

export function shown(value: number, unit: string): string {
  const number = units[unit]?.(value) ?? value.toFixed(value < 100 ? 1 : 0)
  return unit === '/s' ? `${number}/s` : `${number} ${unit}`.trim()
}

/** The report as a Markdown table, for a terminal and for docs/performance.md alike. */
export function table(findings: Finding[]): string {
  const rows = findings.map((finding) => {
    const { what, value, unit, spread: range, ceiling, judged } = finding
    const between = range ? ` (${shown(range[0], unit)} to ${shown(range[1], unit)})` : ''
    return [
      what,
      shown(value, unit) + between,
      ceiling ? `${ceiling.what}: ${shown(ceiling.value, unit)}` : '',
      judged ? verdict(finding, judged) : '',
    ]
  })
  const heads = ['measure', 'measured', 'beside it', 'target']
  return [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function verdict(finding: Finding, judged: NonNullable<Finding['judged']>): string {
  const { figure, atLeast, atMost } = judged
  const unit = finding.ceiling ? '' : finding.unit
  const target = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`
  return `${shown(figure, unit)}, ${target}: ${meets(finding) ? 'met' : '**missed**'}`
}

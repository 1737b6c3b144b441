/**
 * One line of the report. `ceiling` was measured alternately, on the same machine in the same run.
 */
export type Finding = {
  what: string
  value: number
  unit: Unit
  /** The least and the most of the repetitions, beside the median in `value`. */
  spread?: [least: number, most: number]
  ceiling?: { what: string; value: number }
  /** What is compared with the target: the value itself, or its ratio to the ceiling. */
  judged?: { figure: number; atLeast?: number; atMost?: number; isRatio?: boolean }
  note?: string
}

export type Unit = '/s' | 's' | 'ms' | 'us' | 'MB' | 'bytes' | ''

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

export function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0
}

/** Pairs of subject and ceiling, so that a slow moment affects both. */
export function medianRatio(subject: number[], other: number[]): number {
  return median(subject.map((value, index) => value / (other[index] ?? Number.NaN)))
}

/** A line from repetitions. */
export function finding(what: string, unit: Unit, values: number[]): Finding {
  return { what, unit, value: median(values), spread: [Math.min(...values), Math.max(...values)] }
}

type Target = { atLeast: number } | { atMost: number }

/** A line that is compared with its ceiling, pair by pair. */
export function besides(
  line: Finding,
  values: number[],
  ceiling: { what: string; values: number[] },
  target?: Target,
): Finding {
  const figure = medianRatio(values, ceiling.values)
  const judged = target && { figure, ...target, isRatio: true }
  const beside = { what: ceiling.what, value: median(ceiling.values) }
  return { ...line, ceiling: beside, ...(judged && { judged }) }
}

export function meets({ judged }: Finding): boolean | null {
  if (!judged) return null
  const { figure, atLeast = -Infinity, atMost = Infinity } = judged
  return figure >= atLeast && figure <= atMost
}

/** The report as a Markdown table, for a terminal and docs/performance.md. */
export function table(findings: Finding[]): string {
  const rows = findings.map((line) => {
    const { what, value, unit, spread, ceiling } = line
    const [least = value, most = value] = spread ?? []
    const between = least < most ? ` (${amount(least, unit)} to ${amount(most, unit)})` : ''
    const beside = ceiling ? `${ceiling.what}: ${shown(ceiling.value, unit)}` : ''
    return [what, shown(value, unit) + between, beside, verdict(line)]
  })
  const heads = ['measure', 'measured', 'beside it', 'target']
  return markdown(heads, rows)
}

/** A table as text, for a terminal and for the docs. */
export function markdown(heads: string[], rows: string[][]): string {
  const all = [heads, heads.map(() => '---'), ...rows]
  return all.map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function verdict(line: Finding): string {
  const { judged, unit } = line
  if (!judged) return ''
  const { figure, atLeast, atMost, isRatio } = judged
  const at = (value: number) => shown(value, isRatio ? '' : unit)
  const target = atLeast === undefined ? `at most ${at(atMost ?? 0)}` : `at least ${at(atLeast)}`
  return `${isRatio ? `${at(figure)}, ` : ''}${target}: ${meets(line) ? 'met' : '**missed**'}`
}

function shown(value: number, unit: Unit): string {
  const number = amount(value, unit)
  return unit === '/s' || unit === '' ? number + unit : `${number} ${unit}`
}

function amount(value: number, unit: Unit): string {
  if (unit === '/s' || unit === 'bytes') return Math.round(value).toLocaleString('en')
  if (unit === '' && Number.isInteger(value)) return String(value)
  return value.toFixed(unit === '' || unit === 's' ? 2 : value < 100 ? 1 : 0)
}

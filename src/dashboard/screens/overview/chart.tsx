import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import { Pager } from '../../parts/loaded.tsx'
import { Table } from '../../parts/table.tsx'
import { type Line, Plot } from './plot.tsx'
import { overviewWords } from './words.ts'

type ChartProps = {
  title: string
  /** RFC 3339, one for each value. */
  times: string[]
  series: Line[]
  kind: 'counts' | 'durations'
  timeText(iso: string): string
  /** A shorter one, for the axis. */
  axisText(iso: string): string
  valueText(value: number): string
}

/**
 * A chart, the values of one point of it in words, and all of them as a table. The point follows the
 * pointer, and the arrow keys on the slider below.
 */
export function Chart(props: ChartProps) {
  const { title, times, series, timeText, valueText } = props
  const words = overviewWords()
  const chosen = useSignal<number | null>(null)
  const last = times.length - 1
  const index = Math.min(chosen.value ?? last, last)
  const at = times[index]
  const shown = series.map(({ name, values }) => {
    const value = values[index] ?? null
    return [name, value === null ? words.none : valueText(value)] as const
  })
  const choose = (next: number) => {
    chosen.value = next
  }
  const id = useId()
  if (at === undefined) return null
  const said = shown.map(([name, value]) => `${name} ${value}`).join(', ')
  return (
    <figure class="chart" aria-labelledby={id}>
      <figcaption id={id}>{title}</figcaption>
      <p class="legend" aria-hidden="true">
        <span class="at">{timeText(at)}</span>
        {series.map(({ name, look }, at) => (
          <span key={name}>
            <svg class={`swatch ${look}`} viewBox="0 0 20 8" aria-hidden="true">
              <path class={`line ${look}`} d="M0 4H20" />
            </svg>
            {name} <b>{shown[at]?.[1]}</b>
          </span>
        ))}
      </p>
      <Plot {...props} lines={series} index={index} onPoint={choose} />
      <input
        type="range"
        class="scrub"
        min={0}
        max={last}
        value={index}
        aria-label={`${title}: ${words.pointAt}`}
        aria-valuetext={`${timeText(at)}: ${said}`}
        onInput={({ currentTarget }) => choose(Number(currentTarget.value))}
      />
      <ChartTable {...props} />
    </figure>
  )
}

type Row = { time: string; index: number }

/** So many rows are in the document at a time. */
const rowsShown = 31

/** The values of a chart, the latest first. */
function ChartTable({ title, times, series, timeText, valueText }: ChartProps) {
  const words = overviewWords()
  const isOpen = useSignal(false)
  const page = useSignal(0)
  const rows: Row[] = times.map((time, index) => ({ time, index })).reverse()
  const pages = Math.ceil(rows.length / rowsShown)
  const number = Math.min(page.value, pages - 1)
  const step = (by: number) => () => {
    page.value = number + by
  }
  const pager = {
    number: number + 1,
    previous: number > 0 ? step(-1) : null,
    next: number < pages - 1 ? step(1) : null,
  }
  const cellOf = (values: (number | null)[]) => (row: Row) => {
    const value = values[row.index] ?? null
    return value === null ? words.none : valueText(value)
  }
  return (
    <details
      class="as-table"
      onToggle={({ currentTarget }) => {
        isOpen.value = currentTarget.open
      }}
    >
      <summary>{words.asTable}</summary>
      {isOpen.value && (
        <>
          <Table
            caption={title}
            rows={rows.slice(number * rowsShown, (number + 1) * rowsShown)}
            keyOf={({ time }) => time}
            columns={[
              { label: words.time, isName: true, cell: ({ time }) => timeText(time) },
              ...series.map(({ name, values }) => {
                return { label: name, isNumber: true, cell: cellOf(values) }
              }),
            ]}
          />
          <Pager of={pager} />
        </>
      )}
    </details>
  )
}

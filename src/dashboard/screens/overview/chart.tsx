import { useSignal, useSignalEffect } from '@preact/signals'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Pager } from '../../parts/loaded.tsx'
import { Table } from '../../parts/table.tsx'
import { language, theme } from '../../preferences.ts'
import type { Plot } from './plot.ts'
import { overviewWords } from './words.ts'

export type Series = {
  name: string
  /** The class of its colour. */
  look: 'a' | 'b' | 'c' | 'd'
  values: (number | null)[]
}

type ChartProps = {
  title: string
  /** RFC 3339, one for each value. */
  times: string[]
  series: Series[]
  kind: 'counts' | 'durations'
  timeText(iso: string): string
  /** A shorter one, for the axis. */
  axisText(iso: string): string
  valueText(value: number): string
}

/** As the legend shows them; they differ without colours too. */
const strokes = {
  a: { width: 1.5, dash: [] },
  b: { width: 1.5, dash: [8, 4] },
  c: { width: 3, dash: [] },
  d: { width: 2, dash: [2, 3] },
}
const height = 220

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
  const place = useDrawn(props, index, (next) => {
    chosen.value = next
  })
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
            <i class={`swatch ${look}`} />
            {name} <b>{shown[at]?.[1]}</b>
          </span>
        ))}
      </p>
      <div class="plot" ref={place} aria-hidden="true" />
      <input
        type="range"
        class="scrub"
        min={0}
        max={last}
        value={index}
        aria-label={`${title}: ${words.pointAt}`}
        aria-valuetext={`${timeText(at)}: ${said}`}
        onInput={({ currentTarget }) => {
          chosen.value = Number(currentTarget.value)
        }}
      />
      <ChartTable {...props} />
    </figure>
  )
}

/** Draws the chart once its code is there, and again when what it shows or its colours change. */
function useDrawn(props: ChartProps, index: number, onPoint: (index: number) => void) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot | null>(null)
  const latest = useRef({ props, index, onPoint })
  latest.current = { props, index, onPoint }
  const round = useSignal(0)
  useSignalEffect(() => {
    // Colours and words come with these.
    void [theme.value, language.value]
    round.value = round.peek() + 1
  })
  useEffect(() => {
    const again = () => {
      round.value++
    }
    const device = matchMedia('(prefers-color-scheme: dark)')
    device.addEventListener('change', again)
    addEventListener('beforeprint', again)
    addEventListener('afterprint', again)
    return () => {
      device.removeEventListener('change', again)
      removeEventListener('beforeprint', again)
      removeEventListener('afterprint', again)
    }
  }, [round])
  const data = JSON.stringify([props.times, props.series])
  useEffect(() => {
    let isWanted = true
    import('./plot.ts').then(({ draw }) => {
      const element = place.current
      if (!isWanted || !element) return
      const { props: now, onPoint: point } = latest.current
      plot.current = draw(element, { ...optionsOf(now, element), onPoint: point })
      plot.current.point(latest.current.index)
    })
    return () => {
      isWanted = false
      plot.current?.destroy()
      plot.current = null
    }
  }, [data, round.value])
  useEffect(() => plot.current?.point(index), [index])
  return place
}

/** Colours as the page has them now: a canvas knows no custom properties. */
function optionsOf({ times, series, kind, axisText, valueText }: ChartProps, element: HTMLElement) {
  const figure = element.closest('figure')
  const colorOf = (selector: string, property: string) => {
    const found = figure?.querySelector(selector) ?? element
    return getComputedStyle(found).getPropertyValue(property)
  }
  return {
    times: times.map((time) => Date.parse(time) / 1000),
    lines: series.map(({ name, look, values }) => {
      const color = colorOf(`.swatch.${look}`, 'border-top-color')
      return { name, values, color, ...strokes[look] }
    }),
    colors: { text: colorOf('.legend', 'color'), grid: colorOf('.plot', 'border-bottom-color') },
    timeText: (seconds: number) => axisText(new Date(seconds * 1000).toISOString()),
    ...{ kind, valueText, height },
  }
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

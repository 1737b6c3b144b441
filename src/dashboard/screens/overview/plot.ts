import UPlot from 'uplot'

export type Line = {
  name: string
  values: (number | null)[]
  color: string
  width: number
  dash: number[]
}

export type PlotOptions = {
  /** Where each bucket begins, in seconds. */
  times: number[]
  lines: Line[]
  /** Counts are steps from 0 on; durations are joined points on a logarithmic scale. */
  kind: 'counts' | 'durations'
  colors: { text: string; grid: string }
  height: number
  timeText(seconds: number): string
  valueText(value: number): string
  /** Called with the place in `times` that the pointer is at. */
  onPoint(index: number): void
}

export type Plot = { point(index: number): void; destroy(): void }

/** Draws a chart into an element, as wide as that is. */
export function draw(place: HTMLElement, options: PlotOptions): Plot {
  const { times, lines, colors, height, kind } = options
  const isStepped = kind === 'counts'
  const paths = isStepped ? UPlot.paths.stepped?.({ align: 1 }) : UPlot.paths.linear?.()
  const axis = { stroke: colors.text, font: '12px system-ui, sans-serif', ticks: { show: false } }
  const grid = { stroke: colors.grid, width: 1 }
  const chart = new UPlot(
    {
      width: place.clientWidth,
      height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      padding: [8, 12, 0, 0],
      scales: { y: isStepped ? fromZero : { distr: 3 } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: 70,
          size: 26,
          values: (_, splits) => splits.map(options.timeText),
        },
        {
          ...axis,
          grid,
          size: 56,
          space: 36,
          gap: 8,
          ...(isStepped && { incrs: wholeSteps }),
          values: (_, splits) => splits.map((at) => (at === null ? '' : options.valueText(at))),
        },
      ],
      series: [
        {},
        ...lines.map(({ name, color, dash, width }) => ({
          label: name,
          stroke: color,
          ...{ width, dash },
          points: { show: !isStepped, size: 5, fill: color },
          ...(paths && { paths }),
        })),
      ],
      hooks: {
        setCursor: [
          ({ cursor }) => {
            if (isPointed && typeof cursor.idx === 'number') options.onPoint(cursor.idx)
          },
        ],
      },
    },
    [times, ...lines.map(({ values }) => values)],
    place,
  )
  let isPointed = true
  const resized = new ResizeObserver(() => {
    if (place.clientWidth > 0) chart.setSize({ width: place.clientWidth, height })
  })
  resized.observe(place)

  return {
    point(index) {
      const left = chart.valToPos(times[index] ?? 0, 'x')
      isPointed = false
      chart.setCursor({ left, top: 0 })
      isPointed = true
    },
    destroy() {
      resized.disconnect()
      chart.destroy()
    },
  }
}

const fromZero: UPlot.Scale = { range: (_, __, most) => [0, Math.max(1, most * 1.05)] }
/** Half a verification would be a strange mark. */
const wholeSteps = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((step) => step * 10 ** power),
).flat()

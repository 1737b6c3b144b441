import { useSignal } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { durationScale, type Scale, timeMarks, wholeScale } from './scale.ts'

export type Line = {
  name: string
  /** The class of its colour and stroke, which the legend has too. */
  look: 'a' | 'b' | 'c' | 'd'
  values: (number | null)[]
}

type PlotProps = {
  /** RFC 3339, one for each value. */
  times: string[]
  lines: Line[]
  /** Counts are steps from 0 on; durations are joined points on a logarithmic scale. */
  kind: 'counts' | 'durations'
  /** The place in `times` that is marked. */
  index: number
  axisText(iso: string): string
  valueText(value: number): string
  onPoint(index: number): void
}

const height = 220
const left = 56
const right = 12
const top = 10
const bottom = 26
const markEveryPx = 80
/** More points would touch one another. */
const dotsMost = 60

/** A chart as a drawing, whose colours are those of the page, also where the page is printed. */
export function Plot(props: PlotProps) {
  const { times, lines, kind, index, axisText, valueText, onPoint } = props
  const { place, width } = useWidth()
  const inner = Math.max(1, width - left - right)
  // A step is as wide as its bucket; points have their places from edge to edge.
  const gaps = Math.max(1, kind === 'counts' ? times.length : times.length - 1)
  const x = (at: number) => left + (inner * at) / gaps
  const numbers = lines.flatMap(({ values }) => values.flatMap((value) => value ?? []))
  const scale = kind === 'counts' ? wholeScale(numbers) : durationScale(numbers)
  const y = (value: number) => top + (height - top - bottom) * (1 - scale.share(value))
  const aheadMs = -60_000 * new Date(times[0] ?? 0).getTimezoneOffset()
  const marked = kind === 'counts' ? index + 0.5 : index
  const point = (event: PointerEvent & { currentTarget: SVGSVGElement }) => {
    const at = event.clientX - event.currentTarget.getBoundingClientRect().left - left
    const found =
      kind === 'counts' ? Math.floor((at / inner) * gaps) : Math.round((at / inner) * gaps)
    onPoint(Math.min(times.length - 1, Math.max(0, found)))
  }
  return (
    <div class="plot" ref={place}>
      <svg
        aria-hidden="true"
        width={width}
        height={height}
        onPointerMove={point}
        onPointerDown={point}
      >
        <Grid scale={scale} width={width} y={y} valueText={valueText} />
        {timeMarks(times, { bucketPx: inner / gaps, apartPx: markEveryPx, aheadMs }).map((at) => (
          <text
            key={at}
            x={Math.min(x(at), width)}
            y={height - 6}
            class={x(at) > width - markEveryPx / 2 ? 'end' : 'middle'}
          >
            {axisText(times[at] ?? '')}
          </text>
        ))}
        <line class="cursor" x1={x(marked)} x2={x(marked)} y1={top} y2={height - bottom} />
        {lines.map((line) => (
          <path key={line.name} class={`line ${line.look}`} d={pathOf(line, kind, x, y)} />
        ))}
        {kind === 'durations' && times.length <= dotsMost && <Dots lines={lines} x={x} y={y} />}
      </svg>
    </div>
  )
}

type Axis = (value: number) => number

function Grid({
  scale,
  width,
  y,
  valueText,
}: {
  scale: Scale
  width: number
  y: Axis
  valueText(value: number): string
}) {
  return (
    <>
      {scale.marks.map((mark) => (
        <g key={mark}>
          <line x1={left} x2={width - right} y1={y(mark)} y2={y(mark)} />
          <text x={left - 8} y={y(mark) + 4} class="end">
            {valueText(mark)}
          </text>
        </g>
      ))}
    </>
  )
}

function Dots({ lines, x, y }: { lines: Line[]; x: Axis; y: Axis }) {
  return (
    <>
      {lines.flatMap(({ look, values }) =>
        values.map((value, at) =>
          value === null ? null : (
            <circle key={`${look} ${at}`} class={`dot ${look}`} cx={x(at)} cy={y(value)} r={2.5} />
          ),
        ),
      )}
    </>
  )
}

/** The path of a line; it has a gap where there is no value. */
function pathOf({ values }: Line, kind: PlotProps['kind'], x: Axis, y: Axis): string {
  let path = ''
  let isOpen = false
  for (const [at, value] of values.entries()) {
    if (value === null) {
      isOpen = false
      continue
    }
    const height = round(y(value))
    if (kind === 'counts') {
      path += isOpen ? `V${height}` : `M${round(x(at))} ${height}`
      path += `H${round(x(at + 1))}`
    } else path += `${isOpen ? 'L' : 'M'}${round(x(at))} ${height}`
    isOpen = true
  }
  return path
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10
}

/** The width of an element, also when it changes. */
function useWidth() {
  const place = useRef<HTMLDivElement>(null)
  const width = useSignal(320)
  useLayoutEffect(() => {
    const element = place.current
    if (!element) return
    const measure = () => {
      if (element.clientWidth > 0) width.value = element.clientWidth
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [width])
  return { place, width: width.value }
}

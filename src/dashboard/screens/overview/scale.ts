/** Where values are between the bottom (0) and the top (1) of a chart, and which have a mark. */
export type Scale = { share(value: number): number; marks: number[] }

const marksMost = 5

/** From 0 on, with marks at whole numbers: half a verification would be a strange one. */
export function wholeScale(values: number[]): Scale {
  const most = Math.max(1, ...values)
  const step = stepFor(most / marksMost)
  const steps = Math.ceil(most / step)
  const end = steps * step
  const marks = Array.from({ length: steps + 1 }, (_, index) => index * step)
  return { marks, share: (value) => value / end }
}

/** The smallest of 1, 2, 5, 10, 20, 50 and so on that is not smaller. */
function stepFor(least: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, least))))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least) ?? 10 * power
}

/** By powers of ten, which have the marks. */
export function logScale(values: number[]): Scale {
  const powers = values.map((value) => Math.log10(Math.max(1, value)))
  const from = Math.floor(Math.min(...powers, 2))
  const to = Math.max(from + 1, Math.ceil(Math.max(...powers, 3)))
  const marks = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index))
  return { marks, share: (value) => (Math.log10(Math.max(1, value)) - from) / (to - from) }
}

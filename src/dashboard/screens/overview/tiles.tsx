import { duration, number, percent } from '../../format.ts'
import type { Shown } from './wire.ts'
import { overviewWords } from './words.ts'

/** The figures of a time at a glance. */
export function Tiles({ of: total }: { of: Shown }) {
  const words = overviewWords()
  const { hand_over_ms: handOver, approval_ms: approval } = total
  const share = (part: number) => {
    return total.started === 0
      ? ''
      : words.ofStarted(Math.round((1000 * part) / total.started) / 10)
  }
  const tiles = [
    [words.started, number(total.started), ''],
    [words.handedOver, number(total.handed_over), share(total.handed_over)],
    [words.approved, number(total.approved), share(total.approved)],
    [words.failed, number(total.failed), share(total.failed)],
    [words.handOver, timeOf(handOver?.p50), handOver ? words.p95(handOver.p95) : ''],
    [words.approval, timeOf(approval?.p50), approval ? words.p95(approval.p95) : ''],
  ] as const
  return (
    <dl class="tiles">
      {tiles.map(([name, value, below]) => (
        <div key={name} class={name === words.failed && total.failed > 0 ? 'bad' : ''}>
          <dt>{name}</dt>
          <dd>
            <b>{value}</b>
            {below && <span class="faint">{below}</span>}
          </dd>
        </div>
      ))}
    </dl>
  )
}

export function timeOf(ms: number | undefined): string {
  return ms === undefined ? overviewWords().none : duration(ms)
}

export function percentOf(value: number | null): string {
  return value === null ? overviewWords().none : percent(value / 100)
}

import { dateTime, exactTime, relative } from '../format.ts'

/** A moment in the reader's locale; the exact one is shown on hover. */
export function Time({ at, ago }: { at: string; ago?: boolean }) {
  return (
    <time dateTime={at} title={exactTime(at)}>
      {ago ? relative(at) : dateTime(at)}
    </time>
  )
}

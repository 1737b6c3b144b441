import type { Outcome } from './recorder.ts'

const shownMax = 40

/** The report of a failing seed: the rule, the last steps, and the command that repeats it. */
export function reportOf({ seed, lines, violation }: Outcome, steps: number): string {
  const again = `bun run simulate --from ${seed} --seeds 1 --steps ${steps}`
  const where = violation?.name === 'Violation' ? '' : `\n${violation?.stack ?? ''}`
  return [
    `seed ${seed}: ${violation?.message ?? 'nothing is wrong'}${where}`,
    `the latest steps (true seconds since the beginning):`,
    ...lines.slice(-shownMax),
    `again: ${again}`,
  ].join('\n')
}

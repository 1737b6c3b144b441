/** Runs seeds: `bun run simulate --seeds N [--from S] [--steps 300]`; exits with 1 if one fails. */
import { parseArgs } from 'node:util'
import { reportOf } from './report.ts'
import { simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string', default: '300' },
    /** Stops after this time, even if seeds are left. */
    seconds: { type: 'string', default: '86400' },
    /** Prints every step of every seed, not only the last steps of a failing one. */
    verbose: { type: 'boolean', default: false },
  },
})
const [seeds, from, steps, seconds] = [values.seeds, values.from, values.steps, values.seconds].map(
  Number,
) as [number, number, number, number]

const startedAt = performance.now()
const totals: Record<string, number> = {}
const failed: { seed: number; rule: string }[] = []
let done = 0
for (let seed = from; seed < from + seeds; seed++) {
  if (performance.now() - startedAt > seconds * 1000) break
  const outcome = await simulate({ seed, steps })
  done++
  for (const [name, count] of Object.entries(outcome.counts)) {
    totals[name] = (totals[name] ?? 0) + count
  }
  if (outcome.violation) {
    failed.push({ seed, rule: outcome.violation.message.split(': {')[0] ?? '' })
    process.stdout.write(`\n${reportOf(outcome, steps)}\n`)
  }
  if (values.verbose) process.stdout.write(`${outcome.lines.join('\n')}\n${outcome.digest}\n`)
  if (process.stdout.isTTY)
    process.stdout.write(`\r${done} of ${seeds} seeds, ${failed.length} failed`)
}

const spent = (performance.now() - startedAt) / 1000
const rate = (done / spent).toFixed(1)
process.stdout.write(`\n${JSON.stringify(totals, Object.keys(totals).sort(), 1)}\n`)
for (const [rule, all] of Map.groupBy(failed, (each) => each.rule)) {
  const some = all.slice(0, 5).map(({ seed }) => seed)
  process.stdout.write(`${all.length} times: ${rule} (seeds ${some.join(', ')})\n`)
}
process.stdout.write(
  `${done} seeds of ${steps} steps from ${from}, ${failed.length} failed; ` +
    `${spent.toFixed(1)} s, ${rate} seeds a second\n`,
)
process.exit(failed.length > 0 ? 1 : 0)

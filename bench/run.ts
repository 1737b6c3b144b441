/**
 * `bun run bench [measure ...] [--rounds N] [--seconds N]`: measures beside ceilings of the same
 * machine in the same run, prints a table, and writes dist/bench/results.json.
 */
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { http } from './http.ts'
import { latency } from './latency.ts'
import { mails } from './mails.ts'
import { memory } from './memory.ts'
import { stored } from './stored.ts'
import { type Bench, type Finding, type Measure, meets, scratch, table } from './support.ts'

const measures: Record<string, Measure> = { http, mails, latency, memory, stored }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
})
process.exitCode = await run(positionals.length > 0 ? positionals : Object.keys(measures))

async function run(names: string[]): Promise<number> {
  const unknown = names.filter((name) => !Object.hasOwn(measures, name))
  if (unknown.length > 0) {
    process.stderr.write(`there is no ${unknown.join(', ')}; ${Object.keys(measures).join(', ')}\n`)
    return 2
  }
  const bench: Bench = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    directory: scratch(),
    progress: (text) => void process.stderr.write(`${text}\n`),
  }
  const [cpu] = cpus()
  const machine = `${cpus().length} x ${cpu?.model}, Linux ${release()}, Bun ${Bun.version}`
  const findings: Finding[] = []
  for (const name of names) {
    findings.push(...((await measures[name]?.(bench)) ?? []))
    const load = loadavg().map((value) => value.toFixed(1))
    const results = { machine, load, rounds: bench.rounds, seconds: bench.seconds, findings }
    const file = join(import.meta.dir, '../dist/bench/results.json')
    await Bun.write(file, `${JSON.stringify(results, null, 2)}\n`)
  }
  const notes = findings.flatMap(({ what, note }) => (note ? [`- ${what}: ${note}`] : []))
  process.stdout.write(`${machine}\n\n${table(findings)}\n\n${notes.join('\n')}\n`)
  return findings.some((finding) => meets(finding) === false) ? 1 : 0
}

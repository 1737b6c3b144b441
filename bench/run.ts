/**
 * `bun run bench [measure ...] [--quick] [--huge] [--rounds N] [--seconds N]` measures OtpMint
 * beside ceilings of the same machine in the same run, prints the table of docs/performance.md, and
 * writes dist/bench/results.json. It needs `wrk`.
 *
 * Every measure is a file of its name and returns lines of the table: `bursts`, `mails`, `languages`,
 * `checks`, `costs`, `dashboard`, `latency`, `gateways`, `memory`, `postgres`, `scaling`, `stored`, `timing`, `webhooks`. Subject and ceiling alternate; the median of
 * the repetitions is shown with the least and the most, and a ratio is the median of the ratios of neighbours. The
 * servers run as compiled executables (executable.ts, bare-server.ts, ungrouped-server.ts); load
 * comes from wrk or from our own client, which reads the answers (load.ts); mails go to our own
 * sink in a process of its own (sink.ts), and mail-client.ts is what can be sent without OtpMint.
 *
 * --quick takes about two minutes: one repetition, fewer rows in the databases. --huge adds ten
 * million stored verifications. --pipelining has the sinks offer it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bursts } from './bursts.ts'
import { checks } from './checks.ts'
import { costs } from './costs.ts'
import { dashboard } from './dashboard.ts'
import { gateways } from './gateways.ts'
import { languages } from './languages.ts'
import { latency } from './latency.ts'
import { mails } from './mails.ts'
import { memory } from './memory.ts'
import { postgres } from './postgres.ts'
import { type Finding, meets, table } from './report.ts'
import { scaling } from './scaling.ts'
import { stored } from './stored.ts'
import { timing } from './timing.ts'
import { webhooks } from './webhooks.ts'

export type Bench = {
  /** Repetitions; subject and ceiling alternate. */
  rounds: number
  /** Seconds of one repetition. */
  seconds: number
  quick: boolean
  huge: boolean
  pipelining: boolean
  /** A new directory, which is removed at the end of the process. */
  directory(): string
  progress(text: string): void
  /** Prints a table of its own, after the one of what was measured. */
  show(text: string): void
}

export type Measure = (bench: Bench) => Promise<Finding[]>

const measures: Record<string, Measure> = {
  ...{
    bursts,
    mails,
    languages,
    checks,
    costs,
    dashboard,
    latency,
    gateways,
    memory,
    postgres,
    scaling,
    stored,
    timing,
    webhooks,
  },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    huge: { type: 'boolean', default: false },
    pipelining: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
  },
})
process.exitCode = await run(positionals.length > 0 ? positionals : Object.keys(measures))

async function run(names: string[]): Promise<number> {
  const unknown = names.filter((name) => !Object.hasOwn(measures, name))
  if (unknown.length > 0) {
    process.stderr.write(`there is no ${unknown.join(', ')}; ${Object.keys(measures).join(', ')}\n`)
    return 2
  }
  const { quick, huge, pipelining } = values
  const rounds = Number(values.rounds ?? (quick ? 1 : 5))
  const seconds = Number(values.seconds ?? 2)
  const progress = (text: string) => void process.stderr.write(`${text}\n`)
  const shown: string[] = []
  const show = (text: string) => void shown.push(text)
  const bench = { rounds, seconds, quick, huge, pipelining, directory: scratch(), progress, show }
  const [cpu] = cpus()
  const machine = `${cpus().length} x ${cpu?.model}, Linux ${release()}, Bun ${Bun.version}`
  const findings: Finding[] = []
  for (const name of names) {
    findings.push(...((await measures[name]?.(bench)) ?? []))
    const load = loadavg().map((value) => value.toFixed(1))
    const results = { machine, load, rounds, seconds, quick, findings }
    const file = join(import.meta.dir, '../dist/bench/results.json')
    await Bun.write(file, `${JSON.stringify(results, null, 2)}\n`)
  }
  const notes = findings.flatMap(({ what, note }) => (note ? [`- ${what}: ${note}`] : []))
  const measured = findings.length > 0 ? [table(findings), notes.join('\n')] : []
  process.stdout.write(`${[machine, ...measured, ...shown].join('\n\n')}\n`)
  return findings.some((finding) => meets(finding) === false) ? 1 : 0
}

function scratch(): () => string {
  const made: string[] = []
  process.on('exit', () => {
    for (const path of made) rmSync(path, { recursive: true, force: true })
  })
  return () => {
    const path = mkdtempSync(join(tmpdir(), 'otpmint-bench-'))
    made.push(path)
    return path
  }
}

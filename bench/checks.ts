import { type Executable, type Served, serve } from './executable.ts'
import { checkLines, startLines, type WrkResult, wrk } from './load.ts'
import { besides, type Finding, finding, median } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed } from './seed.ts'
import { openSink } from './sink.ts'

/** More checks a second than possible, so that no round uses all of them. */
const perSecondMax = { otpmint: 30_000, 'ungrouped-server': 8_000, 'bare-server': 10_000 }

type Run = WrkResult & { cpuMicros: number }

/** Measures checks and starts, durable before the answer, beside bare HTTP and single commits. */
export const checks: Measure = async (bench) => {
  const connectionCounts = bench.quick ? [64] : [64, 256]
  const runs = new Map<string, Run[]>()
  const keep = (name: string, run: Run) => runs.set(name, [...(runs.get(name) ?? []), run])
  const runsEach = connectionCounts.length * (bench.rounds + 1)
  const subjects = {
    bare: await checking(bench, 'bare-server', runsEach),
    checks: await checking(bench, 'otpmint', runsEach),
    single: await checking(bench, 'ungrouped-server', runsEach),
  }
  for (let round = 0; round <= bench.rounds; round++) {
    bench.progress(`checks and starts, round ${round} of ${bench.rounds}`)
    for (const connections of connectionCounts) {
      for (const [name, { run }] of Object.entries(subjects)) {
        const done = await run(connections)
        // The first round warms up the runtime's compiler.
        if (round > 0) keep(`${name} ${connections}`, done)
      }
      if (round > 0) keep(`starts ${connections}`, await starting(bench, connections))
    }
  }
  await Promise.all(Object.values(subjects).map(({ served }) => served.stop()))
  return connectionCounts.flatMap((connections) => report(runs, connections))
}

function report(runs: Map<string, Run[]>, connections: number): Finding[] {
  const of = (name: string, key: keyof Run = 'perSecond') =>
    (runs.get(`${name} ${connections}`) ?? []).map((run) => run[key])
  const line = (name: string, what: string): Finding => ({
    ...finding(`${what}, ${connections} connections`, '/s', of(name)),
    note:
      `p50 ${median(of(name, 'p50')).toFixed(1)} ms, ` +
      `p99 ${median(of(name, 'p99')).toFixed(1)} ms, ` +
      `${median(of(name, 'cpuMicros')).toFixed(0)} us of processor`,
  })
  const bare = { what: 'bare POST', values: of('bare') }
  const grouped = { what: 'in groups', values: of('checks') }
  return [
    line('bare', 'bare Elysia POST'),
    besides(line('checks', 'checks'), of('checks'), bare, { atLeast: 0.36 }),
    besides(line('starts', 'starts, nothing sent'), of('starts'), bare, { atLeast: 0.15 }),
    besides(line('single', 'checks, a commit each'), of('single'), grouped),
  ]
}

/** A server with enough verifications for every round. */
async function checking(bench: Bench, name: keyof typeof perSecondMax & Executable, runs: number) {
  bench.progress(`${name} is compiled and filled`)
  const directory = bench.directory()
  const { seconds } = bench
  const each = Math.ceil((seconds * perSecondMax[name]) / 5)
  const { liveKey, pending } = await seed(directory, { smtpPort: null, pending: each * runs })
  const served = await serve(name, directory)
  const run = (connections: number) => {
    const lines = checkLines(pending.splice(0, each))
    const job = { lines, directory, authorization: liveKey, connections, seconds }
    return timed(served, job)
  }
  return { served, run }
}

async function timed(served: Served, job: Omit<Parameters<typeof wrk>[0], 'url'>): Promise<Run> {
  const cpu = served.cpuSeconds()
  const done = await wrk({ ...job, url: served.url })
  return { ...done, cpuMicros: ((served.cpuSeconds() - cpu) * 1e6) / done.requests }
}

/**
 * The mail server accepts connections and sends nothing, so that the sender only waits. Each
 * measure has a new server, and ends before the first connection is given up.
 */
async function starting(bench: Bench, connections: number): Promise<Run> {
  const sink = await openSink({ hangs: true })
  const directory = bench.directory()
  // The most connections, so that the expected wait refuses no start.
  const app = { smtpPort: sink.port, connectionsMax: 50 }
  const { liveKey: authorization } = await seed(directory, app)
  const served = await serve('otpmint', directory)
  const { seconds } = bench
  const job = { directory, authorization, connections }
  await timed(served, { ...job, lines: startLines('early', 40_000), seconds: 1 })
  const run = await timed(served, { ...job, lines: startLines('late', seconds * 25_000), seconds })
  await served.stop('SIGKILL')
  sink.stop()
  return run
}

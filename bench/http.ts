import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { type Bench, type Finding, type Measure, median, medianRatio, spread } from './support.ts'
import { checkLines, load, startLines } from './support-load.ts'
import { seed } from './support-seed.ts'
import { compile, type Executable, type Served, serve, smtpSink } from './support-servers.ts'

const connectionCounts = [64, 256]
/** More checks a second than can be done, so that no round runs out of them. */
const perSecondMax = { otpmint: 25_000, 'ungrouped-server': 8_000, 'ceiling-server': 10_000 }

type Run = { perSecond: number; p50: number; p99: number; cpuMicros: number }
type Subject = { served: Served; run(connections: number, seconds: number): Promise<Run> }

/** Checks and starts, on disk before the answer, beside HTTP alone and beside no groups. */
export const http: Measure = async (bench) => {
  const runs = new Map<string, Run[]>()
  const keep = (name: string, run: Run) => runs.set(name, [...(runs.get(name) ?? []), run])
  const subjects = {
    bare: await checking(bench, 'ceiling-server'),
    grouped: await checking(bench, 'otpmint'),
    ungrouped: await checking(bench, 'ungrouped-server'),
  }
  const sink = await smtpSink()
  let sent = 0
  for (let round = 0; round <= bench.rounds; round++) {
    bench.progress(`checks and starts, round ${round} of ${bench.rounds}`)
    for (const connections of connectionCounts) {
      for (const [name, { run }] of Object.entries(subjects)) {
        const done = await run(connections, bench.seconds)
        // The first round is for the compiler of the runtime.
        if (round > 0) keep(`${name} ${connections}`, done)
      }
      const starts = await starting(bench, connections, sink.port)
      if (round > 0) keep(`starts ${connections}`, starts.run)
      sent = starts.sentPerSecond
    }
  }
  sink.stop()
  await Promise.all(Object.values(subjects).map(({ served }) => served.stop()))
  return connectionCounts.flatMap((connections) => report(runs, connections, sent))
}

function report(runs: Map<string, Run[]>, connections: number, sent: number): Finding[] {
  const of = (name: string, key: keyof Run = 'perSecond') =>
    (runs.get(`${name} ${connections}`) ?? []).map((run) => run[key])
  const finding = (name: string, what: string): Finding => ({
    what: `${what}, ${connections} connections`,
    value: median(of(name)),
    unit: '/s',
    spread: spread(of(name)),
    note:
      `p50 ${median(of(name, 'p50')).toFixed(1)} ms, ` +
      `p99 ${median(of(name, 'p99')).toFixed(1)} ms, ` +
      `${median(of(name, 'cpuMicros')).toFixed(0)} us of processor`,
  })
  const beside = (what: string, other: string) => ({ what, value: median(of(other)) })
  const ratio = (name: string, other: string) => medianRatio(of(name), of(other))
  return [
    finding('bare', 'bare Elysia POST'),
    {
      ...finding('grouped', 'checks'),
      ceiling: beside('bare POST', 'bare'),
      judged: { figure: ratio('grouped', 'bare'), atLeast: 0.2 },
    },
    {
      ...finding('ungrouped', 'checks, a commit each'),
      ceiling: beside('in groups', 'grouped'),
      judged: { figure: ratio('grouped', 'ungrouped'), atLeast: 4 },
    },
    {
      ...finding('starts', `starts (and ${Math.round(sent)} mails/s meanwhile)`),
      ceiling: beside('checks', 'grouped'),
      judged: { figure: ratio('starts', 'grouped'), atLeast: 0.5 },
    },
  ]
}

/** A server with enough verifications for every round. */
async function checking(bench: Bench, name: keyof typeof perSecondMax & Executable) {
  bench.progress(`${name} is compiled and filled`)
  const executable = compile(name)
  const directory = bench.directory()
  const each = Math.ceil((bench.seconds * perSecondMax[name]) / 5)
  const count = each * connectionCounts.length * (bench.rounds + 1)
  const { liveKey: authorization, pending } = await seed(directory, count, null)
  const served = await serve(executable, directory)
  const subject: Subject = {
    served,
    async run(connections, seconds) {
      const requests = join(directory, 'requests.txt')
      await Bun.write(requests, checkLines(pending.splice(0, each)).join('\n'))
      return timed(served, { requests, authorization, connections, seconds })
    },
  }
  return subject
}

type Job = Omit<Parameters<typeof load>[0], 'url'>

async function timed(served: Served, job: Job): Promise<Run> {
  const cpu = served.cpuSeconds()
  const { perSecond, p50, p99, requests } = await load({ ...job, url: served.url })
  return { perSecond, p50, p99, cpuMicros: ((served.cpuSeconds() - cpu) * 1e6) / requests }
}

/** A new server every time: no round has the mails of the one before in its way. */
async function starting(bench: Bench, connections: number, smtpPort: number) {
  const directory = bench.directory()
  const { liveKey: authorization } = await seed(directory, 0, smtpPort)
  const served = await serve(compile('otpmint'), directory)
  const requests = join(directory, 'requests.txt')
  const job = { requests, authorization, connections }
  await Bun.write(requests, startLines('early', 40_000).join('\n'))
  await timed(served, { ...job, seconds: 1 })
  await Bun.write(requests, startLines('late', 100_000).join('\n'))
  const before = sentIn(directory)
  const run = await timed(served, { ...job, seconds: bench.seconds })
  const sentPerSecond = (sentIn(directory) - before) / bench.seconds
  await served.stop('SIGKILL')
  return { run, sentPerSecond }
}

function sentIn(directory: string): number {
  const database = new Database(join(directory, 'otpmint.db'), { readonly: true })
  const sql = "select count(*) as sent from deliveries where status = 'sent'"
  const { sent } = database.query<{ sent: number }, []>(sql).get() ?? { sent: 0 }
  database.close()
  return sent
}

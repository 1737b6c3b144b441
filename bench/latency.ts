import { type Measure, median, percentile, spread } from './support.ts'
import { checkLines, pace, startLines } from './support-load.ts'
import { seed } from './support-seed.ts'
import { compile, serve, smtpSink } from './support-servers.ts'

const perSecond = 1_000

/** A thousand checks a second while a thousand verifications a second start and are mailed. */
export const latency: Measure = async (bench) => {
  const sink = await smtpSink()
  const count = bench.seconds * perSecond
  const directory = bench.directory()
  const rounds = bench.rounds + 1
  const { liveKey, pending } = await seed(directory, (count * rounds) / 5, sink.port)
  const served = await serve(compile('otpmint'), directory)
  const bare = await serve(compile('ceiling-server'), bench.directory())
  const lines = checkLines(pending)

  const common = { authorization: liveKey, perSecond }
  const measured: number[][] = []
  const alone: number[][] = []
  for (let round = 0; round < rounds; round++) {
    bench.progress(`latency, round ${round} of ${bench.rounds}`)
    const checks = lines.splice(0, count)
    const quiet = await pace({ ...common, url: bare.url, lines: checks })
    const [busy] = await Promise.all([
      pace({ ...common, url: served.url, lines: checks }),
      pace({ ...common, url: served.url, lines: startLines(`round-${round}`, count) }),
    ])
    if (round === 0) continue
    measured.push(busy)
    alone.push(quiet)
  }
  await Promise.all([served.stop(), bare.stop()])
  sink.stop()
  const p99 = measured.map((latencies) => percentile(latencies, 99))
  return [
    {
      what: 'p99 of 1,000 checks a second, with 1,000 starts and mails',
      value: median(p99),
      unit: 'ms',
      spread: spread(p99),
      ceiling: {
        what: 'bare POST, nothing else',
        value: median(alone.map((latencies) => percentile(latencies, 99))),
      },
      judged: { figure: median(p99), atMost: 10 },
      note: `p50 ${median(measured.map((latencies) => percentile(latencies, 50))).toFixed(1)} ms`,
    },
  ]
}

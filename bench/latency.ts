import { serve } from './executable.ts'
import { checkLines, openClient, pace, startLines } from './load.ts'
import { besides, type Finding, finding, median, percentile } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed } from './seed.ts'
import { openSink } from './sink.ts'

/** Measures latencies while other callers load the server or have a hanging mail server. */
export const latency: Measure = async (bench) => {
  return [
    ...(await checksBesideStarts(bench)),
    await appsBesideHangingServer(bench),
    await startsPastDeadEndpoint(bench),
  ]
}

const perSecond = 1_000

/**
 * A thousand checks a second: alone, together with a thousand starts a second, and with as many
 * starts at another server on this machine, which shows what the machine's two loads cost each other.
 */
async function checksBesideStarts(bench: Bench): Promise<Finding[]> {
  const sink = await openSink()
  const count = bench.seconds * perSecond
  const rounds = bench.rounds + 1
  const here = await checkedServer(bench, sink.port, (3 * count * rounds) / 5)
  const elsewhere = await checkedServer(bench, sink.port, 1)

  const runs = { alone: [] as number[][], beside: [] as number[][], apart: [] as number[][] }
  let refused = 0
  const checks = () => pace({ client: here.client, perSecond, lines: here.lines.splice(0, count) })
  const checksWith = async ({ client }: typeof here, name: string) => {
    const lines = startLines(name, count)
    const [checked, starts] = await Promise.all([checks(), pace({ client, perSecond, lines })])
    // The next round begins without waiting mails.
    await sink.taken(count - starts.refused)
    await Bun.sleep(100)
    await sink.reset()
    refused += starts.refused
    return checked.latencies
  }
  for (let round = 0; round < rounds; round++) {
    bench.progress(`checks beside starts, round ${round} of ${bench.rounds}`)
    const alone = await checks()
    const beside = await checksWith(here, `round-${round}`)
    const apart = await checksWith(elsewhere, `apart-${round}`)
    // The first round warms up the runtime's compiler.
    if (round === 0) continue
    runs.alone.push(alone.latencies)
    runs.beside.push(beside)
    runs.apart.push(apart)
  }
  await Promise.all([here, elsewhere].map(({ stop }) => stop()))
  sink.stop()
  return latencyLines(runs, `${refused} of ${2 * count * rounds} starts refused (delivery_backlog)`)
}

async function checkedServer(bench: Bench, smtpPort: number, pending: number) {
  const directory = bench.directory()
  const { liveKey, pending: waiting } = await seed(directory, { smtpPort, pending })
  const served = await serve('otpmint', directory)
  const client = openClient({ url: served.url, authorization: liveKey, connections: 128 })
  const stop = async () => {
    client.close()
    await served.stop('SIGKILL')
  }
  return { client, lines: checkLines(waiting), stop }
}

function latencyLines(
  runs: { alone: number[][]; beside: number[][]; apart: number[][] },
  refused: string,
): Finding[] {
  const p99 = (latencies: number[][]) => latencies.map((each) => percentile(each, 99))
  const p50 = (latencies: number[][]) => median(latencies.map((each) => percentile(each, 50)))
  const alone = { what: 'the checks alone', values: p99(runs.alone) }
  const line = (what: string, latencies: number[][], target?: { atMost: number }) => {
    const values = p99(latencies)
    const note = `p50 ${p50(latencies).toFixed(2)} ms, alone ${p50(runs.alone).toFixed(2)} ms`
    return { ...besides(finding(what, 'ms', values), values, alone, target), note }
  }
  const what = 'p99 of 1,000 checks/s beside 1,000 starts/s and their mails'
  const here = line(what, runs.beside, { atMost: 1.5 })
  return [
    { ...here, note: `${here.note}; ${refused}` },
    line(`${what}, the starts at another server on this machine`, runs.apart),
  ]
}

const healthyPerSecond = 100
const hangingPerSecond = 50

/**
 * Starts of one app until their mail is accepted, with and without another app whose server hangs.
 */
async function appsBesideHangingServer(bench: Bench) {
  const healthy = await openSink({ delayMs: 20 })
  const hanging = await openSink({ hangs: true })
  const seconds = bench.quick ? 4 : 10
  const alone = await twoApps(bench, healthy.port, hanging.port)
  const beside = await twoApps(bench, healthy.port, hanging.port)
  const hang = (name: string, forSeconds: number) => {
    const lines = startLines(name, hangingPerSecond * forSeconds)
    return pace({ client: beside.hanging, perSecond: hangingPerSecond, lines })
  }
  const starts = (name: string, { healthy: client }: typeof alone) => {
    const lines = startLines(name, healthyPerSecond * seconds)
    return pace({ client, perSecond: healthyPerSecond, lines })
  }
  await Promise.all([starts('early', alone), starts('early', beside), hang('early', seconds)])
  const runs = { alone: [] as number[], beside: [] as number[] }
  const refused = { healthy: 0, hanging: 0 }
  for (let round = 1; round <= bench.rounds; round++) {
    bench.progress(`an app whose mail server hangs, round ${round} of ${bench.rounds}`)
    const quiet = await starts(`round-${round}`, alone)
    const [busy, hung] = await Promise.all([
      starts(`round-${round}`, beside),
      hang(`round-${round}`, seconds),
    ])
    runs.alone.push(percentile(quiet.latencies, 95))
    runs.beside.push(percentile(busy.latencies, 95))
    refused.healthy += busy.refused
    refused.hanging += hung.refused
  }
  await Promise.all([alone, beside].map(({ stop }) => stop()))
  healthy.stop()
  hanging.stop()
  const what =
    `p95 of an app’s starts until the mail is taken (${healthyPerSecond}/s, 20 ms a mail) ` +
    `beside ${hangingPerSecond} starts/s of an app whose mail server hangs`
  const line = finding(what, 'ms', runs.beside)
  const ceiling = { what: 'without that app', values: runs.alone }
  const all = hangingPerSecond * seconds * bench.rounds
  const note =
    `refused (delivery_backlog): ${refused.hanging} of ${all} starts of the app whose server ` +
    `hangs, ${refused.healthy} of the other`
  return { ...besides(line, runs.beside, ceiling, { atMost: 1.2 }), note }
}

async function twoApps(bench: Bench, healthyPort: number, hangingPort: number) {
  const directory = bench.directory()
  const good = await seed(directory, { smtpPort: healthyPort })
  const bad = await seed(directory, { smtpPort: hangingPort })
  const served = await serve('otpmint', directory)
  const common = { url: served.url, connections: 128 }
  const header = 'Prefer: wait=20'
  const healthy = openClient({ ...common, authorization: good.liveKey, header })
  const hanging = openClient({ ...common, authorization: bad.liveKey })
  return {
    healthy,
    hanging,
    stop() {
      healthy.close()
      hanging.close()
      return served.stop('SIGKILL')
    },
  }
}

/** Starts of an app until their mail is accepted, with and without a dead endpoint before the other. */
async function startsPastDeadEndpoint(bench: Bench): Promise<Finding> {
  const healthy = await openSink({ delayMs: 20 })
  const hanging = await openSink({ hangs: true })
  const one = await waitingApp(bench, { smtpPort: healthy.port })
  const two = await waitingApp(bench, { smtpPort: hanging.port, spareSmtpPort: healthy.port })
  const count = healthyPerSecond * (bench.quick ? 4 : 10)
  const starts = ({ client }: typeof one, name: string) =>
    pace({ client, perSecond: healthyPerSecond, lines: startLines(name, count) })

  // The first mails find out that the endpoint does not answer.
  await Promise.all([starts(one, 'early'), starts(two, 'early')])
  const runs = { alone: [] as number[], beside: [] as number[], slowest: [] as number[] }
  for (let round = 1; round <= bench.rounds; round++) {
    bench.progress(`an app with a dead endpoint, round ${round} of ${bench.rounds}`)
    runs.alone.push(percentile((await starts(one, `round-${round}`)).latencies, 95))
    const { latencies } = await starts(two, `round-${round}`)
    runs.beside.push(percentile(latencies, 95))
    runs.slowest.push(Math.max(...latencies))
  }
  await Promise.all([one, two].map(({ stop }) => stop()))
  healthy.stop()
  hanging.stop()
  const what =
    `p95 of an app’s starts until the mail is taken (${healthyPerSecond}/s, 20 ms a mail) ` +
    'past an endpoint of its own that hangs'
  const ceiling = { what: 'without that endpoint', values: runs.alone }
  const note = `the slowest ${(Math.max(...runs.slowest) / 1000).toFixed(1)} s, which found it dead`
  const line = finding(what, 'ms', runs.beside)
  return { ...besides(line, runs.beside, ceiling, { atMost: 1.2 }), note }
}

async function waitingApp(bench: Bench, servers: { smtpPort: number; spareSmtpPort?: number }) {
  const directory = bench.directory()
  const { liveKey } = await seed(directory, servers)
  const served = await serve('otpmint', directory)
  const common = { url: served.url, connections: 128 }
  const client = openClient({ ...common, authorization: liveKey, header: 'Prefer: wait=20' })
  const stop = () => {
    client.close()
    return served.stop('SIGKILL')
  }
  return { client, stop }
}

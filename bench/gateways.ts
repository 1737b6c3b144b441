import { serve } from './executable.ts'
import { openClient, pace, startLines } from './load.ts'
import { openReceiver } from './receiver.ts'
import { besides, type Finding, finding, percentile } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed } from './seed.ts'
import { openSink } from './sink.ts'

/** Measures messages through a gateway, and what one that hangs costs the app's mail. */
export const gateways: Measure = async (bench) => {
  return [await mailsBesideHangingGateway(bench), ...(await messagesToGateway(bench))]
}

const mailsPerSecond = 100
const hangingPerSecond = 50

/** Starts of an app until their mail is accepted, with and without its own gateway that hangs. */
async function mailsBesideHangingGateway(bench: Bench): Promise<Finding> {
  const sink = await openSink({ delayMs: 20 })
  const gateway = await openReceiver({ hangs: true })
  const seconds = bench.quick ? 4 : 10
  const [alone, beside] = [
    await appOn(bench, { smtpPort: sink.port, gatewayUrl: gateway.url }),
    await appOn(bench, { smtpPort: sink.port, gatewayUrl: gateway.url }),
  ]
  const mails = ({ waiting: client }: typeof alone, name: string) =>
    pace({ client, perSecond: mailsPerSecond, lines: startLines(name, mailsPerSecond * seconds) })
  const hang = (name: string) => {
    const lines = startLines(`hang-${name}`, hangingPerSecond * seconds, { channel: 'webhook' })
    return pace({ client: beside.client, perSecond: hangingPerSecond, lines })
  }
  await Promise.all([mails(alone, 'early'), mails(beside, 'early'), hang('early')])
  const runs = { alone: [] as number[], beside: [] as number[] }
  let refused = 0
  for (let round = 1; round <= bench.rounds; round++) {
    bench.progress(`an app whose gateway hangs, round ${round} of ${bench.rounds}`)
    const name = `round-${round}`
    runs.alone.push(percentile((await mails(alone, name)).latencies, 95))
    const [busy, hung] = await Promise.all([mails(beside, name), hang(name)])
    runs.beside.push(percentile(busy.latencies, 95))
    refused += hung.refused
  }
  await Promise.all([alone, beside].map(({ stop }) => stop()))
  sink.stop()
  gateway.stop()
  const what =
    `p95 of an app’s starts until the mail is taken (${mailsPerSecond}/s, 20 ms a mail) ` +
    `beside ${hangingPerSecond} starts/s through a gateway of the same app that hangs`
  const ceiling = { what: 'without these', values: runs.alone }
  const all = hangingPerSecond * seconds * bench.rounds
  const note = `${refused} of ${all} starts for the gateway were refused (delivery_backlog)`
  const line = finding(what, 'ms', runs.beside)
  return { ...besides(line, runs.beside, ceiling, { atMost: 1.2 }), note }
}

const perSecond = 1_000

/** A thousand starts a second through a gateway on this machine, until it has taken all. */
async function messagesToGateway(bench: Bench): Promise<Finding[]> {
  const rates: number[] = []
  let wrong = 0
  const count = perSecond * bench.seconds
  for (let round = 0; round <= bench.rounds; round++) {
    bench.progress(`messages to a gateway, round ${round} of ${bench.rounds}`)
    const gateway = await openReceiver()
    const { client, stop } = await appOn(bench, { smtpPort: null, gatewayUrl: gateway.url })
    const lines = startLines(`round-${round}`, count, { channel: 'webhook' })
    const begunAt = performance.now()
    const { refused } = await pace({ client, perSecond, lines })
    const { messages, posts } = await gateway.taken(count - refused)
    const seconds = (performance.now() - begunAt) / 1_000
    await stop()
    gateway.stop()
    // The first round warms up.
    if (round === 0) continue
    rates.push(messages / seconds)
    const repeated = posts - messages
    wrong += count - refused - messages + repeated
  }
  const target = finding(
    'messages that a gateway takes beside 1,000 starts/s for them',
    '/s',
    rates,
  )
  const missing = finding('messages to the gateway that are missing or came twice', '', [wrong])
  return [
    { ...target, judged: { figure: target.value, atLeast: 900 } },
    { ...missing, judged: { figure: wrong, atMost: 0 } },
  ]
}

async function appOn(bench: Bench, servers: { smtpPort: number | null; gatewayUrl: string }) {
  const directory = bench.directory()
  const { liveKey } = await seed(directory, servers)
  const served = await serve('otpmint', directory)
  const common = { url: served.url, connections: 128, authorization: liveKey }
  const client = openClient(common)
  const waiting = openClient({ ...common, header: 'Prefer: wait=20' })
  const stop = () => {
    client.close()
    waiting.close()
    return served.stop('SIGKILL')
  }
  return { client, waiting, stop }
}

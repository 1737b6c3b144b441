import { serve } from './executable.ts'
import { openClient, startAll, startLines } from './load.ts'
import { sendMails } from './mail-client.ts'
import { besides, type Finding, finding, medianRatio } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed, writeSample } from './seed.ts'
import { openSink, type Sink, type SinkCounts, type SinkOptions } from './sink.ts'

/** A number of starts at once, to a mail server with a delay. */
type Burst = {
  mails: number
  delayMs: number
  connectionsMax: number
  ttlSeconds?: number
  /** The server refuses more connections. */
  serverConnectionsMax?: number
  atMostSeconds?: number
}

type Ended = {
  /** From the first start until the last mail was accepted. */
  seconds: number
  /** Starts that were first refused because of the backlog. */
  refused: number
  missing: number
  counts: SinkCounts
}

type Result = { burst: Burst; subject: Ended[]; alone: number[] }

const short: Burst[] = [
  { mails: 300, delayMs: 100, connectionsMax: 10, atMostSeconds: 3.6 },
  { mails: 300, delayMs: 100, connectionsMax: 30, atMostSeconds: 1.6 },
  { mails: 300, delayMs: 100, connectionsMax: 10, ttlSeconds: 30, atMostSeconds: 3.6 },
  { mails: 300, delayMs: 100, connectionsMax: 30, ttlSeconds: 30, atMostSeconds: 1.6 },
  { mails: 100, delayMs: 20, connectionsMax: 10, serverConnectionsMax: 1 },
  { mails: 200, delayMs: 20, connectionsMax: 10, serverConnectionsMax: 3 },
  { mails: 400, delayMs: 20, connectionsMax: 10, serverConnectionsMax: 10 },
]
/** These take long and use little processor time, so they run in parallel. */
const slow: Burst[] = [
  { mails: 600, delayMs: 400, connectionsMax: 10, atMostSeconds: 27 },
  { mails: 600, delayMs: 400, connectionsMax: 30, atMostSeconds: 11 },
  { mails: 600, delayMs: 400, connectionsMax: 10, ttlSeconds: 30, atMostSeconds: 27 },
  { mails: 600, delayMs: 400, connectionsMax: 30, ttlSeconds: 30, atMostSeconds: 11 },
]
const atOnce: Burst = { mails: 12_000, delayMs: 0, connectionsMax: 10 }

/** Measures the time of a burst until the last mail is accepted, beside the mail server alone. */
export const bursts: Measure = async (bench) => {
  const sample = await writeSample(bench.directory())
  // The quick run leaves out bursts that differ from another in one number only.
  const some = bench.quick ? short.filter((_, index) => [0, 1, 5].includes(index)) : short
  const results = [...some, ...slow, atOnce].map((burst): Result => {
    return { burst, subject: [], alone: [] }
  })
  const run = async (burst: Burst) => {
    const result = results.find((each) => each.burst === burst)
    const alone = () => mailServerAlone(bench, burst, sample)
    const subject = () => throughOtpMint(bench, burst)
    if (slow.includes(burst)) {
      const both = await Promise.all([alone(), subject()])
      result?.alone.push(both[0])
      result?.subject.push(both[1])
    } else {
      result?.alone.push(await alone())
      result?.subject.push(await subject())
    }
  }
  for (let round = 1; round <= bench.rounds; round++) {
    for (const burst of [...some, atOnce]) {
      bench.progress(`${nameOf(burst)}, round ${round} of ${bench.rounds}`)
      await run(burst)
    }
    // The longest measures are repeated least.
    if (round > 3) continue
    bench.progress(`bursts at 400 ms a mail, round ${round}`)
    await Promise.all(slow.map((burst, index) => Bun.sleep(index * 700).then(() => run(burst))))
  }
  const faults = results.flatMap(({ subject }) => {
    return subject.map(({ missing, counts }) => missing + counts.duplicates)
  })
  const lost = finding('mails of all bursts that are missing or came twice', '', [sum(faults)])
  return [
    ...results.map((result) => report(result)),
    { ...lost, judged: { figure: lost.value, atMost: 0 } },
  ]
}

function report({ burst, subject, alone }: Result): Finding {
  const seconds = subject.map((ended) => ended.seconds)
  const line = finding(nameOf(burst), 's', seconds)
  const ceiling = { what: 'the mail server alone', values: alone }
  const target = burst === atOnce ? { atMost: 1.5 } : undefined
  const { atMostSeconds } = burst
  const refused = sum(subject.map((ended) => ended.refused)) / subject.length
  const most = Math.max(...subject.map(({ counts }) => counts.connectionsMost))
  const turnedAway = sum(subject.map(({ counts }) => counts.turnedAway)) / subject.length
  const notes = [
    `${medianRatio(seconds, alone).toFixed(2)} of the mail server alone`,
    `${Math.round(refused)} starts refused at first (delivery_backlog)`,
    `${most} connections at most`,
    ...(turnedAway > 0 ? [`${Math.round(turnedAway)} connections turned away`] : []),
  ]
  const note = notes.join(', ')
  const shown = { ...besides(line, seconds, ceiling, target), note }
  if (atMostSeconds === undefined) return shown
  return { ...shown, judged: { figure: line.value, atMost: atMostSeconds } }
}

function nameOf(burst: Burst): string {
  const { mails, delayMs, connectionsMax, ttlSeconds, serverConnectionsMax } = burst
  const parts = [
    `${mails.toLocaleString('en')} starts at once until the last mail`,
    delayMs === 0 ? 'instant mail server' : `${delayMs} ms a mail`,
    serverConnectionsMax === undefined
      ? `connections_max ${connectionsMax}`
      : `the server takes ${serverConnectionsMax} of ${connectionsMax} connections`,
    ...(ttlSeconds === undefined ? [] : [`ttl_seconds ${ttlSeconds}`]),
  ]
  return parts.join(', ')
}

function sinkOf(bench: Bench, { delayMs, serverConnectionsMax }: Burst): Promise<Sink> {
  const options: SinkOptions = { delayMs, pipelining: bench.pipelining }
  if (serverConnectionsMax !== undefined) options.connectionsMax = serverConnectionsMax
  return openSink(options)
}

/** The ceiling: as many composed mails, over as many connections. */
async function mailServerAlone(bench: Bench, burst: Burst, message: string): Promise<number> {
  const { mails, delayMs, connectionsMax, serverConnectionsMax = connectionsMax } = burst
  const sink = await sinkOf(bench, burst)
  const seconds = await sendMails({
    ...{ client: 'raw', port: sink.port, message, count: mails, pipelining: bench.pipelining },
    connections: Math.min(connectionsMax, serverConnectionsMax),
    warmUp: delayMs === 0 ? mails / 10 : 0,
  })
  sink.stop()
  return seconds
}

const warmUpMails = 2_000

async function throughOtpMint(bench: Bench, burst: Burst): Promise<Ended> {
  const { mails, delayMs, connectionsMax, ttlSeconds } = burst
  const sink = await sinkOf(bench, burst)
  const directory = bench.directory()
  const { liveKey: authorization } = await seed(directory, { smtpPort: sink.port, connectionsMax })
  const served = await serve('otpmint', directory)
  const client = openClient({ url: served.url, authorization, connections: 256 })
  const more = ttlSeconds === undefined ? {} : { ttl_seconds: ttlSeconds }
  if (delayMs === 0) {
    await startAll(client, startLines('early', warmUpMails))
    await sink.taken(warmUpMails)
  }
  await sink.reset()
  const begunAt = performance.timeOrigin + performance.now()
  const refused = await startAll(client, startLines('burst', mails, more))
  const counts = await sink.taken(mails)
  client.close()
  await served.stop('SIGKILL')
  sink.stop()
  const missing = Math.max(0, mails - counts.mails + counts.duplicates)
  return { seconds: (counts.lastAt - begunAt) / 1000, refused, missing, counts }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

import { createHttpOut } from '../src/channels/http-out.ts'
import { widthMax } from '../src/domain/webhook/schedule.ts'
import { systemTimers } from '../src/system.ts'
import { serve } from './executable.ts'
import { openClient, pace, startLines } from './load.ts'
import { openReceiver, type Receiver, type ReceiverCounts } from './receiver.ts'
import { besides, type Finding, finding } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed } from './seed.ts'
import { openSink, type Sink } from './sink.ts'

const startsPerSecond = 1_000
/** The messages a second that are asked for. */
const told = 1_000
const loopback = { OTPMINT_EGRESS_ALLOW: '127.0.0.0/8' }

type Round = { alone: number; posts: number; mailed: Beside; kept: Beside }
type Beside = { messages: number; starts: number }

/**
 * Measures messages to one receiver on this machine: out of a backlog by themselves, and beside a
 * thousand starts a second whose mails stay in the inbox; and those that tell of the mails of a thousand
 * starts a second. Then whether any is lost when the process is killed in the middle.
 */
export const webhooks: Measure = async (bench) => {
  const [receiver, sink] = [await openReceiver(), await openSink()]
  const rounds: Round[] = []
  let lost = 0
  let twice = 0
  for (let round = 0; round <= bench.rounds; round++) {
    bench.progress(`webhooks, round ${round} of ${bench.rounds}`)
    const posts = await postsAlone(receiver, bench)
    const alone = await backlogAlone(bench, receiver)
    const kept = await besideStarts(bench, receiver, null)
    const mailed = await besideStarts(bench, receiver, sink)
    // The first round warms up the runtime's compiler, here and at the receiver.
    if (round > 0) rounds.push({ alone, posts, kept, mailed })
    const killed = await killedInTheMiddle(bench, receiver)
    lost += killed.lost
    twice += killed.twice
  }
  receiver.stop()
  sink.stop()
  return report(rounds, { lost, twice })
}

function report(rounds: Round[], { lost, twice }: { lost: number; twice: number }): Finding[] {
  const alone = rounds.map((round) => round.alone)
  const ceiling = { what: 'the requests alone', values: rounds.map(({ posts }) => posts) }
  const row = (what: string, seen: Beside[]): Finding => {
    const values = seen.map(({ messages }) => messages)
    const found = finding(`messages to a webhook beside 1,000 starts/s ${what}`, '/s', values)
    const starts = Math.round(Math.min(...seen.map((each) => each.starts)))
    const judged = { figure: found.value, atLeast: told }
    return { ...found, judged, note: `${starts} starts/s at least` }
  }
  const none = finding('messages that were lost over a kill -9', '', [lost])
  return [
    besides(finding('messages to a webhook', '/s', alone), alone, ceiling),
    row(
      'out of a backlog, the mails stay in the inbox',
      rounds.map(({ kept }) => kept),
    ),
    row(
      'of which they tell that the mail was sent',
      rounds.map(({ mailed }) => mailed),
    ),
    { ...none, judged: { figure: lost, atMost: 0 }, note: `${twice} came twice` },
  ]
}

/** The ceiling: as many unsigned requests at a time, from this process. */
async function postsAlone(receiver: Receiver, bench: Bench): Promise<number> {
  await receiver.reset()
  const httpOut = createHttpOut({
    timers: systemTimers,
    dns: { addresses: async () => null },
    egressAllow: ['127.0.0.0/8'],
  })
  const body = JSON.stringify({ type: 'app.alarm', note: 'x'.repeat(600) })
  const untilMs = performance.now() + bench.seconds * 1000
  let sent = 0
  const work = async () => {
    while (performance.now() < untilMs) {
      const headers = { 'webhook-id': String(sent++) }
      await httpOut({ method: 'POST', url: receiver.url, headers, body })
    }
  }
  await Promise.all(Array.from({ length: widthMax }, work))
  return rateOf(await receiver.counts())
}

async function backlogAlone(bench: Bench, receiver: Receiver): Promise<number> {
  const waiting = bench.quick ? 10_000 : 30_000
  const { served } = await toldServer(bench, receiver, { waiting, smtpPort: null })
  const counts = await receiver.taken(waiting)
  await served.stop('SIGKILL')
  if (counts.messages < waiting) throw new Error(`${counts.messages} of ${waiting} messages came`)
  return rateOf(counts)
}

/** With a sink for the mails, each of which is told; or with a test key and a backlog. */
async function besideStarts(bench: Bench, receiver: Receiver, sink: Sink | null): Promise<Beside> {
  const load = sink ? { waiting: 0, smtpPort: sink.port } : { waiting: 45_000, smtpPort: null }
  const { served, liveKey, testKey } = await toldServer(bench, receiver, load)
  const authorization = sink ? liveKey : testKey
  const client = openClient({ url: served.url, authorization, connections: 128 })
  await pace({ client, perSecond: startsPerSecond, lines: startLines('early', 1_000) })
  const count = startsPerSecond * Math.max(3, bench.seconds)
  const since = performance.timeOrigin + performance.now()
  const paced = await pace({ client, perSecond: startsPerSecond, lines: startLines('told', count) })
  const seconds = (performance.timeOrigin + performance.now() - since) / 1000
  const { posts } = await receiver.counts(since)
  client.close()
  await served.stop('SIGKILL')
  return { messages: posts / seconds, starts: paced.latencies.length / seconds }
}

async function killedInTheMiddle(bench: Bench, receiver: Receiver) {
  const waiting = 5_000
  const { served, restart } = await toldServer(bench, receiver, { waiting, smtpPort: null })
  while ((await receiver.counts()).posts < waiting / 3) await Bun.sleep(5)
  await served.stop('SIGKILL')
  const again = await restart()
  const { messages } = await receiver.taken(waiting)
  // What was posted twice has been by now.
  await Bun.sleep(1_500)
  const { posts } = await receiver.counts()
  await again.stop('SIGKILL')
  return { lost: waiting - messages, twice: posts - messages }
}

type Told = { waiting: number; smtpPort: number | null }

async function toldServer(bench: Bench, receiver: Receiver, { waiting, smtpPort }: Told) {
  await receiver.reset()
  const directory = bench.directory()
  const webhook = { url: receiver.url, waiting }
  const { liveKey, testKey } = await seed(directory, { smtpPort, webhook })
  const restart = () => serve('otpmint', directory, loopback)
  return { served: await restart(), liveKey, testKey, restart }
}

function rateOf({ posts, firstAt, lastAt }: ReceiverCounts): number {
  return posts / ((lastAt - firstAt) / 1000)
}

import { generateKeyPairSync, sign } from 'node:crypto'
import { serve } from './executable.ts'
import { flood, openClient, startLines, wrk } from './load.ts'
import { sendMails } from './mail-client.ts'
import { besides, type Finding, finding, median } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed, writeSample } from './seed.ts'
import { openSink, type Sink } from './sink.ts'

const connections = 10

/** Measures mails a second to a mail server that answers at once, under continuous starts. */
export const mails: Measure = async (bench) => {
  const sink = await openSink({ pipelining: bench.pipelining })
  const message = await writeSample(bench.directory())
  const job = { port: sink.port, message, connections, pipelining: bench.pipelining }
  const count = bench.quick ? 4_000 : 12_000
  const rates = async (client: 'raw' | 'nodemailer') => {
    return count / (await sendMails({ ...job, client, count, warmUp: count / 4 }))
  }
  const runs = {
    rude: [] as Sustained[],
    patient: [] as Sustained[],
    waited: [] as number[],
    signed: [] as number[],
  }
  const alone = { raw: [] as number[], nodemailer: [] as number[], signatures: [] as number[] }
  for (let round = 1; round <= bench.rounds; round++) {
    bench.progress(`mails, round ${round} of ${bench.rounds}`)
    alone.nodemailer.push(await rates('nodemailer'))
    runs.waited.push(await waited(bench, sink))
    alone.signatures.push(await signaturesPerSecond(bench.seconds))
    runs.signed.push(await waited(bench, sink, { dkim: true }))
    // Half a minute each, so they are repeated least.
    if (round > 3) continue
    alone.raw.push(await rates('raw'))
    runs.rude.push(await sustained(bench, sink, () => 0))
    runs.patient.push(await sustained(bench, sink, (seconds) => seconds * 1000))
  }
  sink.stop()
  const what = 'starts that are answered when the mail is taken (Prefer: wait)'
  const nodemailer = { what: 'nodemailer alone, a finished message', values: alone.nodemailer }
  const signatures = { what: 'RSA-2048 signatures alone', values: alone.signatures }
  const signed = 'the same, signed with DKIM (RSA-2048)'
  const rude = line('refused ones repeated at once', runs.rude, alone.raw)
  return [
    { ...rude, judged: { figure: rude.value, atLeast: 2_000 } },
    line('refused ones repeated after Retry-After', runs.patient, alone.raw),
    besides(finding(what, '/s', runs.waited), runs.waited, nodemailer, { atLeast: 0.7 }),
    besides(finding(signed, '/s', runs.signed), runs.signed, signatures),
  ]
}

/** As the mail thread signs: outside of the thread, a few at once. */
async function signaturesPerSecond(seconds: number): Promise<number> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const text = Buffer.alloc(600, 'a')
  const endAt = performance.now() + seconds * 1000
  let made = 0
  const worker = async () => {
    while (performance.now() < endAt) {
      await new Promise<void>((done, fail) => {
        sign('sha256', text, privateKey, (error) => (error ? fail(error) : done()))
      })
      made++
    }
  }
  await Promise.all(Array.from({ length: connections }, worker))
  return made / seconds
}

function line(how: string, runs: Sustained[], raw: number[]): Finding {
  const perSecond = runs.map((run) => run.mails)
  const found = finding(`mails while starts come as fast as they can, ${how}`, '/s', perSecond)
  const of = (key: keyof Sustained) => Math.round(median(runs.map((run) => run[key])))
  const note = `${of('starts')} starts/s accepted, ${of('refused')}/s refused (delivery_backlog)`
  return { ...besides(found, perSecond, { what: 'the mail server alone', values: raw }), note }
}

/** Each a second. */
type Sustained = { mails: number; starts: number; refused: number }

async function sustained(
  bench: Bench,
  sink: Sink,
  waitMs: (retryAfterSeconds: number) => number,
): Promise<Sustained> {
  const directory = bench.directory()
  const { liveKey: authorization } = await seed(directory, { smtpPort: sink.port })
  const served = await serve('otpmint', directory)
  const client = openClient({ url: served.url, authorization, connections: 64 })
  const floodFor = (name: string, seconds: number) => {
    const endAt = performance.now() + seconds * 1000
    return flood(client, name, { workers: 64, waitMs, isOver: () => performance.now() >= endAt })
  }
  await floodFor('early', 1)
  await sink.reset()
  const begunAt = performance.now()
  const { accepted, refused } = await floodFor('late', bench.quick ? 6 : 30)
  const { mails } = await sink.counts()
  const seconds = (performance.now() - begunAt) / 1000
  client.close()
  await served.stop('SIGKILL')
  return { mails: mails / seconds, starts: accepted / seconds, refused: refused / seconds }
}

async function waited(bench: Bench, sink: Sink, { dkim = false } = {}): Promise<number> {
  const directory = bench.directory()
  const { liveKey: authorization } = await seed(directory, { smtpPort: sink.port, dkim })
  const served = await serve('otpmint', directory)
  const { url } = served
  const job = { url, directory, authorization, connections: 64, header: 'Prefer: wait=20' }
  await wrk({ ...job, lines: startLines('early', 20_000), seconds: 1 })
  const { perSecond } = await wrk({
    ...job,
    lines: startLines('late', bench.seconds * 15_000),
    seconds: bench.seconds,
  })
  await served.stop('SIGKILL')
  return perSecond
}

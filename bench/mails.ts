import { join } from 'node:path'
import { createComposer } from '../src/channels/compose.ts'
import { type Bench, type Finding, type Measure, median, medianRatio, spread } from './support.ts'
import { load, startLines } from './support-load.ts'
import { openData, seed, start } from './support-seed.ts'
import { compile, serve, smtpSink } from './support-servers.ts'

const mailsEach = 6_000

/** Mails to Postfix's smtp-sink through the outbox, beside nodemailer with finished messages. */
export const mails: Measure = async (bench) => {
  const sink = await smtpSink()
  const runs = { ceiling: [] as number[], outbox: [] as number[], whole: [] as number[] }
  for (let round = 1; round <= bench.rounds; round++) {
    bench.progress(`mails, round ${round} of ${bench.rounds}`)
    const directory = bench.directory()
    const { appId } = await seed(directory, 0, sink.port)
    const raw = await writeSample(directory, appId)
    runs.ceiling.push(await child('ceiling-mails.ts', String(sink.port), raw, String(mailsEach)))
    runs.outbox.push(await child('outbox-mails.ts', directory, appId, String(mailsEach)))
    runs.whole.push(await overHttp(bench, sink.port))
  }
  sink.stop()
  return report(runs)
}

function report(runs: Record<'ceiling' | 'outbox' | 'whole', number[]>): Finding[] {
  const ceiling = { what: 'nodemailer alone', value: median(runs.ceiling) }
  const finding = (what: string, values: number[]): Finding => {
    return { what, value: median(values), unit: '/s', spread: spread(values), ceiling }
  }
  return [
    {
      ...finding('mails through the outbox', runs.outbox),
      judged: { figure: medianRatio(runs.outbox, runs.ceiling), atLeast: 0.6 },
    },
    finding('starts over HTTP that wait until their mail is sent', runs.whole),
  ]
}

/** One message as this app sends it. */
async function writeSample(directory: string, appId: string): Promise<string> {
  const { ports, close } = await openData(directory)
  const [offer] = await start(ports, appId, 1)
  close()
  if (!offer?.handover.app.email) throw new Error('nothing was offered')
  const file = join(directory, 'sample.eml')
  await Bun.write(file, await createComposer().compose(offer.handover, offer.handover.app.email))
  return file
}

/** A process of its own for each, which prints how many mails it sent in a second. */
async function child(script: string, ...words: string[]): Promise<number> {
  const command = [process.execPath, join(import.meta.dir, script), ...words]
  const { stdout, exited } = Bun.spawn(command, { stdio: ['ignore', 'pipe', 'inherit'] })
  const perSecond = Number(await new Response(stdout).text())
  if ((await exited) !== 0 || !(perSecond > 0)) throw new Error(`${script} failed`)
  return perSecond
}

async function overHttp(bench: Bench, smtpPort: number): Promise<number> {
  const directory = bench.directory()
  const { liveKey: authorization } = await seed(directory, 0, smtpPort)
  const served = await serve(compile('otpmint'), directory)
  const requests = join(directory, 'requests.txt')
  const job = {
    url: served.url,
    requests,
    authorization,
    connections: 64,
    header: 'Prefer: wait=20',
  }
  await Bun.write(requests, startLines('early', 20_000).join('\n'))
  await load({ ...job, seconds: 1 })
  await Bun.write(requests, startLines('late', 50_000).join('\n'))
  const { perSecond } = await load({ ...job, seconds: bench.seconds })
  await served.stop()
  return perSecond
}

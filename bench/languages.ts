import { languages as tags } from '../src/domain/language.ts'
import { serve } from './executable.ts'
import { wrk } from './load.ts'
import { besides, finding } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { seed } from './seed.ts'
import { openSink, type Sink } from './sink.ts'

type Mixture = { apps: number; languages: number; edited: boolean }

const one: Mixture = { apps: 1, languages: 1, edited: false }
const many: Mixture = { apps: 10, languages: 20, edited: false }
/** Over all apps. */
const connections = 10

/** Compares the mails of many languages, templates and apps with those of one. */
export const languages: Measure = async (bench) => {
  const sink = await openSink({ pipelining: bench.pipelining })
  const single: number[] = []
  const mixed: number[] = []
  const edited: number[] = []
  for (let round = 1; round <= bench.rounds; round++) {
    bench.progress(`languages, round ${round} of ${bench.rounds}`)
    single.push(await waited(bench, sink, one))
    mixed.push(await waited(bench, sink, many))
    edited.push(await waited(bench, sink, { ...many, edited: true }))
  }
  sink.stop()
  const what = 'starts that are answered when the mail is taken, 20 languages of 10 apps mixed'
  const beside = { what: 'one language of one app', values: single }
  const templates = `${what}, each with a template of its own`
  return [
    besides(finding(what, '/s', mixed), mixed, beside, { atLeast: 0.9 }),
    besides(finding(templates, '/s', edited), edited, beside, { atLeast: 0.9 }),
  ]
}

async function waited(bench: Bench, sink: Sink, mixture: Mixture): Promise<number> {
  const { apps, languages, edited } = mixture
  const directory = bench.directory()
  const connectionsMax = connections / apps
  const templates = edited ? tags.slice(0, languages) : []
  const keys: string[] = []
  for (let app = 0; app < apps; app++) {
    keys.push((await seed(directory, { smtpPort: sink.port, connectionsMax, templates })).liveKey)
  }
  // Every app in every language: the language changes once all apps had their turn.
  const lines = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => {
      const locale = tags[Math.floor(index / apps) % languages]
      const body = JSON.stringify({ to: `person-${index}@${name}.example`, locale })
      return `/v1/verifications\t${body}\tBearer ${keys[index % apps]}`
    })
  const served = await serve('otpmint', directory)
  const [authorization = ''] = keys
  const common = { url: served.url, directory, authorization, connections: 64 }
  const job = { ...common, header: 'Prefer: wait=20' }
  await wrk({ ...job, lines: lines('early', 20_000), seconds: 1 })
  const late = lines('late', bench.seconds * 15_000)
  const { perSecond } = await wrk({ ...job, lines: late, seconds: bench.seconds })
  await served.stop('SIGKILL')
  return perSecond
}

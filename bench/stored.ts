import { join } from 'node:path'
import { type Bench, type Finding, type Measure, median, medianRatio, spread } from './support.ts'
import { fill } from './support-fill.ts'
import { checkLines, load } from './support-load.ts'
import { seed } from './support-seed.ts'
import { compile, type Served, serve } from './support-servers.ts'

const perSecondMax = 25_000

/** What a full database changes: how soon the server is ready, and how fast it checks. */
export const stored: Measure = async (bench) => {
  const executable = compile('otpmint')
  bench.progress('databases are filled')
  const few = await filled(bench, 1_000)
  const many = await filled(bench, 1_000_000)

  const empty: number[] = []
  const full: number[] = []
  for (let round = 0; round < bench.rounds * 2; round++) {
    empty.push(await readyMs(executable, bench.directory()))
    full.push(await readyMs(executable, many.directory))
  }
  const servers = [await few.start(executable), await many.start(executable)] as const
  const runs = [[], []] as [number[], number[]]
  for (let round = 0; round <= bench.rounds; round++) {
    bench.progress(`checks in a full database, round ${round} of ${bench.rounds}`)
    for (const [index, server] of servers.entries()) {
      const perSecond = await server.run(bench.seconds)
      if (round > 0) runs[index]?.push(perSecond)
    }
  }
  await Promise.all(servers.map(({ served }) => served.stop()))
  return [
    ready('ready after exec, new data directory', empty, 150),
    ready('ready after exec, 1,000,000 verifications', full, 300),
    {
      what: 'checks with 1,000,000 verifications stored, 64 connections',
      value: median(runs[1]),
      unit: '/s',
      spread: spread(runs[1]),
      ceiling: { what: 'with 1,000', value: median(runs[0]) },
      judged: { figure: medianRatio(runs[1], runs[0]), atLeast: 0.9 },
    },
  ]
}

function ready(what: string, values: number[], atMost: number): Finding {
  const value = median(values)
  return { what, value, unit: 'ms', spread: spread(values), judged: { figure: value, atMost } }
}

async function readyMs(executable: string, directory: string): Promise<number> {
  const served = await serve(executable, directory)
  await served.stop()
  return served.readyMs
}

/** Old verifications, and above them recent ones that wait for their codes, as in real life. */
async function filled(bench: Bench, old: number) {
  const directory = bench.directory()
  const each = Math.ceil((bench.seconds * perSecondMax) / 5)
  await seed(directory, 1, null)
  fill(directory, old)
  const { liveKey: authorization, pending } = await seed(directory, each * (bench.rounds + 1), null)
  return {
    directory,
    async start(executable: string) {
      const served: Served = await serve(executable, directory)
      const run = async (seconds: number) => {
        const requests = join(directory, 'requests.txt')
        await Bun.write(requests, checkLines(pending.splice(0, each)).join('\n'))
        const job = { url: served.url, requests, authorization, connections: 64, seconds }
        return (await load(job)).perSecond
      }
      return { served, run }
    },
  }
}

import { type Served, serve } from './executable.ts'
import { checkLines, wrk } from './load.ts'
import { besides, type Finding, finding } from './report.ts'
import type { Bench, Measure } from './run.ts'
import { fillOld, seed } from './seed.ts'

const perSecondMax = 30_000

/** Measures start time and checks with a full database. */
export const stored: Measure = async (bench) => {
  const counts = bench.quick ? [50_000] : [1_000_000, ...(bench.huge ? [10_000_000] : [])]
  const few = await filled(bench, 1_000)
  const findings: Finding[] = []
  for (const [index, count] of counts.entries()) {
    const many = await filled(bench, count)
    if (index === 0) findings.push(...(await readiness(bench, many)))
    findings.push(await checks(bench, few, many))
  }
  return findings
}

type Filled = { directory: string; count: number; authorization: string; takeLines(): string[] }

async function readiness(bench: Bench, many: Filled): Promise<Finding[]> {
  const times = { empty: [] as number[], full: [] as number[] }
  for (let round = 0; round < bench.rounds * 2; round++) {
    times.empty.push(await readyMs(bench.directory()))
    times.full.push(await readyMs(many.directory))
  }
  const ready = (what: string, values: number[], atMost: number): Finding => {
    const line = finding(`ready after exec, ${what}`, 'ms', values)
    return { ...line, judged: { figure: line.value, atMost } }
  }
  return [
    ready('new data directory', times.empty, 150),
    ready(`${many.count.toLocaleString('en')} verifications`, times.full, 300),
  ]
}

async function readyMs(directory: string): Promise<number> {
  const served = await serve('otpmint', directory)
  await served.stop()
  return served.readyMs
}

async function checks(bench: Bench, few: Filled, many: Filled): Promise<Finding> {
  const runs = { few: [] as number[], many: [] as number[] }
  const servers = {
    few: await serve('otpmint', few.directory),
    many: await serve('otpmint', many.directory),
  }
  for (let round = 0; round <= bench.rounds; round++) {
    bench.progress(`checks with ${many.count} stored, round ${round} of ${bench.rounds}`)
    const pair = [await rate(bench, few, servers.few), await rate(bench, many, servers.many)]
    // The first round warms up the runtime's compiler.
    if (round === 0) continue
    runs.few.push(pair[0] ?? 0)
    runs.many.push(pair[1] ?? 0)
  }
  await Promise.all([servers.few.stop(), servers.many.stop()])
  const what = `checks with ${many.count.toLocaleString('en')} stored, 64 connections`
  const ceiling = { what: 'with 1,000', values: runs.few }
  return besides(finding(what, '/s', runs.many), runs.many, ceiling, { atLeast: 0.95 })
}

async function rate(bench: Bench, { takeLines, ...rest }: Filled, served: Served) {
  const { seconds } = bench
  const { directory, authorization } = rest
  const job = { url: served.url, directory, authorization, connections: 64, seconds }
  return (await wrk({ ...job, lines: takeLines() })).perSecond
}

/** Old verifications, and recent ones that wait for their codes. */
async function filled(bench: Bench, count: number): Promise<Filled> {
  bench.progress(`a database is filled with ${count} verifications`)
  const directory = bench.directory()
  const each = Math.ceil((bench.seconds * perSecondMax) / 5)
  const rounds = (bench.rounds + 1) * (bench.huge && count === 1_000 ? 2 : 1)
  await seed(directory, { smtpPort: null, pending: 1 })
  fillOld(directory, count)
  const { liveKey, pending } = await seed(directory, { smtpPort: null, pending: each * rounds })
  const takeLines = () => checkLines(pending.splice(0, each))
  return { directory, count, authorization: liveKey, takeLines }
}

import { serve } from './executable.ts'
import { flood, openClient } from './load.ts'
import { finding } from './report.ts'
import type { Measure } from './run.ts'
import { seed } from './seed.ts'
import { openSink } from './sink.ts'

/** Measures resident memory after as many starts as the server takes at once, with their mails. */
export const memory: Measure = async (bench) => {
  const verifications = bench.quick ? 10_000 : 100_000
  const sink = await openSink()
  const directory = bench.directory()
  const { liveKey: authorization } = await seed(directory, { smtpPort: sink.port })
  const served = await serve('otpmint', directory)
  const client = openClient({ url: served.url, authorization, connections: 64 })
  const atFirst = served.residentBytes()
  let most = 0
  bench.progress(`memory, ${verifications} verifications`)
  await flood(client, 'memory', {
    workers: 64,
    waitMs: () => 200,
    isOver(accepted) {
      if (accepted % 100 === 0) most = Math.max(most, served.residentBytes())
      return accepted >= verifications
    },
  })
  await sink.taken(verifications)
  most = Math.max(most, served.residentBytes())
  // The runtime returns the memory of a burst within seconds.
  await Bun.sleep(bench.quick ? 3_000 : 15_000)
  const after = served.residentBytes()
  client.close()
  await served.stop('SIGKILL')
  sink.stop()
  const megabytes = (bytes: number) => bytes / 1e6
  const what = `resident memory after ${verifications.toLocaleString('en')} verifications`
  const note =
    `${megabytes(atFirst).toFixed(0)} MB at first, ` +
    `${megabytes(most).toFixed(0)} MB at most under the flood`
  const line = finding(what, 'MB', [megabytes(after)])
  return [{ ...line, judged: { figure: line.value, atMost: 165 }, note }]
}

import { join } from 'node:path'
import type { Measure } from './support.ts'
import { load, startLines } from './support-load.ts'
import { seed } from './support-seed.ts'
import { compile, serve, smtpSink } from './support-servers.ts'

const verifications = 100_000

/** What is resident after as many starts as the server can take at once, with their mails. */
export const memory: Measure = async (bench) => {
  const sink = await smtpSink()
  const directory = bench.directory()
  const { liveKey: authorization } = await seed(directory, 0, sink.port)
  const served = await serve(compile('otpmint'), directory)
  const atFirst = served.residentBytes()
  const requests = join(directory, 'requests.txt')
  let started = 0
  let most = 0
  for (let slice = 0; started < verifications; slice++) {
    bench.progress(`memory, ${started} of ${verifications} verifications`)
    await Bun.write(requests, startLines(`slice-${slice}`, 50_000).join('\n'))
    const job = { url: served.url, requests, authorization, connections: 64 }
    started += (await load({ ...job, seconds: bench.seconds })).requests
    most = Math.max(most, served.residentBytes())
  }
  // The runtime gives back what a flood made it take within seconds.
  await Bun.sleep(15_000)
  const after = served.residentBytes()
  await served.stop('SIGKILL')
  sink.stop()
  const megabytes = (bytes: number) => bytes / 1e6
  return [
    {
      what: 'resident memory 15 s after 100,000 verifications at full speed',
      value: megabytes(after),
      unit: 'MB',
      judged: { figure: megabytes(after), atMost: 160 },
      note:
        `${megabytes(atFirst).toFixed(0)} MB at first, ` +
        `${megabytes(most).toFixed(0)} MB at most under the flood`,
    },
  ]
}

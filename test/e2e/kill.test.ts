import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import {
  eventually,
  executable,
  killAll,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { isOverPostgres } from '../support/story-store.ts'
import { adminToken, createApp } from './client.ts'
import { faultsOf } from './data-files.ts'
import {
  attemptsMax,
  createLoad,
  inParallel,
  type Known,
  type Load,
  misdirected,
  random,
  sample,
  undelivered,
} from './kill-load.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(240_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

/** Over PostgreSQL few: test/cluster/kills.test.ts kills nodes while others serve. */
const kills = isOverPostgres ? 15 : 100
const env = {
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  OTPMINT_RESEND_AFTER_SECONDS: '5',
  OTPMINT_ATTEMPTS_MAX: String(attemptsMax),
}

test(`${kills} times kill -9 under load lose, revive and misdirect nothing acknowledged`, async () => {
  const dataDir = join(folder, 'data')
  const sink = await mailSink(() => random(40))
  const first = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...env })
  const { liveKey } = await createApp(first, adminToken(dataDir), { port: sink.port })
  await first.kill()
  const load = createLoad(liveKey, sink)

  for (let kill = 0; kill < kills; kill++) {
    const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...env })
    await compareAll(load, server, [...load.touched, ...sample(load.all, 10)])
    // Most runs are too short to send what an earlier one left unsent; some are long enough.
    if (kill % 10 === 9) await eventually(() => undelivered(load, sink).length === 0, 30_000)
    const ends = new AbortController()
    const working = load.run(server.base, ends.signal)
    const before = load.acknowledged.length
    await Bun.sleep(random(250))
    await eventually(() => load.acknowledged.length >= before + 5 + random(20))
    await server.kill()
    ends.abort()
    await working
    expect(load.violations.slice(0, 5)).toEqual([])
  }

  const last = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...env })
  await compareAll(load, last, load.all)
  await eventually(() => undelivered(load, sink).length === 0, 30_000)
  // Every unused code is still accepted once, and every used one is refused.
  await inParallel(load.all, (known) => load.checkRight(last.base, known))
  await inParallel(load.all, (known) => load.checkRight(last.base, known))
  const stopped = await last.stop()
  await sink.close()

  expect(load.violations.slice(0, 5)).toEqual([])
  expect(misdirected(load, sink)).toEqual([])
  expect(stopped).toBe(0)
  if (!isOverPostgres) expect(faultsOf(join(dataDir, 'otpmint.db'))).toEqual(['ok'])
  // The load had starts, wrong and right checks, resends and mails that were sent twice.
  const started = load.all.filter(({ id }) => id !== null)
  expect(started.length).toBeGreaterThan(kills)
  expect(started.filter(({ approved }) => approved === 'yes').length).toBeGreaterThan(kills)
  expect(started.filter(({ spentAtLeast }) => spentAtLeast > 1).length).toBeGreaterThan(kills / 2)
  expect(started.filter(({ resends }) => resends > 0).length).toBeGreaterThan(kills / 10)
  expect(sink.mails.length).toBeGreaterThan(started.length)
})

async function compareAll(load: Load, { base }: Server, known: Known[]): Promise<void> {
  await inParallel([...new Set(known)], (each) => load.compare(base, each))
  // A used code stays used.
  const used = known.filter(({ approved }) => approved === 'yes')
  await inParallel(sample(used, 20), (each) => load.checkRight(base, each))
  expect(load.violations.slice(0, 5)).toEqual([])
}

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { allApps, countedAfterMs } from '../../src/domain/figures/count.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { createFigures } from '../../src/jobs/figures.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import {
  addPlainApp,
  attempt,
  noon,
  settleCommand,
  startCommand,
  times,
  tryOf,
} from '../support/commands.ts'
import { eventually } from '../support/executable.ts'
import { world } from '../support/world.ts'

setDefaultTimeout(120_000)

let server: PostgresServer

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

function open(url: string): Promise<PostgresStore> {
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  return openPostgresStore({ connect, timers: systemTimers, random: systemRandom, lanes: 2 })
}

const log = { debug() {}, info() {}, warn() {}, error() {} }

test('nodes that lose their connections while they count together count everything once', async () => {
  const { keyring } = await world()
  const url = await server.create()
  const nodes = await Promise.all(times(3, () => open(url)))
  const [first] = nodes
  if (!first) throw new Error('no node')
  const { id: appId } = await addPlainApp(first)
  const given = times(400, (index) => startCommand({ appId, now: noon + index }))
  await Promise.all(given.map((each) => first.verifications.start(each)))
  await Promise.all(
    given.map((each, index) => {
      const made = tryOf({ at: noon + index })
      return first.deliveries.settle(settleCommand(each, { made }))
    }),
  )
  const used = given.slice(0, 250)
  await Promise.all(used.map((each) => first.verifications.chargeAttempt(attempt(each, true))))

  const clock = { now: () => noon + 10_000 + countedAfterMs }
  const admin = new SQL({ url: url.replace('otpmint@', 'postgres@'), max: 1 })
  let isOver = false
  let waitMs = 40
  const killing = (async () => {
    while (!isOver) {
      await admin`select pg_terminate_backend(pid) from pg_stat_activity
        where pid <> pg_backend_pid() and datname = current_database()`
      // Less and less often, so that also a slow machine counts something in between.
      waitMs += 5
      await Bun.sleep(waitMs)
    }
  })()
  // Each believes that it has the turn, and counts again and again.
  const counting = nodes.map(async (store, index) => {
    const maintenance = { ...store.maintenance, takeTurn: async () => true }
    const ports = { ...store, maintenance, keyring, log, clock, timers: systemTimers }
    for (let round = 0; round < 60; round++) {
      const job = createFigures({ ...ports, node: `node${index}` }, 40)
      job.start()
      await Bun.sleep(30)
      await job.stop()
    }
  })
  await Promise.all(counting)
  isOver = true
  await killing
  const total = { scope: allApps, part: 'total', spanMs: dayMs, from: 0, to: 2 * noon } as const
  expect((await first.figures.state())?.version).toBeGreaterThan(1)
  const last = createFigures({
    ...{ ...first, keyring, log, clock, timers: systemTimers, node: 'last' },
  })
  last.start()
  await eventually(async () => {
    const [figure] = await first.figures.between(total).catch(() => [])
    return figure?.started === given.length && figure.approved === used.length
  })
  await last.stop()

  const [figure] = await first.figures.between(total)
  expect(figure).toMatchObject({ started: 400, handedOver: 400, approved: 250, failed: 0 })
  await Promise.all([...nodes.map((store) => store.close()), admin.close()])
})

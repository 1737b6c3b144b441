import { expect, test } from 'bun:test'
import { startVerification } from '../../src/domain/start-verification.ts'
import { every } from '../../src/jobs/every.ts'
import { type Retention, sweepOnce } from '../../src/jobs/sweep.ts'
import { createLog } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { type World, world } from '../support/world.ts'

const dayMs = 86_400_000
const retention: Retention = {
  verificationsMs: 7 * dayMs,
  limitsMs: 31 * dayMs,
  eventsMs: 31 * dayMs,
  auditMs: 400 * dayMs,
}

function job(w: World) {
  const metrics = createMetrics()
  const lines: string[] = []
  const log = createLog({ level: 'debug', write: (line) => lines.push(line), clock: w.clock })
  return { metrics, log, lines, ports: { ...w, metrics, log } }
}

async function start(w: World, to = 'ada@example.com'): Promise<string> {
  const started = await startVerification(w, { app: w.app, mode: 'test', to })
  return started.outcome === 'started' ? started.verification.id : ''
}

const never = new AbortController().signal

test('a verification is kept for its keeping time and gone after it', async () => {
  const w = await world()
  const { ports, metrics } = job(w)
  const id = await start(w)

  w.clock.advance(6 * dayMs)
  await sweepOnce(ports, retention, never)
  const kept = await w.verifications.get(w.app.id, id)
  w.clock.advance(2 * dayMs)
  await sweepOnce(ports, retention, never)

  expect(kept?.id).toBe(id)
  expect(await w.verifications.get(w.app.id, id)).toBe(null)
  expect(metrics.render()).toMatch(/otpmint_swept_rows_total\{kind="rows"\} [1-9]/)
})

test('the address of an expired verification is forgotten at the next sweep', async () => {
  const w = await world()
  const { ports } = job(w)
  const id = await start(w)

  w.clock.advance(601_000)
  await sweepOnce(ports, retention, never)

  expect(await w.verifications.sealedRecipient(w.app.id, id)).toBe(null)
})

test('a delivery whose code has expired ends as undeliverable', async () => {
  const w = await world()
  const { ports } = job(w)
  const id = await start(w)

  w.clock.advance(601_000)
  await sweepOnce(ports, retention, never)

  const verification = await w.verifications.get(w.app.id, id)
  expect(verification?.delivery.status).toBe('undeliverable')
})

test('more rows than a batch holds go in one sweep', async () => {
  const w = await world({ settings: { appStartsPerMinute: 10_000 } })
  const { ports } = job(w)
  const ids = await Promise.all(Array.from({ length: 1200 }, (_, i) => start(w, `a${i}@b.test`)))

  w.clock.advance(8 * dayMs)
  await sweepOnce(ports, retention, never)

  const left = await Promise.all(ids.map((id) => w.verifications.get(w.app.id, id)))
  expect(left.filter((verification) => verification !== null)).toEqual([])
})

test('a sweep that is told to stop leaves the rest for later', async () => {
  const w = await world()
  const { ports } = job(w)
  const id = await start(w)
  w.clock.advance(8 * dayMs)

  await sweepOnce(ports, retention, AbortSignal.abort())

  expect((await w.verifications.get(w.app.id, id))?.id).toBe(id)
})

test('runs of a job never overlap, and one that throws is told and does not end it', async () => {
  const w = await world()
  const { log, lines } = job(w)
  let running = 0
  let most = 0
  let runs = 0
  const enough = Promise.withResolvers<void>()
  const repeated = every(0, 'try', log, async () => {
    running += 1
    runs += 1
    most = Math.max(most, running)
    if (runs === 4) enough.resolve()
    await Bun.sleep(1)
    running -= 1
    throw new Error('with a secret')
  })

  repeated.start()
  await enough.promise
  await repeated.stop()
  const ended = { running, runs }

  await Bun.sleep(5)
  expect(ended.running).toBe(0)
  expect([most, runs]).toEqual([1, ended.runs])
  expect(lines.join('')).toContain('"event":"try_failed"')
  expect(lines.join('')).not.toContain('secret')
})

test('a job runs as soon as it is started, however rarely it runs after that', async () => {
  const w = await world()
  const { log } = job(w)
  const ran = Promise.withResolvers<void>()
  const rare = every(2 ** 31 - 1, 'try', log, async () => ran.resolve())

  rare.start()
  await ran.promise
  await rare.stop()
})

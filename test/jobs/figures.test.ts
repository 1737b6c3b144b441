import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  allApps,
  countedAfterMs,
  type Figure,
  otherValue,
  type Part,
  recipientsMin,
  slotStart,
} from '../../src/domain/figures/count.ts'
import type { FigureStore } from '../../src/domain/figures/store.ts'
import { percentilesOf } from '../../src/domain/figures/times.ts'
import { cancelVerification } from '../../src/domain/verification/cancel.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import { resendVerification } from '../../src/domain/verification/resend.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { createFigures } from '../../src/jobs/figures.ts'
import { noon, sweepCommand, tryOf } from '../support/commands.ts'
import { addApp, codeOf, type World, world } from '../support/world.ts'
import { observed, steppedTimers } from './fixture.ts'

setDefaultTimeout(60_000)

/** A world and the job that counts it; `run` lets it run once more. */
async function counting() {
  const w = await world({ settings: { appStartsPerMinute: 100_000 } })
  const { log, events } = observed(w)
  const { timers, pass } = steppedTimers()
  const newJob = (node: string, figures: FigureStore = w.figures, rowsMax?: number) =>
    createFigures({ ...w, figures, log, timers, node }, rowsMax)
  const job = newJob('a')
  job.start()
  const run = () => pass(10_000)
  const stop = async () => {
    const stopped = job.stop()
    await pass(1_000)
    await stopped
  }
  return { w, job: { stop }, newJob, pass, run, events }
}

type Sending = { to: string; mode?: 'live' | 'test'; locale?: string; tookMs?: number | null }

/** Starts a verification, whose message is accepted after `tookMs`, or never where that is null. */
async function send(w: World, { to, mode = 'live', tookMs = 400, ...given }: Sending, app = w.app) {
  const { verification } = await startVerification(w, { app, mode, startedBy: 'v1', to, ...given })
  const sent = w.sent.at(-1)
  if (!sent) throw new Error('nothing was sent')
  const key = { appId: app.id, mode, id: verification.id }
  if (tookMs !== null) await accept(w, sent, tookMs)
  return { key, sent, code: codeOf(sent) }
}

async function accept(w: World, { delivery }: World['sent'][number], tookMs: number) {
  await w.deliveries.settle({
    ...{ delivery, status: 'sent', detail: null, event: 'delivery.sent', counted: null },
    ...{ suppress: null, again: null, follow: null, now: w.clock.now() },
    made: tryOf({ at: w.clock.now(), tookMs }),
  })
}

type Counted = { of?: string; part?: Part; spanMs?: number }

/** Counts by value: started, handed over, approved, failed. */
async function counts({ figures }: World, { of = allApps, part = 'total', spanMs }: Counted = {}) {
  const range = { scope: of, part, from: 0, to: noon + 400 * dayMs }
  const read = await figures.between({ ...range, spanMs: spanMs ?? dayMs })
  return Object.fromEntries(read.map((figure) => [figure.value, four(figure)]))
}

const four = ({ started, handedOver, approved, failed }: Figure) => [
  started,
  handedOver,
  approved,
  failed,
]

test('a verification counts in the time of its start, by app, channel, locale and domain', async () => {
  const { w, job, run } = await counting()
  const { app: second } = await addApp(w, { name: 'Second' })
  const used = await send(w, { to: 'ada@example.com', locale: 'de' })
  const { key, code } = used
  await send(w, { to: 'bob@example.org', tookMs: null }, second)
  const canceled = await send(w, { to: 'carl@example.org' }, second)
  await send(w, { to: 'test@example.com', mode: 'test' })
  w.clock.advance(30_000)
  await checkVerification(w, { ...key, code })
  await cancelVerification(w, canceled.key)
  w.clock.advance(dayMs)
  await w.maintenance.sweep(sweepCommand(w.clock.now()))
  w.clock.advance(countedAfterMs)
  await run()
  await job.stop()

  expect(await counts(w)).toEqual({ '': [3, 2, 1, 1] })
  expect(await counts(w, { part: 'app' })).toEqual({
    [w.app.id]: [1, 1, 1, 0],
    [second.id]: [2, 1, 0, 1],
  })
  expect(await counts(w, { part: 'channel' })).toEqual({ email: [3, 2, 1, 1] })
  expect(await counts(w, { part: 'locale' })).toEqual({ '': [2, 1, 0, 1], de: [1, 1, 1, 0] })
  expect(await counts(w, { of: second.id })).toEqual({ '': [2, 1, 0, 1] })
  const total = { scope: allApps, part: 'total', from: 0, to: 2 * noon } as const
  for (const spanMs of [300_000, hourMs, dayMs]) {
    const [figure, ...more] = await w.figures.between({ ...total, spanMs })
    expect([figure?.at, more]).toEqual([slotStart(noon, spanMs), []])
    expect(percentilesOf(figure?.handOverTimes ?? {})?.p50).toBeWithin(350, 450)
    expect(percentilesOf(figure?.approvalTimes ?? {})?.p95).toBeWithin(27_000, 33_000)
  }
})

test('what is younger than two minutes is not counted yet, and then once', async () => {
  const { w, job, run } = await counting()
  const { key, code } = await send(w, { to: 'ada@example.com' })
  w.clock.advance(countedAfterMs)
  await run()
  expect(await counts(w)).toEqual({})

  w.clock.advance(1)
  await run()
  expect(await counts(w)).toEqual({ '': [1, 1, 0, 0] })
  await checkVerification(w, { ...key, code })
  w.clock.advance(countedAfterMs)
  await run()
  await run()
  await job.stop()
  expect(await counts(w)).toEqual({ '': [1, 1, 1, 0] })
})

test('a late hand-over and a second message count once', async () => {
  const { w, job, run } = await counting()
  const late = await send(w, { to: 'late@example.com', tookMs: null })
  const twice = await send(w, { to: 'twice@example.com' })
  w.clock.advance(70_000)
  await accept(w, late.sent, 300)
  w.clock.advance(countedAfterMs)
  await run()
  expect(await counts(w)).toEqual({ '': [2, 1, 0, 0] })

  await resendVerification(w, { app: w.app, mode: 'live', id: twice.key.id })
  const again = w.sent.at(-1)
  if (!again) throw new Error('nothing was sent')
  await accept(w, again, 300)
  for (const { key, code } of [late, twice]) await checkVerification(w, { ...key, code })
  w.clock.advance(countedAfterMs)
  await run()
  await job.stop()
  expect(await counts(w)).toEqual({ '': [2, 2, 2, 0] })
})

test('a message that came back is a failure, and so is one that nobody took', async () => {
  const { w, job, run } = await counting()
  const { sent } = await send(w, { to: 'bounced@example.com' })
  await send(w, { to: 'never@example.com', tookMs: null })
  await send(w, { to: 'unused@example.com' })
  const { delivery } = sent
  await w.deliveries.bounce({
    ...{ delivery, event: 'delivery.bounced', suppress: null, follow: null },
    ...{ now: w.clock.now(), detail: 'no such user', cause: 'recipient', code: '550' },
  })
  w.clock.advance(dayMs)
  await w.maintenance.sweep(sweepCommand(w.clock.now()))
  w.clock.advance(countedAfterMs)
  await run()
  await job.stop()

  expect(await counts(w)).toEqual({ '': [3, 2, 0, 2] })
})

test('several nodes that count at once, each as if it had the turn, count nothing twice', async () => {
  const { w, newJob, job, pass } = await counting()
  await job.stop()
  const takeTurn = w.maintenance.takeTurn
  w.maintenance.takeTurn = async (command) => {
    await takeTurn(command)
    return true
  }
  for (let index = 0; index < 60; index++) {
    const { key, code } = await send(w, { to: `p${index}@example.com` })
    if (index < 40) await checkVerification(w, { ...key, code })
    w.clock.advance(1)
  }
  w.clock.advance(countedAfterMs)
  let wrote = 0
  const count = async (...nodes: FigureStore[]) => {
    const jobs = nodes.map((figures, index) => newJob(`node${index}`, figures))
    for (const each of jobs) each.start()
    await pass(1_000)
    await Promise.all(jobs.map((each) => each.stop()))
  }
  // Each has read before the first one writes.
  const slow: FigureStore = {
    ...w.figures,
    write: async (command) => {
      wrote++
      for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
      return w.figures.write(command)
    },
  }
  // First what was started, then what has ended.
  await count(slow, slow, slow)
  await count(slow, slow, slow)
  expect(wrote).toBe(6)
  await count(w.figures)

  expect(await counts(w)).toEqual({ '': [60, 60, 40, 0] })
})

test('a node that is killed between any two steps has lost nothing and counted nothing twice', async () => {
  const { w, job, newJob, pass } = await counting()
  await job.stop()
  for (let index = 0; index < 30; index++) {
    const { key, code } = await send(w, { to: `p${index}@example.com` })
    if (index % 2 === 0) await checkVerification(w, { ...key, code })
    w.clock.advance(1)
  }
  w.clock.advance(countedAfterMs)
  for (let step = 0; step < 40; step++) {
    const dying = newJob('a', killedAfter(w.figures, step % 7), 20)
    dying.start()
    await pass(1_000)
    await dying.stop()
  }
  const last = newJob('a')
  last.start()
  await pass(10_000)
  await last.stop()

  expect(await counts(w)).toEqual({ '': [30, 30, 15, 0] })
})

/** A store whose calls fail after so many; the last one that works may be a write. */
function killedAfter(figures: FigureStore, calls: number): FigureStore {
  let left = calls
  const dying = Object.entries(figures).map(([name, call]) => [
    name,
    async (...values: never[]) => {
      if (left-- <= 0) throw new Error('killed')
      return (call as (...values: never[]) => Promise<unknown>)(...values)
    },
  ])
  return Object.fromEntries(dying)
}

test('a busy time is counted in batches, and the rest in the next run', async () => {
  const { w, job, newJob, pass } = await counting()
  await job.stop()
  for (let index = 0; index < 25; index++) await send(w, { to: `p${index}@example.com` })
  w.clock.advance(countedAfterMs + 1)
  const small = newJob('a', w.figures, 10)
  small.start()
  await pass(9_000)
  expect(await counts(w)).toEqual({ '': [10, 10, 0, 0] })
  await pass(30_000)
  await small.stop()
  expect(await counts(w)).toEqual({ '': [25, 25, 0, 0] })
})

test('a position that a wrong clock has written ahead keeps nothing from being counted', async () => {
  const { w, job, run } = await counting()
  await send(w, { to: 'before@example.com' })
  w.clock.advance(30 * dayMs)
  await send(w, { to: 'wrong@example.com' })
  w.clock.advance(countedAfterMs + 1)
  await run()
  w.clock.advance(-30 * dayMs)
  await run()
  await send(w, { to: 'after@example.com' })
  w.clock.advance(countedAfterMs + 1)
  await run()
  await run()
  await job.stop()

  const read = await w.figures.between({
    ...{ scope: allApps, part: 'total', spanMs: dayMs },
    ...{ from: 0, to: noon + dayMs },
  })
  expect(read.map(four)).toEqual([[2, 2, 0, 0]])
})

test('of a day that is over a domain of few recipients has no name, and nobody a hash', async () => {
  const { w, job, run } = await counting()
  for (let index = 0; index < recipientsMin; index++) {
    await send(w, { to: `p${index}@large.example` })
    w.clock.advance(60_000)
  }
  await send(w, { to: 'ada@small.example' })
  w.clock.advance(31_000)
  await send(w, { to: 'ada@small.example' })
  w.clock.advance(countedAfterMs + 1)
  await run()
  const recipientsOf = async () => {
    const range = { scope: allApps, part: 'domain', spanMs: dayMs, from: 0, to: 2 * noon } as const
    const read = await w.figures.between(range)
    return read.map(({ value, recipients }) => [value, recipients?.length])
  }
  expect(await recipientsOf()).toEqual([
    ['large.example', undefined],
    ['small.example', 1],
  ])
  const day = w.clock.now()
  w.clock.advance(dayMs - (day % dayMs) + hourMs + 1)
  await run()
  expect((await recipientsOf()).at(-1)).toEqual(['small.example', 1])

  w.clock.advance(countedAfterMs)
  await run()
  await run()
  await job.stop()
  expect(await recipientsOf()).toEqual([
    ['large.example', undefined],
    [otherValue, undefined],
  ])
  for (const of of [allApps, w.app.id]) {
    for (const spanMs of [hourMs, dayMs]) {
      const byDomain = await counts(w, { of, part: 'domain', spanMs })
      expect(Object.keys(byDomain)).toEqual(['large.example', otherValue])
      expect(byDomain[otherValue]).toEqual([2, 2, 0, 0])
    }
  }
})

test('nothing of what is stored tells who a recipient was', async () => {
  const { w, job, run } = await counting()
  const { key } = await send(w, { to: 'ada.lovelace@example.com' })
  w.clock.advance(countedAfterMs + 1)
  await run()
  await job.stop()

  const [begun] = await w.figures.started({ after: '', before: 'z', limit: 1 })
  const range = { scope: allApps, part: null, from: 0, to: 2 * noon }
  const read = await Promise.all(
    [300_000, hourMs, dayMs].map((spanMs) => w.figures.between({ ...range, spanMs })),
  )
  const stored = JSON.stringify(read)
  expect(stored).toContain('example.com')
  for (const secret of [
    'ada',
    'lovelace',
    key.id,
    begun?.recipientKey.toHex().slice(0, 12) ?? '',
  ]) {
    expect(stored).not.toContain(secret)
  }
})

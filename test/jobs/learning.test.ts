import { expect, setDefaultTimeout, test } from 'bun:test'
import type { App } from '../../src/domain/app/app.ts'
import { addEndpoint } from '../../src/domain/app/endpoints.ts'
import { updateApp } from '../../src/domain/app/manage.ts'
import { armsOf } from '../../src/domain/learning/scores.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { resendVerification } from '../../src/domain/verification/resend.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { createLearning, judgedAfterMs } from '../../src/jobs/learning.ts'
import { presentDetails } from '../../src/present.ts'
import { addPlainApp, plainApp, times, tryOf } from '../support/commands.ts'
import { codeOf, world } from '../support/world.ts'
import { observed, steppedTimers } from './fixture.ts'

setDefaultTimeout(60_000)

const actor = { who: 'cli', requestId: null } as const
const input = { host: 'two.example.com', port: 587, security: 'starttls', user: null }
const everything = { appId: null, from: 0, to: 1_000_000, limit: 100 }

/** A world whose app has two mail servers and a learned route, and the job that learns it. */
async function learning({ isOn = true } = {}) {
  const w = await world({ policy: isOn ? { learnedRoute: true } : {} })
  const from = 'codes@example.com'
  await addEndpoint(w, actor, { appId: w.app.id, kind: 'email', input: { ...input, from } })
  const app = (await w.apps.get(w.app.id)) as App
  const { log } = observed(w)
  const { timers, pass } = steppedTimers()
  const newNode = (node: string, most?: { rows: number; apps: number }) =>
    createLearning({ ...w, log, timers, node }, most)
  const { learned, job } = newNode('a')
  const ports = { ...w, learned }
  const [first = '', second = ''] = app.endpoints.map(({ id }) => id)
  return { w, app, ports, learned, job, pass, newNode, first, second }
}
type Given = Awaited<ReturnType<typeof learning>>

/** Starts a verification, which its endpoint accepts; approves it where `isGood` says so. */
async function send({ w, app, ports }: Given, to: string, isGood: (id: string) => boolean) {
  const request = { app, mode: 'live', startedBy: 'v1', to } as const
  const { verification } = await startVerification(ports, request)
  const sent = w.sent.at(-1)
  if (!sent) throw new Error('nothing was sent')
  const { delivery, handover } = sent
  const { endpointId } = delivery
  await w.deliveries.settle({
    ...{ delivery, made: tryOf({ endpointId, at: w.clock.now() }), status: 'sent', detail: null },
    ...{ event: 'delivery.sent', counted: null, suppress: null, again: null, follow: null },
    now: w.clock.now(),
  })
  const key = { appId: app.id, mode: 'live', id: verification.id } as const
  if (isGood(endpointId ?? '')) {
    await checkVerification(w, { ...key, code: codeOf({ handover }) })
  }
  return { key, endpointId, verification }
}

async function sendMany(given: Given, count: number, isGood: (id: string) => boolean, from = 0) {
  const sent = []
  for (let index = from; index < from + count; index++) {
    sent.push(await send(given, `person${index}@example.com`, isGood))
    given.w.clock.advance(1)
  }
  return sent
}

test('messages follow the approvals, and the verification says why', async () => {
  const given = await learning()
  const { w, job, pass, first, second, learned } = given
  const isSecond = (id: string) => id === second
  const before = await sendMany(given, 60, isSecond)
  w.clock.advance(judgedAfterMs)
  job.start()
  await pass(1_000)
  expect(learned.of(given.app.id)).not.toBeNull()
  const after = await sendMany(given, 60, isSecond, 60)
  await job.stop()

  expect(before.filter(({ endpointId }) => endpointId === first).length).toBeGreaterThan(50)
  expect(after.filter(({ endpointId }) => endpointId === second).length).toBeGreaterThan(50)
  const chosen = after.find(({ endpointId }) => endpointId === second)
  if (!chosen) throw new Error('the second one was never chosen')
  const { verification, key } = chosen
  const shown = presentDetails(verification, await w.deliveries.history(key), w.clock.now())
  const { group, explanation, options } = shown.deliveries[0]?.chosen ?? {}
  expect([group, options?.[0]?.endpoint]).toEqual(['example.com', second])
  expect(explanation).toMatch(/^(nothing known|100 % approved) here, 0 % there$/)
})

test('a verification is counted once, two minutes after its start, by one node', async () => {
  const given = await learning()
  const { w, job, pass, newNode } = given
  const other = newNode('b')
  await sendMany(given, 3, () => true)
  job.start()
  other.job.start()
  await pass(1_000)
  expect(await w.learning.totals(everything)).toEqual([])
  w.clock.advance(judgedAfterMs)
  await pass(30_000)
  w.clock.advance(dayMs - judgedAfterMs)
  await pass(10_000)
  await Promise.all([job.stop(), other.job.stop()])

  const totals = await w.learning.totals(everything)
  expect(totals.reduce((sum, { handedOver }) => sum + handedOver, 0)).toBe(3)
  expect(other.learned.of(given.app.id)).toEqual(given.learned.of(given.app.id))
})

test('an app that does not ask for it has nothing read or written, and the order of its ranks', async () => {
  const given = await learning({ isOn: false })
  const { w, job, pass, first, learned } = given
  const sent = await sendMany(given, 20, () => true)
  let turns = 0
  const takeTurn = w.maintenance.takeTurn
  w.maintenance.takeTurn = (command) => {
    turns++
    return takeTurn(command)
  }
  w.clock.advance(judgedAfterMs)
  job.start()
  await pass(30_000)
  await job.stop()

  expect(new Set(sent.map(({ endpointId }) => endpointId))).toEqual(new Set([first]))
  expect(w.sent.every(({ delivery }) => delivery.chosen === null)).toBe(true)
  expect([turns, learned.of(given.app.id)]).toEqual([0, null])
  expect(await w.learning.totals(everything)).toEqual([])
})

test('scores leave the memory when the app does not ask for them any more', async () => {
  const given = await learning()
  const { w, app, job, pass, learned } = given
  await sendMany(given, 1, () => true)
  w.clock.advance(judgedAfterMs + 1)
  job.start()
  await pass(1_000)
  expect(learned.of(app.id)).not.toBeNull()
  await updateApp(w, actor, { id: app.id, policy: { learnedRoute: false } })
  await pass(10_000)
  await job.stop()

  expect(learned.of(app.id)).toBeNull()
})

test('a resend begins with an endpoint that was not tried, and counts against the first', async () => {
  const given = await learning()
  const { w, app, ports, job, pass, first, second, learned } = given
  let sent = await send(given, 'ada@example.com', () => false)
  for (let index = 0; sent.endpointId !== first; index++) {
    sent = await send(given, `ada${index}@example.com`, () => false)
  }
  w.clock.advance(30_000)
  await resendVerification(ports, { app, mode: 'live', id: sent.key.id })
  const resent = w.sent.at(-1)
  if (!resent) throw new Error('nothing was sent')
  expect(resent.delivery.endpointId).toBe(second)
  expect(resent.delivery.chosen?.options.map(({ endpointId }) => endpointId)).toEqual([
    second,
    first,
  ])
  await w.deliveries.settle({
    ...{ delivery: resent.delivery, made: tryOf({ endpointId: second }), status: 'sent' },
    ...{ detail: null, event: 'delivery.sent', counted: null, suppress: null },
    ...{ again: null, follow: null, now: w.clock.now() },
  })
  await checkVerification(w, { ...sent.key, code: codeOf(resent) })
  w.clock.advance(judgedAfterMs + 1)
  job.start()
  await pass(1_000)
  await job.stop()

  const scores = learned.of(app.id)
  const arms = scores ? armsOf(scores, 'example.com') : {}
  expect(arms[second]?.good).toBeCloseTo(1, 5)
  expect(arms[first]?.good).toBe(0)
  expect(arms[first]?.bad).toBeGreaterThan(0.9)
})

test('a position ahead of a clock that was wrong does not stop the counting', async () => {
  const given = await learning()
  const { w, app, job, pass } = given
  const scores = { day: 0, groups: {} }
  const folded = { from: 0, before: 0, groups: [], to: 'other' }
  const ahead = { appId: app.id, expectedVersion: 0, after: 'zzzz', scores, seen: [], counts: [] }
  await w.learning.count({ ...ahead, folded })
  await sendMany(given, 2, () => true)
  w.clock.advance(judgedAfterMs)
  job.start()
  await pass(20_000)
  await job.stop()

  const totals = await w.learning.totals(everything)
  expect(totals.reduce((sum, { handedOver }) => sum + handedOver, 0)).toBe(2)
})

test('one run reads no more verifications than it may, and the next goes on behind them', async () => {
  const given = await learning()
  const { w, pass, newNode } = given
  const { job } = newNode('b', { rows: 3, apps: 10 })
  await sendMany(given, 7, () => true)
  w.clock.advance(judgedAfterMs)
  const counted = async () =>
    (await w.learning.totals(everything)).reduce((sum, { handedOver }) => sum + handedOver, 0)
  job.start()
  await pass(1_000)
  const counts = [await counted()]
  for (let run = 0; run < 2; run++) {
    await pass(10_000)
    counts.push(await counted())
  }
  await job.stop()

  expect(counts).toEqual([3, 6, 7])
})

test('no more apps are counted and kept in memory than are allowed', async () => {
  const given = await learning()
  const { w, app, pass, newNode } = given
  const apps = await Promise.all(
    times(3, () => addPlainApp(w, plainApp({ policy: { learnedRoute: true } }))),
  )
  const ids = [app.id, ...apps.map(({ id }) => id)].sort()
  const folded = { from: 0, before: 0, groups: [], to: 'other' }
  const counted = { after: '', scores: { day: 1, groups: {} }, seen: [], counts: [], folded }
  for (const appId of ids) await w.learning.count({ appId, expectedVersion: 0, ...counted })
  const { learned, job } = newNode('b', { rows: 10, apps: 2 })
  job.start()
  await pass(1_000)
  await job.stop()

  expect(ids.map((id) => learned.of(id) !== null)).toEqual([true, true, false, false])
})

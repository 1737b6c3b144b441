import { expect, setDefaultTimeout, test } from 'bun:test'
import { updateApp } from '../../src/domain/app/manage.ts'
import { auditHead, verifyAudit } from '../../src/domain/audit.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { createSweeper, type Retention, sweepOnce } from '../../src/jobs/sweep.ts'
import { type World, world } from '../support/world.ts'
import { observed, steppedTimers } from './fixture.ts'

setDefaultTimeout(60_000)

const dayMs = 86_400_000
const retention: Retention = {
  verificationsMs: 7 * dayMs,
  limitsMs: 31 * dayMs,
  eventsMs: 31 * dayMs,
  auditMs: 400 * dayMs,
}
const actor = { who: 'cli', requestId: null }

async function start(w: World, to = 'ada@example.com') {
  const request = { app: w.app, mode: 'test', startedBy: 'v1', to } as const
  const { verification } = await startVerification(w, request)
  return { appId: w.app.id, mode: 'test', id: verification.id } as const
}

function run(w: World, ports: ReturnType<typeof observed>['ports'], signal?: AbortSignal) {
  const cursor = { limitsAfter: new Uint8Array(0) }
  const options = { retention, cursor, signal: signal ?? new AbortController().signal }
  return sweepOnce({ ...ports, clock: w.clock }, options)
}

test('a verification is deleted after its keeping time and not before', async () => {
  const w = await world()
  const { ports, metrics } = observed(w)
  const key = await start(w)

  w.clock.advance(6 * dayMs)
  await run(w, ports)
  const kept = await w.verifications.get(key)
  w.clock.advance(2 * dayMs)
  await run(w, ports)

  expect(kept?.id).toBe(key.id)
  expect(await w.verifications.get(key)).toBe(null)
  expect(metrics.render()).toMatch(/otpmint_swept_rows_total\{kind="rows"\} [1-9]/)
})

test('the address of an expired verification is forgotten at the next sweep', async () => {
  const w = await world()
  const key = await start(w)

  w.clock.advance(601_000)
  await run(w, observed(w).ports)

  expect(await w.verifications.sealed({ ...key, recipient: 0 })).toBe(null)
})

test('a delivery whose code has expired ends as undeliverable', async () => {
  const w = await world()
  const key = await start(w)

  w.clock.advance(601_000)
  await run(w, observed(w).ports)

  expect((await w.verifications.get(key))?.delivery.status).toBe('undeliverable')
})

test('one sweep deletes more rows than a batch holds', async () => {
  const w = await world({ settings: { appStartsPerMinute: 10_000 } })
  const starts = Array.from({ length: 1200 }, (_, i) => start(w, `a${i}@b.test`))
  const keys = await Promise.all(starts)

  w.clock.advance(8 * dayMs)
  await run(w, observed(w).ports)

  const left = await Promise.all(keys.map((key) => w.verifications.get(key)))
  expect(left.filter((verification) => verification !== null)).toEqual([])
})

test('a sweep that is told to stop leaves the rest for later', async () => {
  const w = await world()
  const key = await start(w)
  w.clock.advance(8 * dayMs)

  await run(w, observed(w).ports, AbortSignal.abort())

  expect((await w.verifications.get(key))?.id).toBe(key.id)
})

test('audit records are deleted after their keeping time, and the rest of the chain verifies', async () => {
  const w = await world()
  const { ports, metrics } = observed(w)
  for (let i = 0; i < 3; i++) await updateApp(w, actor, { id: w.app.id, name: `Acme ${i}` })
  w.clock.advance(300 * dayMs)
  await updateApp(w, actor, { id: w.app.id, name: 'Acme' })
  w.clock.advance(101 * dayMs)

  await run(w, ports)

  const kept = await w.audit.after(0, 10)
  expect(kept.map(({ at }) => at)).toEqual([w.clock.now() - 101 * dayMs])
  const { now, auditMs: keptMs } = { now: w.clock.now(), ...retention }
  expect(await verifyAudit(w, { now, keptMs })).toMatchObject({ ok: true, records: 1 })
  expect(metrics.render()).toContain('otpmint_swept_rows_total{kind="audit"} 4')
})

test('audit verify reports records that were deleted too early by a wrong clock', async () => {
  const w = await world()
  w.clock.advance(401 * dayMs)
  await run(w, observed(w).ports)

  const verdict = await verifyAudit(w, { now: w.clock.now() - 2 * dayMs, keptMs: 400 * dayMs })

  expect(verdict).toMatchObject({ ok: false, fault: expect.stringContaining('keeping time') })
})

test('the head of the audit log is logged whenever it has moved', async () => {
  const w = await world()
  const { ports, lines } = observed(w)
  const { timers, pass } = steppedTimers()
  const sweeper = createSweeper({ ...ports, timers }, retention)
  const heads = () => lines.filter(({ event }) => event === 'audit_head')
  sweeper.start()
  await pass(61_000)
  const before = heads()
  await updateApp(w, actor, { id: w.app.id, name: 'Other' })
  w.clock.advance(60_000)
  await pass(120_000)
  await sweeper.stop()

  const state = await w.audit.state()
  if (!state) throw new Error('no audit log')
  expect(before).toHaveLength(1)
  expect(heads()).toHaveLength(2)
  expect(heads().at(-1)).toMatchObject({ level: 'info', detail: auditHead(state) })
  const verdict = await verifyAudit(w, {
    ...{ now: w.clock.now(), keptMs: retention.auditMs },
    expectHead: String(before[0]?.['detail']),
  })
  expect(verdict.ok).toBe(true)
})

test('the deletion of limits continues in the next sweep where the last one stopped', async () => {
  const w = await world()
  const { ports } = observed(w)
  const seen: Uint8Array[] = []
  const maintenance: World['maintenance'] = {
    ...w.maintenance,
    sweep: async ({ limitsAfter }) => {
      seen.push(limitsAfter)
      return { rows: 0, limitsAfter: new Uint8Array([seen.length]) }
    },
  }
  const cursor = { limitsAfter: new Uint8Array(0) }
  const options = { retention, cursor, signal: new AbortController().signal }
  const timers = { ...w.timers, sleep: async () => {} }

  await sweepOnce({ ...ports, maintenance, timers }, options)
  const first = seen.length
  await sweepOnce({ ...ports, maintenance, timers }, options)

  // The work of one sweep on the limits is bounded.
  expect(first).toBe(100)
  expect(seen[first]).toEqual(new Uint8Array([first]))
})

test('one node sweeps at a time, and another takes over when it is silent', async () => {
  const w = await world()
  const { timers, pass } = steppedTimers()
  const swept: string[] = []
  const sweeper = (node: string) => {
    const sweep: World['maintenance']['sweep'] = async () => {
      swept.push(node)
      return { rows: 0, limitsAfter: new Uint8Array(0) }
    }
    const maintenance = { ...w.maintenance, sweep }
    return createSweeper({ ...observed(w).ports, maintenance, timers, node }, retention)
  }
  const [first, second] = [sweeper('first'), sweeper('second')]
  first.start()
  await pass(10)
  second.start()
  for (let minute = 0; minute < 3; minute++) {
    w.clock.advance(61_000)
    await pass(61_000)
  }
  const whileFirstRuns = [...swept]
  await first.stop()
  for (let minute = 0; minute < 7; minute++) {
    w.clock.advance(61_000)
    await pass(61_000)
  }
  await second.stop()

  expect(new Set(whileFirstRuns)).toEqual(new Set(['first']))
  expect(whileFirstRuns.length).toBeGreaterThan(2)
  expect(swept.at(-1)).toBe('second')
})

import { expect, setDefaultTimeout, test } from 'bun:test'
import { silentMs } from '../../src/domain/delivery/lease.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import {
  createBeat,
  createClockWatch,
  createRefusalWatch,
  createRotationWatch,
  createSettingsWatch,
  createSigns,
  createSpendingWatch,
  createSprayWatch,
} from '../../src/jobs/watches.ts'
import { createLog } from '../../src/log.ts'
import { attempt, settleCommand, startCommand } from '../support/commands.ts'
import { codeOf, type World, world, wrongCode } from '../support/world.ts'
import { observed, steppedTimers } from './fixture.ts'

setDefaultTimeout(60_000)

const anywhere = { appId: null, open: true, limit: 10, cursor: null }
const openAlarms = async (w: World) => (await w.alarms.list(anywhere)).items

test('a server that lost its keys logs it once, marks them as wrong, and logs the next change', async () => {
  const w = await world()
  const { log, events } = observed(w)
  const { timers, pass } = steppedTimers()
  const answers = ['lost', 'lost', 'changed'] as const
  const keys = { right: true }
  const seen: boolean[] = []
  let beats = 0
  let runs = 0
  const watch = createRotationWatch({
    ...{ log, timers, keys },
    follow: async () => {
      seen.push(keys.right)
      return answers[runs++] ?? 'same'
    },
    beat: async () => void beats++,
  })

  watch.start()
  await pass(3_500)
  await watch.stop()

  expect(seen).toEqual([true, false, false, true])
  expect(events()).toEqual(['keys_lost', 'keys_changed'])
  expect(beats).toBe(1)
})

/** Starts verifications for many recipients and types one wrong code for each. */
async function spray(w: World, count: number, from = 0) {
  for (let i = from; i < from + count; i++) {
    const request = { app: w.app, mode: 'live', startedBy: 'v1', to: `a${i}@b.test` } as const
    const { verification } = await startVerification(w, request)
    const key = { appId: w.app.id, mode: 'live', id: verification.id } as const
    await checkVerification(w, { ...key, code: wrongCode(codeOf(w.sent.at(-1))) })
  }
}

test('failures over many recipients raise the spray alarm, and fewer failures clear it', async () => {
  const w = await world()
  const { ports, lines, events } = observed(w)
  const { timers, pass } = steppedTimers()
  const watch = createSprayWatch({ ...ports, timers })
  await spray(w, 50)
  watch.start()
  await pass(10)
  const atFifty = await openAlarms(w)
  await spray(w, 1, 50)
  await pass(10_000)
  const above = await openAlarms(w)
  const alarmed = await w.apps.get(w.app.id)
  await pass(10_000)
  w.clock.advance(660_000)
  await pass(10_000)
  await watch.stop()

  expect(atFifty).toEqual([])
  expect(above).toMatchObject([{ kind: 'spray', appId: w.app.id, until: null }])
  expect(alarmed?.sprayAlarmSince).not.toBeNull()
  expect(await openAlarms(w)).toEqual([])
  expect((await w.apps.get(w.app.id))?.sprayAlarmSince).toBeNull()
  expect(events()).toEqual(['alarm_raised', 'alarm_cleared'])
  expect(lines[0]).toMatchObject({ alarm: 'spray', app_id: w.app.id })
  const query = { appId: w.app.id, type: null, limit: 2, cursor: null }
  const { items } = await w.events.list(query)
  expect(items.map(({ type, data }) => [type, data])).toEqual([
    ['alarm.cleared', { kind: 'spray' }],
    ['alarm.raised', { kind: 'spray', checks: 51, failures: 51 }],
  ])
})

test('refusals of many recipients raise an alarm of the endpoint, and an hour with fewer clears it', async () => {
  const w = await world()
  const { ports, events } = observed(w)
  const { timers, pass } = steppedTimers()
  const watch = createRefusalWatch({ ...ports, timers })
  const [endpoint] = w.app.endpoints
  const refuse = async (count: number) => {
    for (let index = 0; index < count; index++) {
      const command = startCommand({ appId: w.app.id, now: w.clock.now() })
      await w.verifications.start(command)
      const counted = { endpointId: endpoint?.id ?? '', isRefusal: true }
      await w.deliveries.settle(settleCommand(command, { counted, now: w.clock.now() }))
    }
  }
  await refuse(20)
  watch.start()
  await pass(10)
  const atTwenty = await openAlarms(w)
  await refuse(1)
  await pass(10_000)
  const above = await openAlarms(w)
  await pass(10_000)
  w.clock.advance(3_660_000)
  await pass(10_000)
  await watch.stop()

  expect(atTwenty).toEqual([])
  const place = { kind: 'recipients_refused', appId: w.app.id, endpointId: endpoint?.id ?? null }
  expect(above).toMatchObject([{ ...place, until: null }])
  expect(await openAlarms(w)).toEqual([])
  expect(events()).toEqual(['alarm_raised', 'alarm_cleared'])
})

test.each([
  ['forward', 6_000],
  ['back', -6_000],
  ['by a year', 31_536_000_000],
])(
  'a clock that steps %s raises an alarm that an hour without a step clears',
  async (_, step) => {
    const w = await world()
    const { ports, events, lines } = observed(w)
    const { timers, pass } = steppedTimers()
    const clock = { now: () => w.clock.now() + timers.monotonic() }
    const watch = createClockWatch({ ...ports, timers, clock })
    watch.start()
    await pass(3_000)
    w.clock.advance(4_000)
    await pass(3_000)
    const before = await openAlarms(w)
    w.clock.advance(step)
    await pass(2_000)
    const after = await openAlarms(w)
    await pass(3_590_000)
    const later = await openAlarms(w)
    await pass(15_000)
    await watch.stop()

    expect(before).toEqual([])
    expect(after).toMatchObject([{ kind: 'clock_stepped', appId: null }])
    expect(later).toHaveLength(1)
    expect(await openAlarms(w)).toEqual([])
    expect(events()).toEqual(['clock_stepped', 'alarm_raised', 'alarm_cleared'])
    expect(lines[0]).toMatchObject({ detail: `by ${step / 1000} s` })
  },
  30_000,
)

test('one node watches at a time, and another takes over when it is silent for three runs', async () => {
  const w = await world()
  const { timers, pass } = steppedTimers()
  const { log } = observed(w)
  const asked: string[] = []
  const watchOf = (node: string) => {
    const stats = {
      ...w.stats,
      failures: async () => {
        asked.push(node)
        return []
      },
    }
    return createSprayWatch({ ...w, log, timers, node, stats })
  }
  const [first, second] = [watchOf('a'), watchOf('b')]
  first.start()
  await pass(1)
  second.start()
  for (let run = 0; run < 3; run++) {
    w.clock.advance(10_000)
    await pass(10_000)
  }
  expect(new Set(asked)).toEqual(new Set(['a']))

  await first.stop()
  w.clock.advance(29_000)
  await pass(10_000)
  expect(new Set(asked)).toEqual(new Set(['a']))
  w.clock.advance(2_000)
  await pass(10_000)
  await second.stop()

  expect(asked.at(-1)).toBe('b')
})

test('a node has been seen at the time before its last sign of life that was stored', async () => {
  const w = await world()
  const { timers, pass } = steppedTimers()
  let fails = false
  const nodes = {
    ...w.nodes,
    beat: async () => {
      await pass(100)
      if (fails) throw new Error('the database is gone')
    },
  }
  const about = async () => ({ keysetVersion: 1, nextKeyId: null })
  const { beat, seenAt } = createSigns({ ...w, timers, nodes, about })
  expect(seenAt()).toBe(Number.NEGATIVE_INFINITY)

  await beat()
  const first = timers.monotonic() - 100
  expect(seenAt()).toBe(first)
  fails = true
  await beat().catch(() => {})

  expect(seenAt()).toBe(first)
})

test('a node counts itself and those that have shown themselves of late', async () => {
  const w = await world()
  const about = async () => ({ keysetVersion: 1, nextKeyId: null })
  const { timers } = steppedTimers()
  const { beat, live } = createSigns({ ...w, timers, node: 'a', about })
  const other = (id: string) =>
    w.nodes.beat({ id, seenAt: w.clock.now(), keysetVersion: 1, nextKeyId: null })
  expect(live()).toBe(1)

  await other('b')
  await other('c')
  await beat()
  expect(live()).toBe(3)
  w.clock.advance(silentMs - 1)
  await other('c')
  await beat()
  expect(live()).toBe(3)
  w.clock.advance(1)
  await beat()

  expect(live()).toBe(2)
})

test('settings that differ are warned of once, until other ones differ', async () => {
  const warned: unknown[] = []
  const log = createLog({
    level: 'warn',
    write: (line) => void warned.push(JSON.parse(line)),
    clock: { now: () => 0 },
  })
  const look = createSettingsWatch({ log })
  const node = (settings: Record<string, string>) => {
    return { id: 'a', seenAt: 0, keysetVersion: 1, nextKeyId: null, settings }
  }
  const [one, other, third] = [
    { A: '1', B: '1' },
    { A: '2', B: '1' },
    { A: '2', B: '2' },
  ].map(node)
  if (!one || !other || !third) throw new Error('three nodes')

  for (const seen of [[one], [one, other], [other, one], [one, third], [one], [one, other]])
    look(seen)

  expect(warned).toEqual(
    ['A', 'A, B', 'A'].map((detail) =>
      expect.objectContaining({ event: 'settings_differ', detail }),
    ),
  )
})

test('every five seconds a node is marked as seen, and metrics get the alarms that are on', async () => {
  const w = await world()
  const { ports, metrics } = observed(w)
  const { timers, pass } = steppedTimers()
  let beats = 0
  let isDamaged = false
  let lost = 0
  const watch = createBeat({
    ...{ ...ports, timers },
    beat: async () => void beats++,
    isDamaged: () => isDamaged,
    lostLines: () => lost,
  })
  const place = { kind: 'clock_stepped', appId: null, endpointId: null } as const
  await w.alarms.raise({ ...place, now: w.clock.now(), event: 'alarm.raised', data: {} })
  watch.start()
  await pass(5_010)
  const first = metrics.render()
  isDamaged = true
  lost = 7
  await w.alarms.clear({ ...place, now: w.clock.now(), event: 'alarm.cleared', data: {} })
  await pass(10_000)
  await watch.stop()

  expect(beats).toBe(4)
  expect(first).toContain('otpmint_alarms{kind="clock_stepped"} 1')
  expect(first).toContain('otpmint_alarms{kind="database_damaged"} 0')
  const last = metrics.render()
  expect(last).toContain('otpmint_alarms{kind="clock_stepped"} 0')
  expect(last).toContain('otpmint_alarms{kind="database_damaged"} 1')
  expect(last).toContain('otpmint_log_lost_total{stream="stdout"} 7')
})

test('few used codes of a country raise an alarm, and the alarm of a spent day ends with it', async () => {
  const w = await world()
  const { ports, events } = observed(w)
  const { timers, pass } = steppedTimers()
  const watch = createSpendingWatch({ ...ports, timers })
  const send = async (country: string, count: number, approved: number) => {
    for (let index = 0; index < count; index++) {
      const command = startCommand({ appId: w.app.id, now: w.clock.now() })
      await w.verifications.start(command)
      const { id: verificationId, appId, mode } = command.verification
      const at = { now: w.clock.now(), day: Math.floor(w.clock.now() / dayMs) }
      const charge = { appId, mode, verificationId, limits: [], cost: 0, costMax: 0, country }
      await w.spending.charge({ ...charge, ...at })
      if (index >= approved) continue
      await w.verifications.chargeAttempt(attempt(command, true, { now: w.clock.now() }))
    }
  }
  const after = async (ms: number) => {
    w.clock.advance(ms)
    await pass(60_000)
    return (await openAlarms(w)).map(({ kind }) => kind)
  }
  watch.start()
  await send('DE', 60, 40)
  await send('LV', 49, 0)
  expect(await after(660_000)).toEqual([])

  await send('LV', 1, 0)
  // Who just got a code may still type it.
  expect(await after(60_000)).toEqual([])
  expect(await after(1_260_000)).toEqual(['conversion_low'])
  const place = { kind: 'cost_capped', appId: w.app.id, endpointId: null } as const
  await w.alarms.raise({ ...place, now: w.clock.now(), event: 'alarm.raised', data: {} })
  expect(await after(60_000)).toEqual(['cost_capped', 'conversion_low'])
  expect(await after(dayMs + 660_000)).toEqual([])
  await watch.stop()
  expect(events()).toContain('alarm_cleared')
})

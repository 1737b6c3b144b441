import { expect, setDefaultTimeout, test } from 'bun:test'
import { alarmAdvice, alarmKinds, raiseAlarm } from '../../src/domain/alarm.ts'
import {
  allApps,
  type Figure,
  newFigure,
  otherValue,
  type Part,
  recipientsMin,
} from '../../src/domain/figures/count.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import { noon, times } from '../support/commands.ts'
import { adminToken, type Site, site } from './fixture.ts'

setDefaultTimeout(30_000)

const today = Math.floor(noon / dayMs) * dayMs
const none = { started: 0, handed_over: 0, approved: 0, failed: 0 }

const overview = (at: Site, query = '') =>
  at.call('GET', `/v1/overview${query}`, { token: adminToken })

type Place = { part: Part; value?: string; spanMs?: number; at?: number; scope?: string }

/** A figure of as many verifications, of which half were approved. */
function figure({ part, value = '', ...place }: Place, started: number): Figure {
  const slot = { scope: allApps, spanMs: hourMs, at: noon, ...place }
  const counts = { started, handedOver: started, approved: started / 2, failed: 0 }
  const times = { handOverTimes: { 16: started }, approvalTimes: { 35: started / 2 } }
  return { ...newFigure({ ...slot, part, value }), ...counts, ...times, recipients: null }
}

async function keep({ figures }: Site, given: Figure[]) {
  const known = await figures.state()
  const state = { after: '', afterEvent: 0, countedUntil: noon }
  const expectedVersion = known?.version ?? 0
  await figures.write({ expectedVersion, state, figures: given, removed: [] })
}

test('before anything was counted every bucket is there, with nothing in it', async () => {
  const at = await site()
  const { json } = await overview(at)

  expect(json.series).toHaveLength(24)
  expect(json.series.at(-1)).toMatchObject({ at: '2026-06-15T12:00:00.000Z', ...none })
  expect(json.total).toEqual({
    ...none,
    conversion_percent: null,
    hand_over_ms: null,
    approval_ms: null,
  })
  expect(json.by).toEqual({ app: [], channel: [], locale: [], domain: [] })
})

test('each range has its buckets up to now, and sums what is in them', async () => {
  const at = await site()
  const spans = { hour: 300_000, day: hourMs, week: hourMs, month: dayMs, year: dayMs }
  const buckets = { hour: 12, day: 24, week: 168, month: 30, year: 396 }
  const total = (spanMs: number, start: number, started: number) =>
    figure({ part: 'total', spanMs, at: start }, started)
  await keep(at, [
    ...[300_000, hourMs].flatMap((spanMs) => [
      total(spanMs, noon, 2),
      total(spanMs, noon - hourMs, 4),
      total(spanMs, noon - 6 * dayMs, 8),
    ]),
    ...[total(dayMs, today, 6), total(dayMs, today - 29 * dayMs, 16)],
    ...[total(dayMs, today - 395 * dayMs, 32), total(dayMs, today - 396 * dayMs, 64)],
  ])
  const expected = { hour: 2, day: 6, week: 14, month: 22, year: 54 }

  for (const range of ['hour', 'day', 'week', 'month', 'year'] as const) {
    const { json } = await overview(at, `?range=${range}`)
    expect([range, json.series.length, json.bucket_seconds * 1000, json.total.started]).toEqual([
      range,
      buckets[range],
      spans[range],
      expected[range],
    ])
    const sum = json.series.reduce((all: number, each: typeof none) => all + each.started, 0)
    expect(sum).toBe(json.total.started)
    expect(json.total.conversion_percent).toBe(50)
    expect(json.total.hand_over_ms).toEqual({ p50: 320, p95: 352 })
  }
})

test('the twenty largest domains are named where they had enough recipients, and no other', async () => {
  const at = await site()
  const large = times(25, (index) => [`large${index}.example`, 100 - 2 * index] as const)
  const small = ['small.example', 400] as const
  await keep(at, [
    ...[...large, small].flatMap(([value, started]) => [
      figure({ part: 'domain', value }, started),
      {
        ...figure({ part: 'domain', value, spanMs: dayMs, at: today }, started),
        recipients: value === small[0] ? times(recipientsMin - 1, String) : null,
      },
    ]),
    figure({ part: 'domain', value: otherValue }, 10),
  ])

  for (const range of ['day', 'week', 'month', 'year']) {
    const { json, text } = await overview(at, `?range=${range}`)
    expect(text).not.toContain('small.example')
    expect(json.by.domain.map(({ value }: { value: string }) => value)).toEqual([
      ...large.slice(0, 20).map(([value]) => value),
      otherValue,
    ])
    const others = large.slice(20).reduce((sum, [, started]) => sum + started, 0)
    const inHours = range === 'day' || range === 'week' ? 10 : 0
    expect(json.by.domain.at(-1).started).toBe(400 + others + inHours)
  }
})

test('an app has figures of its own, and in those of all it is named while it is there', async () => {
  const at = await site()
  const { id } = at.app
  const gone = '0000000000000000000000'
  await keep(at, [
    figure({ part: 'app', value: id }, 6),
    figure({ part: 'app', value: gone }, 4),
    figure({ part: 'total' }, 10),
    figure({ part: 'total', scope: id }, 6),
  ])
  const [all, own] = [await overview(at), await overview(at, `?app=${id}`)]

  expect(all.json.total.started).toBe(10)
  expect(all.json.by.app).toMatchObject([
    { value: id, name: 'Acme', started: 6 },
    { value: gone, name: null, started: 4 },
  ])
  expect(own.json).toMatchObject({ app: id, total: { started: 6 } })
  expect(Object.keys(own.json.by)).toEqual(['channel', 'locale', 'domain'])
})

test('an unknown app and an odd range are refused by name, and echoed nowhere', async () => {
  const at = await site()
  const unknown = await overview(at, '?app=zzzzzzzzzzzzzzzzzzzzzz')
  const odd = await overview(at, '?range=decade')

  expect([unknown.status, unknown.json.code]).toEqual([404, 'app_not_found'])
  expect([odd.status, odd.json.errors[0].field]).toEqual([422, 'range'])
  expect(unknown.text + odd.text).not.toMatch(/zzzz|decade/)
})

test('every alarm says what to do about it, in a sentence', async () => {
  const at = await site()
  for (const kind of alarmKinds) {
    await raiseAlarm({ ...at, ...at.ports }, { kind, appId: null, endpointId: null })
  }
  const { json } = await at.call('GET', '/v1/alarms?limit=100', { token: adminToken })

  expect(json.items).toHaveLength(alarmKinds.length)
  for (const { kind, what_to_do } of json.items) {
    expect(what_to_do).toBe(alarmAdvice[kind as keyof typeof alarmAdvice])
    expect(what_to_do).toMatch(/^[A-Z].{20,160}\.$/)
  }
})

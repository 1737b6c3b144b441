import { expect, test } from 'bun:test'
import { ends, type Figure, newFigure, type Slot } from '../../src/domain/figures/count.ts'
import type { FigureState, WriteFigures } from '../../src/domain/figures/store.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import {
  addPlainApp,
  attempt,
  cancelCommand,
  keyOf,
  noon,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
  tryOf,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const everyone = { after: '', before: 'z', limit: 100 }
const all = { after: 0, ends, limit: 100 }
const state: FigureState = { after: 'x', afterEvent: 7, countedUntil: noon }
const slot: Slot = { scope: '', spanMs: hourMs, at: noon }

function figure(change: Partial<Figure> = {}): Figure {
  return {
    ...newFigure({ ...slot, part: 'total', value: '' }),
    ...{ started: 3, handedOver: 2, approved: 1, failed: 1 },
    ...{ handOverTimes: { 4: 2 }, approvalTimes: { 30: 1 }, recipients: null },
    ...change,
  }
}

function command(change: Partial<WriteFigures> = {}): WriteFigures {
  return { expectedVersion: 0, state, figures: [], removed: [], ...change }
}

const between = (change: Partial<Slot & { part: 'channel' | null }> = {}) => {
  return { scope: '', spanMs: hourMs, part: null, from: 0, to: noon + dayMs, ...change }
}

const byPart = (a: Figure, b: Figure) => a.part.localeCompare(b.part)
const bySpan = (a: Figure, b: Figure) => a.spanMs - b.spanMs

/** Tests what a store promises about the figures of the overview. */
export function figureContract(open: OpenStores): void {
  test('verifications of every app and mode are read by id, with their first hand-over', async () => {
    const stores = await open()
    const first = startCommand({ now: noon })
    const second = startCommand({ now: noon + 1, appId: 'another', mode: 'test' })
    const third = startCommand({ now: noon + 2 })
    for (const each of [third, first, second]) await stores.verifications.start(each)
    const deferred = tryOf({ at: noon + 5, status: 'deferred', cause: 'network' })
    const again = { endpointId: 'endpoint', at: noon, lease: null }
    await stores.deliveries.settle(settleCommand(first, { made: deferred, again }))
    const sent = tryOf({ number: 2, at: noon + 700, tookMs: 50 })
    await stores.deliveries.settle(settleCommand(first, { made: sent }))
    const maybe = tryOf({ at: noon + 9, tookMs: 1, status: 'deferred', ambiguous: true })
    await stores.deliveries.settle(settleCommand(second, { made: maybe, again }))

    const begun = await stores.figures.started(everyone)
    expect(begun).toEqual([
      {
        ...{ id: first.verification.id, appId: 'app', mode: 'live', createdAt: noon },
        ...{ channel: 'email', to: 'a***@example.com', locale: null, status: 'pending' },
        ...{ deliveryStatus: 'sent', handedOverAt: noon + 750 },
        recipientKey: first.recipients[0]?.limits[0]?.key ?? new Uint8Array(),
      },
      expect.objectContaining({ appId: 'another', mode: 'test', handedOverAt: noon + 10 }),
      expect.objectContaining({ id: third.verification.id, handedOverAt: null }),
    ])
    const { id } = first.verification
    expect(await stores.figures.started({ ...everyone, after: id, limit: 1 })).toEqual(
      begun.slice(1, 2),
    )
    expect(await stores.figures.started({ ...everyone, before: id })).toEqual([])
  })

  test('a verification is read with the channel that it began with', async () => {
    const stores = await open()
    const route = [
      { channel: 'sms', recipient: 1, endpointId: 'one' },
      { channel: 'email', recipient: 0, endpointId: 'two' },
    ] as const
    const start = startCommand({ further: [{ masked: '+49***99' }], route: [...route] })
    await stores.verifications.start(start)

    const begun = await stores.figures.started(everyone)
    expect(begun).toMatchObject([{ channel: 'sms', to: '+49***99' }])
  })

  test('events are read in their order, each end with its verification', async () => {
    const stores = await open()
    const [first, second, third] = times(3, (index) => startCommand({ now: noon + index }))
    if (!first || !second || !third) throw new Error('too few')
    for (const each of [first, second, third]) await stores.verifications.start(each)
    await stores.deliveries.settle(settleCommand(first))
    await stores.verifications.chargeAttempt(attempt(first, true, { now: noon + 60_000 }))
    await stores.verifications.cancel(cancelCommand(second, noon + 61_000))
    await stores.maintenance.sweep(sweepCommand(noon + dayMs))

    const read = await stores.figures.ended(all)
    expect(read.map(({ at, verification }) => [at, verification?.id])).toEqual([
      [noon, undefined],
      [noon + 60_000, first.verification.id],
      [noon + 61_000, second.verification.id],
      [noon + dayMs, third.verification.id],
    ])
    expect(read[1]?.verification).toMatchObject({ status: 'approved', handedOverAt: noon + 12 })
    expect(read[2]?.verification).toMatchObject({ status: 'canceled', handedOverAt: null })
    const after = read[0]?.id ?? 0
    expect(await stores.figures.ended({ ...all, after, limit: 1 })).toEqual(read.slice(1, 2))
  })

  test('a verification that is spent has ended once, and does not expire as well', async () => {
    const stores = await open()
    const start = startCommand({ attemptsMax: 1 })
    await stores.verifications.start(start)
    await stores.verifications.chargeAttempt(attempt(start, false))
    await stores.maintenance.sweep(sweepCommand(noon + dayMs))

    const read = await stores.figures.ended(all)
    expect(read.filter(({ verification }) => verification)).toHaveLength(1)
  })

  test('figures are replaced and removed with the position, by one of those that write at once', async () => {
    const { figures } = await open()
    const key = { ...slot, part: 'channel', value: 'sms' } as const
    const given = [figure(), figure({ ...key, recipients: ['ab', 'cd'] })]

    expect(await figures.state()).toBeNull()
    const first = times(2, () => figures.write(command({ figures: given })))
    expect((await Promise.all(first)).toSorted()).toEqual([false, true])
    expect(await figures.state()).toEqual({ version: 1, ...state })
    expect((await figures.of([slot])).sort(byPart)).toEqual(given.sort(byPart))
    const more = figure({ started: 9, approvalTimes: {} })
    const next = command({ expectedVersion: 1, figures: [more], removed: [key] })
    next.state = { after: 'y', afterEvent: 8, countedUntil: noon + 1 }
    const results = await Promise.all(times(3, () => figures.write(next)))
    expect(results.toSorted()).toEqual([false, false, true])
    expect(await figures.state()).toEqual({ version: 2, ...next.state })
    expect(await figures.of([slot])).toEqual([more])
  })

  test('figures of a range are read for one scope and span, all parts or one', async () => {
    const stores = await open()
    const { figures } = stores
    const { id: scope } = await addPlainApp(stores)
    const given = [
      figure({ at: noon - hourMs }),
      figure({ at: noon - hourMs, part: 'channel', value: 'sms' }),
      figure({ at: noon }),
    ]
    const others = [figure({ scope }), figure({ spanMs: dayMs }), figure({ scope: 'gone' })]
    await figures.write(command({ figures: [...given, ...others] }))

    const inOrder = [given[1], given[0], given[2]]
    expect(await figures.between(between())).toEqual(inOrder as Figure[])
    expect(await figures.between(between({ part: 'channel' }))).toEqual(given.slice(1, 2))
    expect(await figures.between({ ...between(), to: noon })).toHaveLength(2)
    expect(await figures.between({ ...between(), from: noon })).toEqual(given.slice(2))
    expect(await figures.between(between({ scope }))).toEqual(others.slice(0, 1))
    expect(await figures.of([{ ...slot, scope: 'gone' }])).toEqual([])
    const slots = [
      { ...slot, scope },
      { ...slot, spanMs: dayMs },
    ]
    expect((await figures.of(slots)).sort(bySpan)).toEqual(others.slice(0, 2))
  })

  test('slots that name recipients are found while they do', async () => {
    const { figures } = await open()
    const small = { part: 'domain', spanMs: dayMs, recipients: ['ab'] } as const
    const given = [
      figure({ ...small, recipients: ['ab'], at: noon - dayMs, value: 'a.test' }),
      figure({ ...small, recipients: ['cd'], at: noon - dayMs, value: 'b.test' }),
      figure({ ...small, recipients: null, at: noon - 2 * dayMs, value: 'c.test' }),
      figure({ ...small, recipients: ['ef'], at: noon, value: 'a.test' }),
    ]
    await figures.write(command({ figures: given }))

    const found = await figures.withRecipients({ before: noon, limit: 10 })
    expect(found).toEqual([{ scope: '', spanMs: dayMs, at: noon - dayMs }])
    expect(await figures.withRecipients({ before: noon + 1, limit: 10 })).toHaveLength(2)
  })

  test('old figures are swept by their span, and those of an app go with it', async () => {
    const stores = await open()
    const { figures, maintenance } = stores
    const { id: scope } = await addPlainApp(stores)
    const old = [hourMs, dayMs].flatMap((spanMs) =>
      times(3, (index) => figure({ spanMs, at: noon - index * dayMs })),
    )
    await figures.write(command({ figures: [...old, figure({ scope })] }))
    const sweep = sweepCommand(noon, {
      figuresBefore: [
        { spanMs: hourMs, before: noon },
        { spanMs: dayMs, before: noon - dayMs },
      ],
    })

    expect((await maintenance.sweep({ ...sweep, limit: 1 })).rows).toBe(2)
    expect((await maintenance.sweep(sweep)).rows).toBe(1)
    expect((await maintenance.sweep(sweep)).rows).toBe(0)
    expect(await figures.between(between())).toHaveLength(1)
    expect(await figures.between(between({ spanMs: dayMs }))).toHaveLength(2)
    await withAudit(stores, (audit) => stores.apps.remove(scope, audit))
    expect(await figures.between(between({ scope }))).toEqual([])
    expect(await figures.between(between())).toHaveLength(1)
  })

  test('an end whose verification is gone counts for nothing', async () => {
    const stores: Stores = await open()
    const start = startCommand()
    await stores.verifications.start(start)
    const { appId, id: verificationId } = keyOf(start)
    const told = { at: noon, type: 'verification.expired', data: {} } as const
    await stores.events.add({ ...told, appId, verificationId: 'unknown' })
    await stores.events.add({ ...told, appId, verificationId })

    const read = await stores.figures.ended(all)
    expect(read.map(({ verification }) => verification?.id)).toEqual([undefined, verificationId])
  })
}

import { expect, test } from 'bun:test'
import { type Charge, conversionSpan, countrySlotMs } from '../../src/domain/delivery/spending.ts'
import { dayMs, hourMs, type LimitRow } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import {
  attempt,
  bytes,
  keyOf,
  newRequest,
  noon,
  startCommand,
  sweepCommand,
  times,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const today = Math.floor(noon / dayMs)

function chargeOf(change: Partial<Charge> = {}): Charge {
  return {
    ...{ appId: 'app', mode: 'live', verificationId: 'none', limits: [], country: null },
    ...{ cost: 7, costMax: 1_000, day: today, now: noon },
    ...change,
  }
}

const limitRow = (
  name: 'phone_prefix' | 'phone_country',
  max: number,
  key = bytes(32),
): LimitRow => ({
  key,
  rates: [{ name, max, windowMs: hourMs }],
})

const handedOver = (command: StartCommand, change: Partial<Charge> = {}) => {
  const { id: verificationId, appId, mode } = command.verification
  return chargeOf({ appId, mode, verificationId, country: 'DE', cost: 0, ...change })
}

/** Tests the rules of costs and caps that every store follows. */
export function spendingContract(open: OpenStores): void {
  test('200 hand-overs at once spend exactly what a day allows, on each day and by each app', async () => {
    const { spending } = await open()

    const results = await Promise.all(times(200, () => spending.charge(chargeOf())))

    expect(results.filter(({ outcome }) => outcome === 'charged')).toHaveLength(142)
    expect(results.filter(({ outcome }) => outcome === 'costly')).toHaveLength(58)
    // 6 are left, so what costs no more may still go.
    expect(await spending.charge(chargeOf({ cost: 6 }))).toEqual({ outcome: 'charged' })
    expect(await spending.charge(chargeOf({ cost: 1 }))).toEqual({ outcome: 'costly' })
    expect(await spending.charge(chargeOf({ cost: 0 }))).toEqual({ outcome: 'charged' })
    expect(await spending.charge(chargeOf({ day: today + 1 }))).toEqual({ outcome: 'charged' })
    expect(await spending.charge(chargeOf({ appId: 'other' }))).toEqual({ outcome: 'charged' })
  })

  test('what a gateway did not take is given back once, and never more than was spent', async () => {
    const { spending } = await open()
    const all = { cost: 1_000 }
    await spending.charge(chargeOf(all))
    expect(await spending.charge(chargeOf(all))).toEqual({ outcome: 'costly' })

    await spending.giveBack({ appId: 'app', day: today, cost: 1_000 })
    expect(await spending.charge(chargeOf(all))).toEqual({ outcome: 'charged' })

    await Promise.all(times(5, () => spending.giveBack({ appId: 'app', day: today, cost: 1_000 })))
    const again = await Promise.all(times(5, () => spending.charge(chargeOf(all))))
    expect(again.filter(({ outcome }) => outcome === 'charged')).toHaveLength(1)
    await spending.giveBack({ appId: 'nobody', day: today, cost: 1 })
  })

  test('200 hand-overs at once to one block of numbers get exactly its limit, and the rest spend nothing', async () => {
    const { spending } = await open()
    const limits = [limitRow('phone_prefix', 30), limitRow('phone_country', 500)]

    const results = await Promise.all(times(200, () => spending.charge(chargeOf({ limits }))))

    expect(results.filter(({ outcome }) => outcome === 'charged')).toHaveLength(30)
    const limited = { outcome: 'limited', limit: 'phone_prefix' } as const
    expect(results.filter(({ outcome }) => outcome === 'limited')[0]).toEqual(limited)
    // 30 times 7 are spent: the refused ones have taken neither cost nor the country's limit.
    expect(await spending.charge(chargeOf({ cost: 790 }))).toEqual({ outcome: 'charged' })
    expect(await spending.charge(chargeOf({ cost: 1 }))).toEqual({ outcome: 'costly' })
    const country = limits.slice(1)
    const free = await Promise.all(
      times(500, () => spending.charge(chargeOf({ cost: 0, limits: country }))),
    )
    expect(free.filter(({ outcome }) => outcome === 'charged')).toHaveLength(470)
  })

  test('a hand-over that costs too much takes from no limit', async () => {
    const { spending } = await open()
    const limits = [limitRow('phone_prefix', 1)]

    expect(await spending.charge(chargeOf({ limits, cost: 1_001 }))).toEqual({ outcome: 'costly' })
    expect(await spending.charge(chargeOf({ limits }))).toEqual({ outcome: 'charged' })
    expect(await spending.charge(chargeOf({ limits }))).toMatchObject({ outcome: 'limited' })
    const later = noon + hourMs
    expect(await spending.charge(chargeOf({ limits, now: later }))).toEqual({ outcome: 'charged' })
  })

  test('a verification counts once for its country, and as approved at the time of its hand-over', async () => {
    const { verifications, spending } = await open()
    const [one, two, three] = times(3, () => startCommand())
    if (!one || !two || !three) throw new Error('no commands')
    for (const command of [one, two, three]) await verifications.start(command)
    for (const command of [one, one, two]) await spending.charge(handedOver(command))
    await spending.charge(handedOver(three, { country: 'AT', now: noon + countrySlotMs }))
    await verifications.chargeAttempt(attempt(one, true, { now: noon + 60_000 }))
    await verifications.chargeAttempt(attempt(three, false))
    const from = noon - countrySlotMs
    const found = (to: number) => spending.conversions({ from, to })

    expect(await found(noon + countrySlotMs)).toEqual([
      { appId: 'app', country: 'DE', handed: 2, approved: 1 },
    ])
    expect(await found(noon + 2 * countrySlotMs)).toEqual([
      { appId: 'app', country: 'AT', handed: 1, approved: 0 },
      { appId: 'app', country: 'DE', handed: 2, approved: 1 },
    ])
    expect(await found(noon)).toEqual([])
    expect((await verifications.get(keyOf(one)))?.status).toBe('approved')
    const { to } = conversionSpan(noon)
    expect(to).toBe(noon - countrySlotMs)
  })

  test('an approval with an Idempotency-Key counts once, as any other', async () => {
    const { verifications, spending, stats, events } = await open()
    const command = startCommand()
    await verifications.start(command)
    await spending.charge(handedOver(command))
    const check = attempt(command, true, { idempotency: newRequest() })

    for (const _ of times(3, () => null)) await verifications.chargeAttempt(check)

    const to = noon + countrySlotMs
    const span = { from: noon - countrySlotMs, to }
    expect(await spending.conversions(span)).toMatchObject([{ handed: 1, approved: 1 }])
    const [counted] = await stats.read({ appId: 'app', from: noon, to, bucketMs: countrySlotMs })
    expect(counted).toMatchObject({ checks: 1, approvals: 1, failures: 0 })
    const { items } = await events.list({ appId: 'app', type: null, limit: 9, cursor: null })
    expect(items.map(({ type }) => type)).toEqual(['verification.approved'])
  })

  test('costs and counts by country are swept when they are of no use any more', async () => {
    const { verifications, spending, maintenance } = await open()
    const command = startCommand()
    await verifications.start(command)
    await spending.charge(handedOver(command, { cost: 1_000 }))

    await maintenance.sweep(sweepCommand(noon, { spendingBefore: noon }))
    expect(await spending.charge(chargeOf())).toEqual({ outcome: 'costly' })
    await maintenance.sweep(sweepCommand(noon, { spendingBefore: noon + dayMs }))

    expect(await spending.charge(chargeOf())).toEqual({ outcome: 'charged' })
    expect(await spending.conversions({ from: 0, to: noon + dayMs })).toEqual([])
  })
}

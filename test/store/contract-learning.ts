import { expect, test } from 'bun:test'
import type { Chosen } from '../../src/domain/learning/chosen.ts'
import type { Scores } from '../../src/domain/learning/scores.ts'
import type { CountCommand } from '../../src/domain/learning/store.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import type { StartCommand } from '../../src/domain/verification/stores.ts'
import {
  addPlainApp,
  attempt,
  bytes,
  keyOf,
  noon,
  plainApp,
  type StartOptions,
  settleCommand,
  startCommand,
  sweepCommand,
  times,
  tryOf,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const today = Math.floor(noon / dayMs)

const chosen: Chosen = {
  groups: { email: 'example.com' },
  options: [
    { channel: 'email', endpointId: 'one', approvedPercent: 83, cost: null },
    { channel: 'email', endpointId: 'two', approvedPercent: null, cost: 7 },
  ],
}

/** A start whose endpoint was chosen. */
function chosenStart(options: StartOptions = {}): StartCommand {
  const command = startCommand({ endpointId: 'one', ...options })
  return { ...command, route: command.route.map((stop) => ({ ...stop, chosen })) }
}

const noScores: Scores = { day: today, groups: {} }

function countCommand(appId: string, change: Partial<CountCommand> = {}): CountCommand {
  return {
    appId,
    expectedVersion: 0,
    after: '',
    scores: noScores,
    seen: [],
    counts: [],
    folded: { from: 0, before: 0, groups: [], to: 'other' },
    ...change,
  }
}

const counted = (group: string, handedOver: number, approved: number, day = today) => {
  return { day, group, endpointId: 'one', handedOver, approved }
}

const everything = { appId: null, from: 0, to: today + 1000, limit: 100 }
const ofApp = (appId: string) => ({ appId, after: '', before: 'z', dayMs, limit: 100 })
const learner = (stores: Stores) =>
  addPlainApp(stores, plainApp({ policy: { learnedRoute: true } }))

/** Tests what a store promises about learned routes. */
export function learningContract(open: OpenStores): void {
  test('apps whose policy asks for a learned route are found, by id, with their version', async () => {
    const stores = await open()
    await addPlainApp(stores)
    await addPlainApp(stores, plainApp({ policy: { learnedRoute: false } }))
    const apps = await Promise.all(times(3, () => learner(stores)))
    const ids = apps.map(({ id }) => id).sort()
    await stores.learning.count(countCommand(ids[1] ?? ''))

    const all = await stores.learning.apps({ after: '', limit: 10 })
    expect(all).toEqual(ids.map((appId, index) => ({ appId, version: index === 1 ? 1 : 0 })))
    expect(await stores.learning.apps({ after: ids[0] ?? '', limit: 1 })).toEqual(all.slice(1, 2))

    const update = { expectedVersion: 1, policy: {}, updatedAt: noon }
    await withAudit(stores, (audit) => stores.apps.update(ids[0] ?? '', update, audit))
    expect(await stores.learning.apps({ after: '', limit: 10 })).toEqual(all.slice(1))
  })

  test('a delivery shows why its endpoint was chosen, and a claimed one knows it', async () => {
    const { verifications, deliveries } = await open()
    const command = chosenStart({ lease: null })
    await verifications.start(command)
    const lane = { appId: 'app', channel: 'email', endpointId: 'one' } as const
    const due = { node: 'a', now: noon, from: '', dueWithinMs: dayMs, silentSince: noon }

    expect(await deliveries.history(keyOf(command))).toMatchObject([{ chosen }])
    const claim = { ...due, lane, leaseUntil: noon + 1000, limit: 10 }
    expect(await deliveries.claim(claim)).toMatchObject([{ chosen }])
  })

  test('judged verifications are live ones of the app, in their order, with tries', async () => {
    const stores = await open()
    const [first, second] = [chosenStart({ now: noon }), chosenStart({ now: noon + 1 })]
    const others = [
      chosenStart({ now: noon + 2, appId: 'another' }),
      chosenStart({ now: noon + 2, mode: 'test' }),
      chosenStart({ now: noon + 3 }),
    ]
    for (const command of [second, first, ...others]) await stores.verifications.start(command)
    const refused = tryOf({ endpointId: 'one', status: 'refused', cause: 'login' })
    const again = { endpointId: 'two', at: noon, lease: null }
    await stores.deliveries.settle(settleCommand(first, { made: refused, again }))
    const sent = tryOf({ number: 2, endpointId: 'two', ambiguous: true })
    await stores.deliveries.settle(settleCommand(first, { made: sent }))
    await stores.verifications.chargeAttempt(attempt(first, true))

    const third = others[2]?.verification.id ?? ''
    const query = { ...ofApp('app'), before: third }
    const judged = await stores.learning.judged(query)
    const candidates = ['one', 'two'].map((endpointId) => ({ endpointId, group: 'example.com' }))
    const place = { group: 'example.com', candidates }
    expect(judged).toEqual([
      {
        id: first.verification.id,
        createdAt: noon,
        recipientKey: first.recipients[0]?.limits[0]?.key ?? bytes(0),
        isApproved: true,
        isSeen: false,
        tries: [
          { endpointId: 'one', status: 'refused', cause: 'login', ambiguous: false, ...place },
          { endpointId: 'two', status: 'sent', cause: null, ambiguous: true, ...place },
        ],
      },
      expect.objectContaining({ id: second.verification.id, isApproved: false, tries: [] }),
    ])
    expect(await stores.learning.judged({ ...query, limit: 1 })).toEqual(judged.slice(0, 1))
    const behind = { ...query, after: first.verification.id }
    expect(await stores.learning.judged(behind)).toEqual(judged.slice(1))
  })

  test('tries of deliveries whose endpoint was not chosen are not judged', async () => {
    const stores = await open()
    const command = startCommand()
    await stores.verifications.start(command)
    await stores.deliveries.settle(settleCommand(command))

    expect(await stores.learning.judged(ofApp('app'))).toMatchObject([{ tries: [] }])
  })

  test('a recipient that was counted is seen on that day of the app, and on no other', async () => {
    const stores = await open()
    const { id: appId } = await learner(stores)
    const recipientKey = bytes(32)
    const given = [
      chosenStart({ appId, recipientKey }),
      chosenStart({ appId, recipientKey, now: noon + dayMs }),
      chosenStart({ appId, now: noon + dayMs + 1 }),
    ]
    for (const command of given) await stores.verifications.start(command)
    await stores.learning.count(countCommand(appId, { seen: [{ day: today, recipientKey }] }))
    await stores.learning.count(
      countCommand(appId, { expectedVersion: 1, seen: [{ day: today, recipientKey }] }),
    )

    const judged = await stores.learning.judged(ofApp(appId))
    expect(judged.map(({ isSeen }) => isSeen)).toEqual([true, false, false])
  })

  test('counts are added once, unless the scores have changed meanwhile or the app is gone', async () => {
    const stores = await open()
    const { id: appId } = await learner(stores)
    const { learning } = stores
    const scores: Scores = {
      day: today,
      groups: { 'a.test': { recipients: ['ab'], arms: { one: { good: 1, bad: 0.5, recent: 1 } } } },
    }
    const first = countCommand(appId, { after: 'x', scores, counts: [counted('a.test', 3, 2)] })

    expect(await learning.scores(appId)).toBeNull()
    const firsts = await Promise.all(times(2, () => learning.count(first)))
    expect(firsts.toSorted()).toEqual([false, true])
    expect(await learning.scores(appId)).toEqual({ version: 1, after: 'x', scores })
    const second = { ...first, expectedVersion: 1, after: 'y', scores: noScores }
    const results = await Promise.all(times(3, () => learning.count(second)))
    expect(results.toSorted()).toEqual([false, false, true])
    expect(await learning.scores(appId)).toEqual({ version: 2, after: 'y', scores: noScores })
    expect(await learning.totals(everything)).toEqual([
      { appId, group: 'a.test', endpointId: 'one', handedOver: 6, approved: 4 },
    ])
    expect(await learning.count({ ...first, appId: 'gone' })).toBe(false)
  })

  test('totals add days from the first on, without the last, the greatest first', async () => {
    const stores = await open()
    const { learning } = stores
    const apps = await Promise.all(times(2, () => learner(stores)))
    const [one = '', two = ''] = apps.map(({ id }) => id)
    const days = [today - 2, today - 1, today].map((day) => counted('a.test', 2, 1, day))
    await learning.count(countCommand(one, { counts: [...days, counted('b.test', 9, 0)] }))
    await learning.count(countCommand(two, { counts: [counted('DE', 1, 1)] }))

    const row = (appId: string, group: string, handedOver: number, approved: number) => {
      return { appId, endpointId: 'one', group, handedOver, approved }
    }
    const all = [row(one, 'b.test', 9, 0), row(one, 'a.test', 6, 3), row(two, 'DE', 1, 1)]
    expect(await learning.totals(everything)).toEqual(all)
    expect(await learning.totals({ ...everything, limit: 2 })).toEqual(all.slice(0, 2))
    expect(await learning.totals({ ...everything, appId: two })).toEqual(all.slice(2))
    const before = { ...everything, from: today - 1, to: today }
    expect(await learning.totals(before)).toEqual([row(one, 'a.test', 2, 1)])
  })

  test('folded groups become one on each day of the range, and stay on others', async () => {
    const stores = await open()
    const { id: appId } = await learner(stores)
    const { learning } = stores
    const counts = [2, 1, 0].flatMap((before) =>
      ['a.test', 'b.test', 'c.test', 'other'].map((group) => {
        return counted(group, 2, 1, today - before)
      }),
    )
    await learning.count(countCommand(appId, { counts }))
    const folded = { from: today - 1, before: today, groups: ['a.test', 'b.test'], to: 'other' }
    await learning.count(countCommand(appId, { expectedVersion: 1, folded }))

    const on = async (day: number) => {
      const rows = await learning.totals({ appId, from: day, to: day + 1, limit: 10 })
      return rows.map(({ group, handedOver, approved }) => `${group} ${handedOver} ${approved}`)
    }
    const untouched = ['a.test 2 1', 'b.test 2 1', 'c.test 2 1', 'other 2 1']
    expect(await on(today - 2)).toEqual(untouched)
    expect(await on(today - 1)).toEqual(['other 6 3', 'c.test 2 1'])
    expect(await on(today)).toEqual(untouched)
  })

  test('old days and recipients are swept, and all of an app goes with it', async () => {
    const stores = await open()
    const { learning, maintenance } = stores
    const apps = await Promise.all(times(2, () => learner(stores)))
    const [one = '', two = ''] = apps.map(({ id }) => id)
    const seen = times(3, (index) => ({ day: today - index, recipientKey: bytes(32) }))
    const counts = [today - 1, today].map((day) => counted('a.test', 2, 1, day))
    for (const appId of [one, two]) await learning.count(countCommand(appId, { seen, counts }))
    const sweep = sweepCommand(noon, { learnedDaysBefore: today, learnedRecipientsBefore: today })

    expect((await maintenance.sweep({ ...sweep, limit: 1 })).rows).toBe(2)
    expect((await maintenance.sweep(sweep)).rows).toBe(4)
    expect((await maintenance.sweep(sweep)).rows).toBe(0)
    await withAudit(stores, (audit) => stores.apps.remove(one, audit))
    expect(await learning.scores(one)).toBeNull()
    expect((await learning.totals(everything)).map(({ appId }) => appId)).toEqual([two])
  })
}

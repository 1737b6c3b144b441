import { expect, setDefaultTimeout, test } from 'bun:test'
import type { DeferralCause } from '../../../src/domain/delivery/delivery.ts'
import {
  armsOf,
  countJudged,
  groupsKept,
  groupsMax,
  type Judged,
  type JudgedTry,
  otherGroup,
  type Scores,
  shownGroup,
} from '../../../src/domain/learning/scores.ts'
import { dayMs } from '../../../src/domain/verification/limits.ts'
import { noon, times } from '../../support/commands.ts'
import { group, type JudgedOptions, judgedOf, recipientKey } from './fixture.ts'

setDefaultTimeout(60_000)

const ids = new Set(['one', 'two'])
const count = (known: Scores | null, judged: Judged[]) => countJudged(known, judged, ids)
const shares = (scores: Scores, name: string) =>
  Object.fromEntries(
    Object.entries(armsOf(scores, name)).map(([id, { good, bad }]) => [id, good / (good + bad)]),
  )

/** Verifications of as many recipients. */
function many(amount: number, options: Partial<JudgedOptions> & { from?: number } = {}): Judged[] {
  const { from = 0, isApproved = true, ...rest } = options
  return times(amount, (index) =>
    judgedOf({ ...rest, isApproved, recipient: from + index, at: (rest.at ?? noon) + index }),
  )
}

const one = (tries: Partial<JudgedTry>[], isApproved: boolean): Judged => {
  const [like] = judgedOf({ recipient: 1, isApproved }).tries
  if (!like) throw new Error('no try')
  return {
    ...judgedOf({ recipient: 1, isApproved }),
    tries: tries.map((each) => ({ ...like, ...each })),
  }
}
const results = (tries: Partial<JudgedTry>[], isApproved: boolean) =>
  Object.fromEntries(
    count(null, [one(tries, isApproved)]).counts.map((row) => [row.endpointId, row.approved]),
  )

test('an approval counts for the endpoint that took the message last, and against the others', () => {
  const [first, second] = [{ endpointId: 'one' }, { endpointId: 'two' }]
  expect(results([first, second], true)).toEqual({ one: 0, two: 1 })
  expect(results([first, second, first], true)).toEqual({ one: 1, two: 0 })
  expect(results([first, second], false)).toEqual({ one: 0, two: 0 })
})

test('a refusal and a server that does not answer count against the endpoint, a busy one does not', () => {
  const second = { endpointId: 'two' }
  const refused = { status: 'refused', cause: 'login' } as const
  const deferred = (cause: DeferralCause, ambiguous = false) => {
    return { status: 'deferred', cause, ambiguous } as const
  }
  expect(results([refused, second], true)).toEqual({ one: 0, two: 1 })
  expect(results([deferred('network'), second], true)).toEqual({ one: 0, two: 1 })
  expect(results([deferred('busy'), second], true)).toEqual({ two: 1 })
  expect(results([deferred('greylisted'), {}], true)).toEqual({ one: 1 })
  expect(results([deferred('network', true)], true)).toEqual({ one: 1 })
  expect(results([refused], false)).toEqual({ one: 0 })
  expect(results([{ status: 'refused', cause: 'capped' }, second], true)).toEqual({ two: 1 })
  expect(results([], true)).toEqual({})
})

test('a recipient counts once a day, whether counted before or in the same run', () => {
  const again = judgedOf({ recipient: 1, isApproved: false, at: noon + 1 })
  const tomorrow = judgedOf({ recipient: 1, isApproved: false, at: noon + dayMs })
  const first = judgedOf({ recipient: 1, isApproved: true })

  const counted = count(null, [first, again, tomorrow])
  expect(counted.counts.map(({ handedOver, approved }) => [handedOver, approved])).toEqual([
    [1, 1],
    [1, 0],
  ])
  expect(counted.seen.map(({ day }) => day - Math.floor(noon / dayMs))).toEqual([0, 1])
  expect(count(null, [{ ...first, isSeen: true }]).counts).toEqual([])
})

test('a group is read as part of other until twenty recipients have counted in it', () => {
  const before = count(null, many(19))
  const repeated = count(before.scores, many(19, { at: noon + dayMs }))
  const after = count(repeated.scores, many(1, { from: 19, at: noon + dayMs + 20 }))

  for (const { scores } of [before, repeated]) {
    expect(armsOf(scores, group)).toBe(armsOf(scores, otherGroup))
    expect(armsOf(scores, group)).toBe(armsOf(scores, 'unheard.test'))
    expect(shownGroup(scores, group)).toBe(otherGroup)
  }
  expect(armsOf(after.scores, group)).not.toBe(armsOf(after.scores, otherGroup))
  expect(shownGroup(after.scores, group)).toBe(group)
})

test('older messages count less: the weight of a group stays below two hundred', () => {
  const { scores } = count(null, [
    ...many(2_000, { endpointId: 'one' }),
    ...many(200, { endpointId: 'two', from: 2_000, at: noon + 2_000 }),
  ])
  const { one: first, two: second } = armsOf(scores, group)

  expect(first?.good).toBeCloseTo(200 * Math.exp(-1), -1)
  expect(second?.good).toBeCloseTo(200 * (1 - Math.exp(-1)), -1)
})

test('only endpoints that were chosen among lose weight', () => {
  const known = count(null, many(100, { endpointId: 'one' })).scores
  const { scores } = count(known, many(100, { endpointId: 'two', candidates: ['two'], from: 100 }))

  expect(armsOf(scores, group)['one']).toEqual(armsOf(known, group)['one'])
})

test('an endpoint that delivers nothing any more loses its score within ten messages', () => {
  const known = count(null, many(500)).scores
  const { scores } = count(known, many(10, { isApproved: false, from: 500, at: noon + 500 }))

  expect(shares(known, group)['one']).toBe(1)
  expect(shares(scores, group)['one']).toBeLessThan(0.5)
})

test('what is known of an endpoint goes with it', () => {
  const known = count(null, many(30)).scores
  const { scores, counts } = countJudged(known, many(1, { from: 30 }), new Set(['two']))

  expect(armsOf(scores, group)).toEqual({})
  expect(counts).toEqual([])
})

test('a thousand verifications of one recipient move a score no more than one does', () => {
  const known = count(null, many(100)).scores
  const attack = times(1_000, (index) =>
    judgedOf({ recipient: 7_777, isApproved: false, at: noon + 100 + index }),
  )
  const attacked = count(known, attack).scores

  expect(attacked).toEqual(count(known, attack.slice(0, 1)).scores)
  const lost = (shares(known, group)['one'] ?? 0) - (shares(attacked, group)['one'] ?? 0)
  expect(lost).toBeGreaterThan(0)
  expect(lost).toBeLessThan(0.02)
})

test('ten thousand made-up domains move no score of a group, and take no more than its places', () => {
  const known = count(null, many(100)).scores
  const attack = times(10_000, (index) =>
    judgedOf({
      recipient: 1_000 + index,
      isApproved: false,
      group: `domain${index}.test`,
      at: noon + 100 + index,
    }),
  )
  const { scores, counts } = count(known, attack)

  expect(scores.groups[group]).toEqual(known.groups[group])
  const names = Object.keys(scores.groups).filter((name) => name !== otherGroup)
  expect(names.length).toBe(groupsMax)
  expect(new Set(counts.map((row) => row.group)).size).toBe(groupsMax)
  expect(JSON.stringify(scores).length).toBeLessThan(64_000)

  const next = count(scores, many(30, { from: 50_000, group: 'new.test', at: noon + dayMs }))
  expect(Object.keys(next.scores.groups).length).toBeLessThanOrEqual(groupsKept + 2)
  expect(next.scores.groups[group]).toEqual(known.groups[group])
  expect(shownGroup(next.scores, 'new.test')).toBe('new.test')
})

test('when a day is over, groups with too few recipients are folded into other', () => {
  const known = count(null, [
    ...many(30),
    ...many(3, { group: 'small.test', from: 30, at: noon + 30 }),
  ])
  const today = many(1, { from: 40, at: noon + dayMs })
  const { folded } = count(known.scores, today)

  expect(known.folded.groups).toEqual([])
  const day = Math.floor(noon / dayMs)
  expect(folded).toEqual({ from: day, before: day + 1, groups: ['small.test'] })
})

test('recipients are told apart by the start of their keys only', () => {
  const { scores } = count(null, many(3))
  const [kept = ''] = scores.groups[group]?.recipients ?? []

  expect(kept).toBe(Buffer.from(recipientKey(0).subarray(0, 6)).toString('hex'))
})

test('a day that a wrong clock has written ends with the next verification', () => {
  const small = many(3, { group: 'small.test' })
  const ahead = { ...count(null, small).scores, day: 99_999 }
  const { scores, folded } = count(ahead, many(1, { from: 10, at: noon + 10 }))

  expect(scores.day).toBe(Math.floor(noon / dayMs))
  expect(folded.groups).toEqual(['small.test'])
})

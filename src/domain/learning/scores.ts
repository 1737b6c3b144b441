import type { Cause } from '../delivery/delivery.ts'
import { dayMs } from '../verification/limits.ts'

/**
 * What an app has learned of its endpoints: for each group of recipients how often a message was
 * followed by an approval. A group is the domain of e-mail addresses or the country of telephone
 * numbers.
 */
export type Scores = {
  /** The day of the latest verification that is counted, in days since 1970 (UTC). */
  day: number
  groups: Record<string, Group>
}

export type Group = {
  /** The first recipients, by the start of their key; null once there are `recipientsMin`. */
  recipients: string[] | null
  /** By endpoint. */
  arms: Record<string, Arm>
}

/** Messages with and without approval, of which older ones count less, and the latest ones' share. */
export type Arm = { good: number; bad: number; recent: number }

/** The group of all recipients that have none of their own. */
export const otherGroup = 'other'
/** Days that counts are kept, and recipients that are not counted again. */
export const learnedDaysKept = 400
export const countedDaysKept = 2
/** The most groups that are told apart on one day. */
export const groupsMax = 200
/** Of them those that stay when a day ends, so that new ones always find a place. */
export const groupsKept = 150
/** A group of fewer recipients is read as part of `other`. */
export const recipientsMin = 20
/** The number of messages after which one counts 1/e: as much as about 200 of the same weight. */
const memory = 200
/** About as many of the latest messages as `recent` tells of. */
const recentMemory = 10
/** Older messages are dropped where the latest ones are so much worse. */
const fall = 0.4

/** A verification that is old enough to be counted, and every try to hand its messages over. */
export type Judged = {
  id: string
  createdAt: number
  recipientKey: Uint8Array
  isApproved: boolean
  /** Another one of this recipient was counted on the same day. */
  isSeen: boolean
  /** Oldest first. */
  tries: JudgedTry[]
}

export type JudgedTry = {
  endpointId: string
  /** The recipient's. */
  group: string
  /** The endpoints among which was chosen, each with the group of its recipient. */
  candidates: { endpointId: string; group: string }[]
  status: 'sent' | 'deferred' | 'refused'
  cause: Cause | null
  ambiguous: boolean
}

/** Messages of a day by one endpoint to one group. */
export type DayCount = {
  day: number
  group: string
  endpointId: string
  handedOver: number
  approved: number
}

export type Counted = {
  scores: Scores
  /** Recipients that are counted now, by the day on which they are not counted again. */
  seen: { day: number; recipientKey: Uint8Array }[]
  counts: DayCount[]
  /** Groups whose counts of these days, without the last, become those of `other`. */
  folded: { from: number; before: number; groups: string[] }
}

/**
 * Counts verifications in the order of their ids. A recipient counts once a day. `endpoints` are those
 * that the app has; what is known of others is dropped.
 */
export function countJudged(
  known: Scores | null,
  judged: Judged[],
  endpoints: ReadonlySet<string>,
): Counted {
  const scores: Scores = known ? structuredClone(known) : { day: 0, groups: {} }
  const seen = new Map<string, Counted['seen'][number]>()
  const counts = new Map<string, DayCount>()
  const folded = new Set<string>()
  let from = scores.day
  dropEndpoints(scores, endpoints)
  for (const each of judged) {
    const results = resultsOf(each)
    if (results.length === 0) continue
    const day = Math.floor(each.createdAt / dayMs)
    from = Math.min(from, day)
    if (day !== scores.day) for (const name of beginDay(scores, day)) folded.add(name)
    const recipient = `${day} ${hex(each.recipientKey)}`
    if (each.isSeen || seen.has(recipient)) continue
    seen.set(recipient, { day, recipientKey: each.recipientKey })
    for (const result of results) {
      if (!endpoints.has(result.endpointId)) continue
      const group = placeOf(scores, result.group)
      addResult(scores, group, result, each.recipientKey)
      addCount(counts, { ...result, day, group })
    }
  }
  round(scores)
  return {
    scores,
    seen: [...seen.values()],
    counts: [...counts.values()],
    folded: { from, before: scores.day, groups: [...folded] },
  }
}

/** Four decimals are enough, and keep the stored text short. */
function round({ groups }: Scores): void {
  const rounded = (value: number) => Math.round(value * 10_000) / 10_000
  for (const arm of Object.values(groups).flatMap(({ arms }) => Object.values(arms))) {
    arm.good = rounded(arm.good)
    arm.bad = rounded(arm.bad)
    arm.recent = rounded(arm.recent)
  }
}

type Result = Pick<JudgedTry, 'endpointId' | 'group' | 'candidates'> & { isGood: boolean }

/**
 * One result for each endpoint that has accepted a message, or should have. The one that did so last
 * has the approval, if there is one; every other has a failure, as it was not enough. Where an endpoint
 * was busy, or the app was over a limit, nothing is known.
 */
function resultsOf({ tries, isApproved }: Judged): Result[] {
  const last = tries.findLast(({ status, ambiguous }) => status === 'sent' || ambiguous)
  const counted = tries.filter(({ cause, ambiguous }) => ambiguous || !isNothingKnown(cause))
  const byEndpoint = new Map(counted.map((each) => [each.endpointId, each]))
  return [...byEndpoint.values()].map(({ endpointId, group, candidates }) => {
    const isGood = isApproved && endpointId === last?.endpointId
    return { endpointId, group, candidates, isGood }
  })
}

function isNothingKnown(cause: JudgedTry['cause']): boolean {
  return cause === 'busy' || cause === 'greylisted' || cause === 'capped' || cause === 'cost'
}

function dropEndpoints({ groups }: Scores, endpoints: ReadonlySet<string>): void {
  for (const { arms } of Object.values(groups)) {
    for (const id of Object.keys(arms)) if (!endpoints.has(id)) delete arms[id]
  }
}

/**
 * Keeps the groups with most messages. Answers the names of those that have too few recipients to be
 * told apart.
 */
function beginDay(scores: Scores, day: number): string[] {
  scores.day = day
  const named = Object.entries(scores.groups).filter(([name]) => name !== otherGroup)
  const small = named.filter(([, group]) => !isToldApart(group)).map(([name]) => name)
  const byWeight = named.toSorted(([, a], [, b]) => weightOf(b) - weightOf(a))
  for (const [name] of byWeight.slice(groupsKept)) delete scores.groups[name]
  return small
}

function weightOf({ arms }: Group): number {
  return Object.values(arms).reduce((sum, { good, bad }) => sum + good + bad, 0)
}

/** The group that a recipient counts in: `other` where there is no place for another one. */
function placeOf({ groups }: Scores, name: string): string {
  if (Object.hasOwn(groups, name)) return name
  const named = Object.keys(groups).filter((each) => each !== otherGroup)
  return named.length < groupsMax ? name : otherGroup
}

/**
 * Adds a result to its group, and to `other` while that group is small. All candidates lose weight
 * where they were chosen among, so that what was not chosen for long is tried again.
 */
function addResult(scores: Scores, name: string, result: Result, recipientKey: Uint8Array): void {
  const { groups } = scores
  groups[otherGroup] ??= { recipients: [], arms: {} }
  groups[name] ??= { recipients: [], arms: {} }
  for (const candidate of result.candidates) {
    for (const { arms } of countedIn(scores, placeOf(scores, candidate.group))) {
      const arm = arms[candidate.endpointId]
      if (!arm) continue
      arm.good *= 1 - 1 / memory
      arm.bad *= 1 - 1 / memory
    }
  }
  for (const { arms } of countedIn(scores, name)) {
    arms[result.endpointId] = added(arms[result.endpointId], result.isGood)
  }
  addRecipient(groups[name], hex(recipientKey.subarray(0, 6)))
}

/** A group, and `other` while it is small. */
function countedIn({ groups }: Scores, name: string): Group[] {
  const group = Object.hasOwn(groups, name) ? groups[name] : undefined
  const isAlone = name === otherGroup || (group && isToldApart(group))
  const counted = isAlone ? [group] : [group, groups[otherGroup]]
  return counted.flatMap((each) => each ?? [])
}

function addRecipient(group: Group, recipient: string): void {
  if (!group.recipients || group.recipients.includes(recipient)) return
  group.recipients.push(recipient)
  if (group.recipients.length >= recipientsMin) group.recipients = null
}

/** Where the latest messages are much worse than the score, older ones are forgotten. */
function added(arm: Arm | undefined, isGood: boolean): Arm {
  const value = isGood ? 1 : 0
  const { good, bad, recent } = arm ?? { good: 0, bad: 0, recent: value }
  const next = {
    good: good + value,
    bad: bad + 1 - value,
    recent: recent + (value - recent) / recentMemory,
  }
  const weight = next.good + next.bad
  if (weight <= recentMemory || next.recent >= next.good / weight - fall) return next
  return {
    good: recentMemory * next.recent,
    bad: recentMemory * (1 - next.recent),
    recent: next.recent,
  }
}

function addCount(
  counts: Map<string, DayCount>,
  { day, group, endpointId, isGood }: { day: number } & Result,
): void {
  const key = `${day} ${endpointId} ${group}`
  const row = counts.get(key) ?? { day, group, endpointId, handedOver: 0, approved: 0 }
  row.handedOver++
  if (isGood) row.approved++
  counts.set(key, row)
}

/** What is known of the endpoints for a group. */
export function armsOf({ groups }: Scores, name: string): Record<string, Arm> {
  const group = Object.hasOwn(groups, name) ? groups[name] : undefined
  return (group && isToldApart(group) ? group : groups[otherGroup])?.arms ?? {}
}

function isToldApart({ recipients }: Group): boolean {
  return recipients === null
}

/** The name under which the counts of a group are shown. */
export function shownGroup(scores: Scores | null, name: string): string {
  const group = scores && Object.hasOwn(scores.groups, name) ? scores.groups[name] : undefined
  return group && !isToldApart(group) ? otherGroup : name
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

import { sampleBeta, type Uniform } from './beta.ts'
import type { Arm } from './scores.ts'

/** An endpoint among which is chosen, with what is known of it for the recipient's group. */
export type Candidate = {
  endpointId: string
  arm: Arm | undefined
  /** Of a message, in millionths; null where the admin gives none. */
  cost: number | null
}

/** The share of choices in which each candidate is first, however bad its score. */
export const floorShare = 0.01

/**
 * Puts candidates in the order in which they are tried: Thompson sampling. A share of approvals is
 * drawn for each from what is known of it (Beta with good + 1 and bad + 1), and divided by its cost. In
 * 1 % of choices for each candidate that one is first. While nothing is known of any, the order stays.
 */
export function sampleOrder<Item extends Candidate>(items: Item[], uniform: Uniform): Item[] {
  const values = valuesOf(items, uniform)
  const isKnown = items.some(({ arm }) => arm !== undefined)
  const order = isKnown ? byValue(items, values) : items
  return withFloor(order, items, uniform)
}

/**
 * Puts groups of candidates in order, such as the endpoints of channels: each is worth what its first
 * one is worth.
 */
export function sampleGroups<Item extends Candidate>(groups: Item[][], uniform: Uniform): Item[][] {
  const ordered = groups.map((items) => sampleOrder(items, uniform))
  const first = ordered.flatMap(([item]) => item ?? [])
  if (ordered.length < 2 || first.length < ordered.length) return ordered
  const order = sampleOrder(first, uniform)
  return order.map((item) => ordered[first.indexOf(item)] ?? [])
}

/** The share of approvals that is known, in percent; null where nothing is. */
export function knownPercent(arm: Arm | undefined): number | null {
  const weight = arm ? arm.good + arm.bad : 0
  return arm && weight > 0 ? Math.round((100 * arm.good) / weight) : null
}

function valuesOf(items: Candidate[], uniform: Uniform): number[] {
  const costs = items.flatMap(({ cost }) => cost ?? [])
  // One without a cost is taken to cost what the cheapest of the others does.
  const usual = Math.min(...costs)
  return items.map(({ arm, cost }) => {
    const share = sampleBeta(1 + (arm?.good ?? 0), 1 + (arm?.bad ?? 0), uniform)
    return costs.length === 0 ? share : share / Math.max(1, cost ?? usual)
  })
}

function byValue<Item>(items: Item[], values: number[]): Item[] {
  const indexes = items.map((_, index) => index)
  const sorted = indexes.toSorted((a, b) => (values[b] ?? 0) - (values[a] ?? 0))
  return sorted.flatMap((index) => items[index] ?? [])
}

function withFloor<Item>(order: Item[], items: Item[], uniform: Uniform): Item[] {
  const first = items[Math.floor(uniform() / floorShare)]
  return first === undefined ? order : [first, ...order.filter((item) => item !== first)]
}

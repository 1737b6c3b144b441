import { expect, setDefaultTimeout, test } from 'bun:test'
import { always, exponential, logNormal } from '../../bench/events.ts'
import { type Calls, rowsUsed, shareOf, simulateCalls, zipf } from '../../bench/hot-rows.ts'
import { connectionsFor, type Pool, simulatePool } from '../../bench/pool.ts'
import { createRng } from '../simulation/rng.ts'

/*
 * What docs/scaling.md computes is held to what is known of queues. A message takes a second, so that
 * rates are loads.
 */
setDefaultTimeout(60_000)

const pool: Pool = {
  perSecond: 8,
  takes: exponential(1),
  nodes: 1,
  connections: 10,
  grows: false,
  heldMax: Number.POSITIVE_INFINITY,
  claimsPerSecond: Number.POSITIVE_INFINITY,
  messages: 1_000_000,
  seed: 1,
}

const calls: Calls = {
  perSecond: 50,
  apps: [1],
  nodes: 1,
  batchMax: 1,
  callsAtOnce: Number.POSITIVE_INFINITY,
  callSeconds: 0.006,
  requestSeconds: 0.002,
  commitSeconds: 0.002,
  processors: 100,
  holds: 'from the begin',
  rows: 1,
  isOneOfEach: false,
  requests: 100_000,
  seed: 1,
}

test.each([
  [1, 0.5],
  [2, 1.6],
  [10, 8],
  [50, 45],
])(
  '%d connections under %d messages a second wait as Erlang’s C says',
  (connections, perSecond) => {
    const { waited, waitMean, load } = simulatePool({ ...pool, connections, perSecond })
    const known = erlangC(connections, perSecond)

    expect(load).toBeCloseTo(perSecond / connections, 1)
    expect(Math.abs(waited - known)).toBeLessThan(0.02)
    expect(ratio(waitMean, known / (connections - perSecond))).toBeLessThan(1.1)
  },
)

test('where every message takes the same time, one connection waits half as long (Pollaczek and Khinchine)', () => {
  for (const load of [0.5, 0.8]) {
    const one = { ...pool, takes: always(1), connections: 1, perSecond: load }
    expect(ratio(simulatePool(one).waitMean, load / (2 * (1 - load)))).toBeLessThan(1.05)
  }
})

test('times of messages have the mean and the variation that were asked for', () => {
  const rng = createRng(1)
  const draw = logNormal(0.1, 0.5)
  const times = Array.from({ length: 200_000 }, () => draw(rng))
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length
  const squares = times.reduce((sum, time) => sum + (time - mean) ** 2, 0)

  expect(ratio(mean, 0.1)).toBeLessThan(1.01)
  expect(ratio(Math.sqrt(squares / times.length) / mean, 0.5)).toBeLessThan(1.05)
})

test('a seed gives the same figures each time, and another seed other ones', () => {
  const short = { ...pool, messages: 5_000, nodes: 3, grows: true, heldMax: 5 }
  const few = { ...calls, requests: 5_000, apps: zipf(100), batchMax: 8, nodes: 3 }

  expect(simulatePool(short)).toEqual(simulatePool(short))
  expect(simulatePool(short)).not.toEqual(simulatePool({ ...short, seed: 2 }))
  expect(simulateCalls(few)).toEqual(simulateCalls(few))
  expect(simulateCalls(few)).not.toEqual(simulateCalls({ ...few, seed: 2 }))
})

test.each([
  ['by half', logNormal(0.4, 0.5)],
  ['as decays do', exponential(0.4)],
  ['with few that take very long', logNormal(0.4, 1.5)],
])('a server whose answers differ %s gets nearly all connections that it may have', (_, takes) => {
  const busy = { ...pool, takes, connections: 30, perSecond: 60, messages: 60_000 }
  const all = simulatePool(busy)
  const found = simulatePool({ ...busy, grows: true })

  expect(found.wait.p99).toBeLessThan(all.wait.p99 + 0.1)
})

test('more messages than the connections take wait longer and longer, by the difference of the rates', () => {
  for (const messages of [20_000, 40_000]) {
    const { load, queueAtEnd } = simulatePool({ ...pool, perSecond: 12, messages })
    expect(load).toBeGreaterThan(1.15)
    expect(ratio(queueAtEnd, (messages / 12) * (12 - 10))).toBeLessThan(1.1)
  }
})

test('what has no room at a node waits in the database, and none of it is lost', () => {
  const many = { ...pool, nodes: 3, connections: 4, perSecond: 14, messages: 20_000 }
  const held = simulatePool(many)
  const stored = simulatePool({ ...many, heldMax: 40, claimsPerSecond: 1000 })

  expect(held.claimed).toBe(0)
  expect(stored.claimed).toBeGreaterThan(1000)
  expect(stored.queueMax).toBeGreaterThan(3 * 40)
  expect(ratio(stored.waitMean, held.waitMean)).toBeLessThan(1.2)
})

test('a database that leases fewer messages than the connections take is what they wait for', () => {
  const burst = { ...pool, perSecond: Number.POSITIVE_INFINITY, messages: 10_000, heldMax: 40 }
  const quick = { ...burst, takes: always(0.001), nodes: 2 }
  const slow = simulatePool({ ...quick, claimsPerSecond: 1000 })

  expect(slow.claimed).toBeGreaterThan(9_000)
  expect(ratio(slow.seconds, slow.claimed / 1000)).toBeLessThan(1.02)
  expect(simulatePool(quick).seconds).toBeLessThan(1)
})

test.each([
  [300, 0.1, 10, 3.43],
  [300, 0.1, 30, 1.54],
  [600, 0.4, 10, 25.06],
  [600, 0.4, 30, 9.45],
])(
  '%d starts at once, %d s a mail over %d connections, take a quarter of a second less than measured',
  (messages, seconds, connections, measured) => {
    const burst = { ...pool, perSecond: Number.POSITIVE_INFINITY, grows: true, heldMax: 5_000 }
    const simulated = simulatePool({ ...burst, takes: always(seconds), connections, messages })
    // The starts themselves and the first connections are not simulated.
    expect(Math.abs(measured - simulated.seconds - 0.25)).toBeLessThan(0.05)
  },
)

test('connections in three shares of a third wait longer than all of them together', () => {
  const together = simulatePool({ ...pool, connections: 12, perSecond: 9.6 })
  const apart = simulatePool({ ...pool, nodes: 3, connections: 4, perSecond: 9.6 })

  expect(ratio(apart.waited, erlangC(4, 3.2))).toBeLessThan(1.05)
  expect(apart.waitMean).toBeGreaterThan(2 * together.waitMean)
})

test('the connections for a wait are the fewest that keep it', () => {
  const { connections: _, ...asked } = { ...pool, messages: 100_000 }
  const most = connectionsFor(asked, 0.5)

  expect(simulatePool({ ...asked, connections: most }).wait.p99).toBeLessThanOrEqual(0.5)
  expect(simulatePool({ ...asked, connections: most - 1 }).wait.p99).toBeGreaterThan(0.5)
  // The wait of M/M/c is longer than t with the chance C exp(-(c - rate) t).
  const late = (count: number) => erlangC(count, 8) * Math.exp(-(count - 8) * 0.5)
  const known = [9, 10, 11, 12, 13, 14, 15, 16].find((count) => late(count) <= 0.01) ?? 0
  expect(Math.abs(most - known)).toBeLessThanOrEqual(1)
})

test('starts of one app, one at a time, wait for its row as Pollaczek and Khinchine say', () => {
  for (const perSecond of [50, 80]) {
    // Each holds the row for 10 ms.
    const load = perSecond / 100
    const { answerMean } = simulateCalls({ ...calls, perSecond })
    expect(ratio(answerMean, 0.01 + (load * 0.01) / (2 * (1 - load)))).toBeLessThan(1.05)
  }
})

test('a row above its rate saturates: it gives as much as it can, and requests wait without end', () => {
  const hot = { ...calls, nodes: 3, callsAtOnce: 2, batchMax: 8, perSecond: 600 }
  // A call of 8 holds the row for 24 ms.
  const most = 8 / 0.024

  for (const requests of [4_000, 8_000]) {
    const { perSecond, openAtEnd, batchMean } = simulateCalls({ ...hot, requests })
    expect(ratio(perSecond, most)).toBeLessThan(1.02)
    expect(batchMean).toBeGreaterThan(7.8)
    expect(ratio(openAtEnd, (requests / 600) * (600 - most))).toBeLessThan(1.05)
  }
  const below = simulateCalls({ ...hot, perSecond: 0.8 * most, requests: 8_000 })
  expect(below.openAtEnd).toBeLessThan(100)
})

test('a longer commit lowers the rate of one app, and not that of many', () => {
  const flood = { ...calls, perSecond: Number.POSITIVE_INFINITY, callsAtOnce: 2, requests: 6_000 }
  const of = (apps: number[], commitSeconds: number) =>
    simulateCalls({ ...flood, processors: 1, nodes: 50, apps, commitSeconds }).perSecond
  const [even, one] = [Array.from({ length: 10_000 }, () => 1), [1]]

  expect(ratio(of(one, 0.002), 1 / 0.01)).toBeLessThan(1.02)
  expect(ratio(of(one, 0.032), 1 / 0.04)).toBeLessThan(1.02)
  // Of many apps the processor is what there is too little of: 8 ms each.
  expect(ratio(of(even, 0.032), 1 / 0.008)).toBeLessThan(1.05)
})

test('one app of many holds up the batches of all others that it is in', () => {
  const flood = { ...calls, perSecond: Number.POSITIVE_INFINITY, nodes: 10, callsAtOnce: 2 }
  const full = { ...flood, batchMax: 8, requests: 8_000 }
  const even = simulateCalls({ ...full, apps: Array.from({ length: 100_000 }, () => 1) })
  const half = simulateCalls({
    ...full,
    apps: [100_000, ...Array.from({ length: 100_000 }, () => 1)],
  })

  expect(half.perSecond).toBeLessThan(even.perSecond / 4)
})

test('a recipient has one start in a call, so more of them take as many calls', () => {
  const flood = { ...calls, perSecond: Number.POSITIVE_INFINITY, callsAtOnce: 2, batchMax: 64 }
  const one = simulateCalls({ ...flood, isOneOfEach: true, requests: 500 })

  expect(one.batchMean).toBe(1)
  expect(ratio(one.perSecond, 100)).toBeLessThan(1.02)
})

test('counters are held for the commit only, and with rows of their own nodes do not wait', () => {
  const flood = {
    ...{ ...calls, perSecond: Number.POSITIVE_INFINITY, callsAtOnce: 1, requests: 8_000 },
    ...{ nodes: 4, callSeconds: 0, requestSeconds: 0, holds: 'during the commit' as const },
  }
  const together = simulateCalls({ ...flood, rows: 1 }).perSecond
  const apart = simulateCalls({ ...flood, rows: 1e9 }).perSecond

  expect(ratio(together, 1 / 0.002)).toBeLessThan(1.02)
  expect(ratio(apart, 4 / 0.002)).toBeLessThan(1.05)
})

test('as many counters are used as draws of nodes find', () => {
  const rng = createRng(1)
  for (const nodes of [1, 16, 60]) {
    let sum = 0
    for (let round = 0; round < 5_000; round++) {
      sum += new Set(Array.from({ length: nodes }, () => rng.below(16))).size
    }
    expect(ratio(sum / 5_000, rowsUsed(nodes, 16))).toBeLessThan(1.01)
  }
})

test('the first of Zipf’s apps has its share', () => {
  // Of 100 apps: 1 of the harmonic number 5.187.
  expect(shareOf(zipf(100), 0)).toBeCloseTo(1 / 5.18738, 4)
  const { length } = zipf(100)
  expect(length).toBe(100)
})

/** How probable it is that a message waits, with so many connections and so many messages a second. */
function erlangC(connections: number, perSecond: number): number {
  let blocked = 1
  for (let count = 1; count <= connections; count++) {
    blocked = (perSecond * blocked) / (count + perSecond * blocked)
  }
  const load = perSecond / connections
  return blocked / (1 - load * (1 - blocked))
}

/** The larger by the smaller. */
function ratio(one: number, other: number): number {
  return Math.max(one / other, other / one)
}

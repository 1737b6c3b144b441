import { beforeEach, expect, test } from 'bun:test'
import { Problem } from '../../src/domain/problem.ts'
import type { Node } from '../../src/domain/stores.ts'
import { createSigns } from '../../src/jobs/watches.ts'
import { createLog } from '../../src/log.ts'
import { createPresence } from '../../src/runtime/presence.ts'
import { eventLog } from './fixture.ts'

const noon = Date.UTC(2026, 5, 15, 12)

/** A node, of which the test moves both clocks, and what it does in order. */
function node() {
  const state = {
    monotonic: 1_000,
    wall: noon,
    leadMs: 0,
    knows: true,
    answered: Promise.resolve(),
    keys: 'same' as 'same' | 'lost',
  }
  const done: string[] = []
  const note = (what: string) => async () => void done.push(what)
  const clock = {
    now: () => state.wall,
    lead: () => ({ ms: state.leadMs, errorMs: 1 }),
    async measure() {
      if (!state.knows) throw new Problem('store_unavailable')
    },
  }
  const timers = {
    monotonic: () => state.monotonic,
    sleep: async () => {},
    after: () => () => {},
    soon: () => {},
  }
  let rows: Node[] = []
  const nodes = {
    async beat(row: Node) {
      await state.answered
      done.push('beat')
      rows = [row]
    },
    leave: note('leave'),
    forget: note('forget'),
    list: async () => rows,
  }
  /** What a restore leaves of this node's sign of life. */
  const putBack = (change: (rows: Node[]) => Node[]) => {
    rows = change(rows)
  }
  const about = async () => ({ keysetVersion: 1, nextKeyId: null })
  const { write, events } = eventLog()
  const keys = { right: true }
  const presence = createPresence({
    ...{ clock, timers, node: 'a', keys },
    machine: { now: () => state.wall },
    signs: createSigns({ nodes, node: 'a', clock, timers, about }),
    log: createLog({ level: 'debug', write, clock }),
    deliveries: { releaseLeases: note('deliveries') } as never,
    webhooks: { releaseLeases: note('webhooks') } as never,
    nodes,
    adopt: note('adopt'),
    follow: async () => {
      done.push('keys')
      return state.keys
    },
    drop: () => void done.push('drop'),
  })
  const pass = (ms: number, { suspended = false } = {}) => {
    if (!suspended) state.monotonic += ms
    state.wall += ms
  }
  return { presence, state, done, pass, putBack, events, keys }
}

let a: ReturnType<typeof node>
beforeEach(async () => {
  a = node()
  await a.presence.confirm()
  a.done.length = 0
})

test('a node is current for 12 s after a sign of life, and requests enter without a wait', () => {
  a.pass(11_999)
  expect([a.presence.isCurrent(), a.presence.enter()]).toEqual([true, null])
  a.pass(1)
  expect(a.presence.isCurrent()).toBe(false)
})

test.each([
  ['was stopped', {}],
  ['was suspended with its machine, whose monotonic clock stood still', { suspended: true }],
])(
  'a node that %s reads the keys and gives up its leases before the sign that it is back',
  async (_, how) => {
    a.pass(12_000, how)
    await a.presence.enter()
    expect(a.done).toEqual(['keys', 'drop', 'deliveries', 'webhooks', 'beat'])
    expect(a.presence.isCurrent()).toBe(true)
    expect(a.events()).toContain('node_was_silent')
  },
)

test('requests that come together after a silence wait for the same confirmation', async () => {
  a.pass(60_000)
  await Promise.all([a.presence.enter(), a.presence.enter(), a.presence.confirm()])
  expect(a.done.filter((what) => what === 'keys')).toHaveLength(1)
})

test.each([
  ['was answered meanwhile', true],
  ['was given up', false],
])(
  'a request after a silence that interrupted a sign of life, which %s, confirms anew',
  async (_, isAnswered) => {
    const answer = Promise.withResolvers<void>()
    a.state.answered = answer.promise
    const interrupted = a.presence.confirm().catch(() => {})
    await Bun.sleep(0)
    a.pass(15_000)
    const entered = a.presence.enter()
    a.state.answered = Promise.resolve()
    if (isAnswered) answer.resolve()
    else answer.reject(new Problem('store_unavailable'))
    await Promise.all([interrupted, entered])
    expect(a.presence.isCurrent()).toBe(true)
    expect(a.done.slice(-5)).toEqual(['keys', 'drop', 'deliveries', 'webhooks', 'beat'])
  },
)

test('a node that cannot know the time, or has lost its keys, refuses requests after a silence', async () => {
  a.pass(20_000)
  a.state.knows = false
  await expect(a.presence.enter() ?? Promise.resolve()).rejects.toBeInstanceOf(Problem)
  expect([a.done, a.presence.isReady()]).toEqual([[], false])

  a.state.knows = true
  a.state.keys = 'lost'
  await expect(a.presence.enter() ?? Promise.resolve()).rejects.toBeInstanceOf(Problem)
  expect(a.keys.right).toBe(false)
  expect(a.events()).toContain('keys_lost')
})

test('a node whose machine is off the database’s time is current and not ready', () => {
  a.state.leadMs = 300
  expect([a.presence.isCurrent(), a.presence.isReady()]).toEqual([true, false])
})

test.each([
  [
    'is older than this node has told',
    (rows: Node[]) => rows.map((row) => ({ ...row, seenAt: 1 })),
  ],
  ['is gone', () => []],
])(
  'a database in which the last sign of life %s was put back, and is adopted once',
  async (_, change) => {
    a.pass(5_000)
    await a.presence.confirm()
    expect(a.done).toEqual(['beat'])
    a.putBack(change)
    a.pass(5_000)
    await a.presence.confirm()
    a.pass(5_000)
    await a.presence.confirm()
    expect(a.done).toEqual(['beat', 'adopt', 'beat', 'beat'])
  },
)

test('a node that others have forgotten, because it was silent for long, adopts nothing', async () => {
  a.pass(86_400_000)
  a.putBack(() => [])
  await a.presence.confirm()
  expect(a.done).not.toContain('adopt')
})

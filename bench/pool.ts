import { createWidth } from '../src/jobs/sender/width.ts'
import { createRng } from '../test/simulation/rng.ts'
import {
  createEvents,
  createQueue,
  type Duration,
  type Percentiles,
  percentilesOf,
} from './events.ts'

/** The messages of one endpoint, which several nodes hand over. */
export type Pool = {
  /** Messages a second, each at a time of its own (Poisson). */
  perSecond: number
  /** How long a message takes on its connection. */
  takes: Duration
  nodes: number
  /** Connections of each node. */
  connections: number
  /** True where a node begins with three connections and adds one with each answer, as it does. */
  grows: boolean
  /** Messages that wait in the memory of a node; more wait in the database. */
  heldMax: number
  /** Messages that the database leases in a second to all nodes. */
  claimsPerSecond: number
  /** How many messages are simulated; the first tenth is not counted. */
  messages: number
  seed: number
}

export type PoolResult = {
  /** The share of the connections that is in use; above 1 they are too few. */
  load: number
  /** The share of the messages that waited for a connection. */
  waited: number
  waitMean: number
  wait: Percentiles
  /** From the start until the mail server has taken it, in s. */
  handedOver: Percentiles
  /** Messages that wait: at the most, and when the last one came. */
  queueMax: number
  queueAtEnd: number
  /** Messages that waited in the database. */
  claimed: number
  /** Until the last message is handed over. */
  seconds: number
}

type Node = {
  running: number
  held: ReturnType<typeof createQueue<number>>
  width: ReturnType<typeof createWidth>
  isClaiming: boolean
  claiming: number
}

/** The most messages of a claim, and the least where others wait: `claimMax` and `claimMin` of claims.ts. */
const claimMax = 200
const claimMin = 20

/** Simulates until every message is handed over. */
export function simulatePool(pool: Pool): PoolResult {
  const { perSecond, takes, nodes: count, connections, messages } = pool
  const rng = createRng(pool.seed, 'pool')
  const [arrivals, places, durations] = ['arrivals', 'places', 'durations'].map(rng.stream) as Three
  const events = createEvents()
  const clock = { monotonic: () => events.now() * 1000 }
  const nodes = Array.from({ length: count }, (): Node => {
    const width = createWidth(clock, connections)
    return { running: 0, held: createQueue(), width, isClaiming: false, claiming: 0 }
  })
  const stored = createQueue<number>()
  const seen = { waits: [] as number[], times: [] as number[], busy: 0 }
  let [waiting, queueMax, queueAtEnd, claimed, databaseFreeAt, came] = [0, 0, 0, 0, 0, 0]

  const widthOf = (node: Node) => (pool.grows ? node.width.value() : connections)
  const begin = (node: Node, number: number, cameAt: number) => {
    const seconds = takes(durations)
    node.running++
    waiting--
    const begun = node.width.begin(node.running)
    if (number >= messages / 10) {
      const wait = events.now() - cameAt
      seen.waits.push(wait)
      seen.times.push(wait + seconds)
    }
    seen.busy += seconds
    events.after(seconds, () => {
      node.running--
      node.width.answered(begun, node.held.size() > 0 || stored.size() > 0)
      pump(node)
    })
  }
  // A message is its number; when it came is looked up.
  const cameAt = new Float64Array(messages)
  const pump = (node: Node) => {
    while (node.running < widthOf(node)) {
      const number = node.held.shift()
      if (number === undefined) break
      begin(node, number, cameAt[number] ?? 0)
    }
    claim(node)
  }
  const claim = (node: Node) => {
    const room = pool.heldMax - node.held.size() - node.claiming
    const limit = Math.min(claimMax, room, stored.size())
    if (node.isClaiming || limit <= 0) return
    if (room < claimMin && node.held.size() > 0) return
    const numbers = Array.from({ length: limit }, () => stored.shift() ?? 0)
    node.isClaiming = true
    node.claiming = limit
    claimed += limit
    databaseFreeAt = Math.max(databaseFreeAt, events.now()) + limit / pool.claimsPerSecond
    events.after(databaseFreeAt - events.now(), () => {
      node.isClaiming = false
      node.claiming = 0
      for (const number of numbers) node.held.push(number)
      pump(node)
    })
  }
  const arrive = () => {
    const number = came++
    cameAt[number] = events.now()
    const node = nodes[places.below(count)] as Node
    waiting++
    const isHeld = node.running < widthOf(node) || node.held.size() < pool.heldMax
    if (isHeld) node.held.push(number)
    else stored.push(number)
    pump(node)
    queueMax = Math.max(queueMax, waiting)
    queueAtEnd = waiting
    if (came < messages) events.after(next(), arrive)
  }
  const next = () => -Math.log(1 - arrivals.next()) / perSecond
  events.after(next(), arrive)
  events.run()

  const { waits, times, busy } = seen
  return {
    load: (busy / messages) * (perSecond / (count * connections)),
    waited: waits.filter((wait) => wait > 0).length / waits.length,
    waitMean: waits.reduce((sum, wait) => sum + wait, 0) / waits.length,
    wait: percentilesOf(waits),
    handedOver: percentilesOf(times),
    ...{ queueMax, queueAtEnd, claimed, seconds: events.now() },
  }
}

type Three = [
  ReturnType<typeof createRng>,
  ReturnType<typeof createRng>,
  ReturnType<typeof createRng>,
]

/** The fewest connections of each node with which 99 of 100 messages wait no longer than `seconds`. */
export function connectionsFor(pool: Omit<Pool, 'connections'>, seconds: number): number {
  const isEnough = (connections: number) =>
    simulatePool({ ...pool, connections }).wait.p99 <= seconds
  let most = 1
  while (!isEnough(most)) most *= 2
  let least = most / 2
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2)
    if (isEnough(middle)) most = middle
    else least = middle
  }
  return most
}

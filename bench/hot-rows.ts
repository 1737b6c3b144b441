import { createRng } from '../test/simulation/rng.ts'
import { createEvents, createQueue, type Percentiles, percentilesOf } from './events.ts'

/**
 * Calls of a function of the database, each for a batch of requests that a node has gathered. A call
 * holds a row for each app among them.
 */
export type Calls = {
  /** Requests a second of all apps, each at a time of its own; Infinity for all at once. */
  perSecond: number
  /** How often an app is named, in proportion to the others. */
  apps: number[]
  nodes: number
  /** The most requests of a call, and the most calls of a node at a time. */
  batchMax: number
  callsAtOnce: number
  /** Processor time of a call, and of each request in it, in s. */
  callSeconds: number
  requestSeconds: number
  /** From the commit until the disks have it, also those of the standby. */
  commitSeconds: number
  /** Processors of the database. */
  processors: number
  /** A start holds its rows from its begin on; a check holds its counters during the commit. */
  holds: 'from the begin' | 'during the commit'
  /** Rows for each app; a node uses one of them. */
  rows: number
  /** True where no two requests for one row share a call: those of a recipient. */
  isOneOfEach: boolean
  requests: number
  seed: number
}

export type CallsResult = {
  /** Requests that were answered in a second, from the first until the last. */
  perSecond: number
  /** From the request to its answer, in s; without the first tenth. */
  answered: Percentiles
  answerMean: number
  /** Requests without an answer when the last one came. */
  openAtEnd: number
  batchMean: number
}

type Request = { number: number; app: number }
type Call = { requests: Request[]; rows: number[]; node: Node }
type Node = { row: number; waiting: Request[]; calls: number; isScheduled: boolean }
type Row = { isHeld: boolean; waiting: ReturnType<typeof createQueue<() => void>> }

/** Simulates until every request is answered. Rows are locked one after another, in their order. */
export function simulateCalls(calls: Calls): CallsResult {
  const { perSecond, requests: count, processors } = calls
  const rng = createRng(calls.seed, 'calls')
  const [arrivals, places, names] = ['arrivals', 'places', 'names'].map(rng.stream) as Three
  const nextApp = drawOf(calls.apps)
  const events = createEvents()
  const shards = rng.stream('shards')
  const nodes = Array.from({ length: calls.nodes }, (): Node => {
    return { row: shards.below(calls.rows), waiting: [], calls: 0, isScheduled: false }
  })
  const rows = new Map<number, Row>()
  const processor = createLimit(processors)
  const cameAt = new Float64Array(count)
  const times: number[] = []
  let [came, done, openAtEnd, batches] = [0, 0, 0, 0]

  const lock = ({ rows: wanted }: Call, then: () => void, place = 0) => {
    const number = wanted[place]
    if (number === undefined) return then()
    const row = rows.get(number) ?? { isHeld: false, waiting: createQueue<() => void>() }
    rows.set(number, row)
    const go = () => lock({ rows: wanted } as Call, then, place + 1)
    if (row.isHeld) row.waiting.push(go)
    else {
      row.isHeld = true
      go()
    }
  }
  const unlock = ({ rows: held }: Call) => {
    for (const number of held) {
      const row = rows.get(number) as Row
      const next = row.waiting.shift()
      if (next) events.after(0, next)
      else rows.delete(number)
    }
  }
  const work = ({ requests }: Call, then: () => void) => {
    processor.take(() => {
      events.after(calls.callSeconds + requests.length * calls.requestSeconds, () => {
        processor.give()
        then()
      })
    })
  }
  const finish = (call: Call) => {
    events.after(calls.commitSeconds, () => {
      unlock(call)
      for (const { number } of call.requests) {
        done++
        if (number >= count / 10) times.push(events.now() - (cameAt[number] ?? 0))
      }
      call.node.calls--
      schedule(call.node)
    })
  }
  const run = (node: Node) => {
    const requests = nextBatch(node, calls)
    const distinct = [...new Set(requests.map(({ app }) => app))].sort((a, b) => a - b)
    const call = { requests, rows: distinct.map((app) => app * calls.rows + node.row), node }
    node.calls++
    batches++
    if (calls.holds === 'from the begin') lock(call, () => work(call, () => finish(call)))
    else work(call, () => lock(call, () => finish(call)))
  }
  const schedule = (node: Node) => {
    if (node.isScheduled) return
    node.isScheduled = true
    // At the end of this moment, as all requests of a turn of the event loop go together.
    events.after(0, () => {
      node.isScheduled = false
      while (node.waiting.length > 0 && node.calls < calls.callsAtOnce) run(node)
    })
  }
  const arrive = () => {
    const number = came++
    cameAt[number] = events.now()
    const node = nodes[places.below(calls.nodes)] as Node
    node.waiting.push({ number, app: nextApp(names.next()) })
    schedule(node)
    openAtEnd = came - done
    if (came < count) events.after(-Math.log(1 - arrivals.next()) / perSecond, arrive)
  }
  events.after(0, arrive)
  events.run()

  return {
    perSecond: count / events.now(),
    answered: percentilesOf(times),
    answerMean: times.reduce((sum, time) => sum + time, 0) / times.length,
    openAtEnd,
    batchMean: count / batches,
  }
}

type Three = [
  ReturnType<typeof createRng>,
  ReturnType<typeof createRng>,
  ReturnType<typeof createRng>,
]

/** The next requests of a node, as `createBatch` of src/store/postgres/batch.ts takes them. */
function nextBatch(node: Node, { batchMax, isOneOfEach }: Calls): Request[] {
  if (!isOneOfEach) return node.waiting.splice(0, batchMax)
  const batch: Request[] = []
  const left: Request[] = []
  const taken = new Set<number>()
  for (const request of node.waiting) {
    if (batch.length < batchMax && !taken.has(request.app)) batch.push(request)
    else left.push(request)
    taken.add(request.app)
  }
  node.waiting = left
  return batch
}

/** Runs so many at a time; others wait in their order. */
function createLimit(most: number) {
  const waiting = createQueue<() => void>()
  let running = 0
  return {
    take(run: () => void) {
      if (running < most) {
        running++
        run()
      } else waiting.push(run)
    },
    give() {
      const next = waiting.shift()
      if (next) next()
      else running--
    },
  }
}

/** Of a number from 0 to 1 the app that it names. */
function drawOf(weights: number[]): (uniform: number) => number {
  let sum = 0
  const ends = Float64Array.from(weights, (weight) => (sum += weight))
  return (uniform) => {
    let [low, high] = [0, ends.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ends[middle] ?? 0) > uniform * sum) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Weights of Zipf: the second app is named half as often as the first, the third a third as often. */
export function zipf(count: number): number[] {
  return Array.from({ length: count }, (_, index) => 1 / (index + 1))
}

export function shareOf(weights: number[], place: number): number {
  return (weights[place] ?? 0) / weights.reduce((sum, weight) => sum + weight, 0)
}

/** How many of so many rows are used, where each node draws one of them: the mean. */
export function rowsUsed(nodes: number, rows: number): number {
  return rows * (1 - (1 - 1 / rows) ** nodes)
}

import type { Rng } from '../test/simulation/rng.ts'

/** Draws how long something takes, in s. */
export type Duration = (rng: Rng) => number

export function always(seconds: number): Duration {
  return () => seconds
}

export function exponential(mean: number): Duration {
  return (rng) => -mean * Math.log(1 - rng.next())
}

/** Log-normal: a few take much longer. `variation` is the standard deviation divided by the mean. */
export function logNormal(mean: number, variation: number): Duration {
  const variance = Math.log(1 + variation * variation)
  const middle = Math.log(mean) - variance / 2
  return (rng) => {
    const radius = Math.sqrt(-2 * Math.log(1 - rng.next()))
    const normal = radius * Math.cos(2 * Math.PI * rng.next())
    return Math.exp(middle + Math.sqrt(variance) * normal)
  }
}

/** What happens, in the order of its time; what has the same time happens in the order of its planning. */
export type Events = {
  now(): number
  after(seconds: number, run: () => void): void
  /** Runs one event after another, until none is left. */
  run(): void
}

type Event = { at: number; number: number; run(): void }

export function createEvents(): Events {
  // A binary heap.
  const heap: Event[] = []
  let now = 0
  let count = 0

  const isBefore = (one: Event, other: Event) =>
    one.at < other.at || (one.at === other.at && one.number < other.number)
  const put = (event: Event) => {
    let place = heap.length
    while (place > 0) {
      const above = (place - 1) >> 1
      const other = heap[above] as Event
      if (!isBefore(event, other)) break
      heap[place] = other
      place = above
    }
    heap[place] = event
  }
  const take = (): Event | undefined => {
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let place = 0
    for (;;) {
      const left = 2 * place + 1
      if (left >= heap.length) break
      const right = left + 1
      const isRight = right < heap.length && isBefore(heap[right] as Event, heap[left] as Event)
      const below = heap[isRight ? right : left] as Event
      if (!isBefore(below, last)) break
      heap[place] = below
      place = isRight ? right : left
    }
    heap[place] = last
    return first
  }
  return {
    now: () => now,
    after: (seconds, run) => put({ at: now + seconds, number: count++, run }),
    run() {
      for (let event = take(); event !== undefined; event = take()) {
        now = event.at
        event.run()
      }
    },
  }
}

/** A queue whose ends cost the same, however long it is. */
export function createQueue<Item>() {
  let items: Item[] = []
  let first = 0
  return {
    size: () => items.length - first,
    push: (item: Item) => void items.push(item),
    shift(): Item | undefined {
      const item = items[first]
      if (first < items.length) first++
      if (first > 1000 && first * 2 > items.length) {
        items = items.slice(first)
        first = 0
      }
      return item
    },
  }
}

/** The 50th, 95th and 99th of a hundred values. */
export type Percentiles = { p50: number; p95: number; p99: number }

export function percentilesOf(values: number[]): Percentiles {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

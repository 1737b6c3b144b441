import { type Item, type Lane, runningMax } from './lane.ts'

/** Gives the lanes their places among all hand-overs, one after another. */
export type Turns = {
  /** The lane may have something to do. */
  want(lane: Lane): void
  /** Looks again at every lane that waits for a place. */
  pump(): void
  running(): Item[]
  /** Resolves when nothing runs. */
  idle(): Promise<void>
}

type Options = {
  /** Hand-overs at a time over all lanes. */
  max: number
  mayBegin(): boolean
  /** Messages of a paused lane that go to another endpoint without a try. */
  mayDivert(lane: Lane): boolean
  /** One hand-over, which must not reject. */
  run(lane: Lane, item: Item): Promise<void>
}

/** Hand-overs at a time that only move messages of a paused lane elsewhere. */
const divertMax = 10

export function createTurns({ max, mayBegin, mayDivert, run }: Options): Turns {
  const ready = new Set<Lane>()
  const busy = new Set<Lane>()
  const running = new Set<Item>()
  const tellIdle: (() => void)[] = []

  /** Every lane that can use places gets as many as the others, and so would one more. */
  const share = () => Math.ceil(max / (busy.size + 1))
  const wants = (lane: Lane) => {
    if (lane.waiting() === 0) return false
    const allowed = runningMax(lane) || (mayDivert(lane) ? divertMax : 0)
    return lane.running.size < Math.min(allowed, share())
  }
  const begin = (lane: Lane, item: Item) => {
    lane.running.add(item)
    running.add(item)
    void run(lane, item).then(() => {
      lane.running.delete(item)
      running.delete(item)
      if (running.size === 0) for (const tell of tellIdle.splice(0)) tell()
      want(lane)
    })
  }
  const pump = () => {
    while (running.size < max && mayBegin()) {
      const [lane] = ready
      if (!lane) return
      ready.delete(lane)
      const item = wants(lane) ? lane.shift() : null
      if (!item) continue
      begin(lane, item)
      if (wants(lane)) ready.add(lane)
    }
  }
  const want = (lane: Lane) => {
    const isWaiting = lane.waiting() > 0 && !lane.circuit.isPaused()
    if (isWaiting || lane.running.size > 0) busy.add(lane)
    else busy.delete(lane)
    if (wants(lane)) ready.add(lane)
    pump()
  }
  return {
    want,
    pump,
    running: () => [...running],
    idle: () =>
      running.size === 0 ? Promise.resolve() : new Promise((done) => tellIdle.push(done)),
  }
}

import { aheadMax, type Item, isBlocked, isRateUsed, type Lane, runningMax } from './lane.ts'

/** Distributes the hand-overs of this node over the lanes in turn. */
export type Turns = {
  /** Notes that the lane may have work. */
  want(lane: Lane): void
  /** Checks every lane that waits for a place. */
  pump(): void
  running(): Item[]
  /** Resolves when nothing runs. */
  idle(): Promise<void>
}

type Options = {
  /** Hand-overs at a time over all lanes. */
  max: number
  mayBegin(): boolean
  /** True when messages of the lane would wait, and may go to another endpoint without a try. */
  mayDivert(lane: Lane): boolean
  /** True when messages may wait in the lane's channel. */
  mayQueue(lane: Lane): boolean
  /** Called for a lane whose messages wait for the next token of its rate. */
  onRateUsed(lane: Lane): void
  /** One hand-over, which must not reject. */
  run(lane: Lane, item: Item): Promise<void>
}

/** The most turns at a time that only move messages of a lane to another endpoint. */
const divertMax = 10

export function createTurns(options: Options): Turns {
  const { max, mayBegin, mayDivert, mayQueue, onRateUsed, run } = options
  const ready = new Set<Lane>()
  const busy = new Set<Lane>()
  const running = new Set<Item>()
  const tellIdle: (() => void)[] = []

  /** The share of each busy lane, with a share left for one more. */
  const share = () => Math.ceil(max / (busy.size + 1))
  const wants = (lane: Lane) => {
    if (lane.waiting() === 0) return false
    const allowed = runningMax(lane) + (mayDivert(lane) ? divertMax : 0)
    // Those that wait in a channel leave half of the places to hand-overs.
    const ahead = running.size < max / 2 && mayQueue(lane) ? aheadMax(lane) : 0
    return lane.running.size < Math.min(allowed + ahead, share())
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
    const isWaiting = lane.waiting() > 0
    if (isWaiting && isRateUsed(lane)) onRateUsed(lane)
    if ((isWaiting && !isBlocked(lane)) || lane.running.size > 0) busy.add(lane)
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

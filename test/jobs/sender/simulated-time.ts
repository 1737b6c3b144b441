import type { Clock, Random, Timers } from '../../../src/domain/ports.ts'

/** A wall clock, timers and a monotonic clock that only the test moves. */
export type SimulatedTime = {
  clock: Clock
  timers: Timers
  /** Lets so many ms pass, and runs what is due in its order. */
  run(ms: number): Promise<void>
  /** Lets time pass until the promise is settled. */
  until<Result>(work: Promise<Result>): Promise<Result>
  /** Moves the wall clock alone. */
  step(ms: number): void
}

const start = Date.UTC(2026, 5, 15, 12)

export function simulatedTime(): SimulatedTime {
  let now = 0
  let offset = start
  let order = 0
  let soon: (() => void)[] = []
  const timers: { at: number; order: number; call: () => void }[] = []

  const after: Timers['after'] = (ms, call) => {
    const timer = { at: now + Math.max(0, ms), order: order++, call }
    const index = timers.findLastIndex(({ at }) => at <= timer.at) + 1
    timers.splice(index, 0, timer)
    return () => {
      const place = timers.indexOf(timer)
      if (place >= 0) timers.splice(place, 1)
    }
  }
  /** Waits for everything that needs no time to pass. */
  const settle = async () => {
    do {
      const due = soon
      soon = []
      for (const call of due) call()
      // One turn of the real event loop settles every chain of promises.
      await new Promise<void>((done) => setImmediate(done))
    } while (soon.length > 0)
  }
  const next = async (until: number): Promise<boolean> => {
    await settle()
    const [timer] = timers
    if (!timer || timer.at > until) return false
    timers.shift()
    now = timer.at
    timer.call()
    return true
  }
  return {
    clock: { now: () => offset + Math.floor(now) },
    timers: {
      after,
      sleep: (ms) => new Promise((done) => void after(ms, done)),
      soon: (call) => void soon.push(call),
      monotonic: () => now,
    },
    async run(ms) {
      const until = now + ms
      while (await next(until));
      now = until
    },
    async until(work) {
      let ended = false
      const end = () => {
        ended = true
      }
      work.then(end, end)
      for (;;) {
        await settle()
        if (ended) return work
        if (!(await next(Number.MAX_SAFE_INTEGER))) throw new Error('nothing ends this')
      }
    },
    step: (ms) => {
      offset += ms
    },
  }
}

/** Pseudo-random bytes, the same for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed | 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 255
  }
  return { bytes: (count) => Uint8Array.from({ length: count }, next) }
}

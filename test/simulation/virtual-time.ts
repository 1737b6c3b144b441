import type { Clock, Timers } from '../../src/domain/ports.ts'
import type { Rng } from './rng.ts'

/** One process of the server, from its start to its crash or stop. */
export type Life = { number: number; isOver: boolean }

type Task = {
  at: number
  order: number
  /** `timer` fires in the order of its time, `soon` in the order of its call; `world` in any. */
  kind: 'timer' | 'soon' | 'world'
  /** Nothing of a life runs once it is over; null outlives every process. */
  life: Life | null
  run(): void
}

export type VirtualTime = {
  /** True milliseconds since the beginning. */
  elapsed(): number
  /** The machine's clock, which may be wrong. */
  clock: Clock
  timersOf(life: Life): Timers
  /** Something outside of the process, after so long. */
  worldAfter(ms: number, run: () => void): void
  advance(ms: number): void
  /** Sets the machine's clock forwards or back; true time stays. */
  jump(ms: number): void
  /** When something is due next; null when nothing ever is. */
  nextAt(): number | null
  /** Runs one thing that is due, by chance which; false when there is none. */
  runOne(): boolean
  /** Runs the `soon` callback that was queued first, if there is one. */
  runSoon(life: Life): boolean
}

/** Time that passes only when it is told to, and the scheduler of all that waits for it. */
export function createVirtualTime(rng: Rng, startAt: number): VirtualTime {
  let tasks: Task[] = []
  let elapsed = 0
  let skew = 0
  let order = 0

  const add = (kind: Task['kind'], life: Life | null, ms: number, run: () => void): Task => {
    const wait = Number.isFinite(ms) ? Math.max(0, ms) : Number.MAX_SAFE_INTEGER
    const task = { at: elapsed + wait, order: order++, kind, life, run }
    tasks.push(task)
    return task
  }
  const drop = (task: Task) => {
    tasks = tasks.filter((other) => other !== task)
  }
  const first = (kind: Task['kind']): Task | undefined => {
    const due = tasks.filter((task) => task.kind === kind && task.at <= elapsed)
    return due.sort((a, b) => a.at - b.at || a.order - b.order)[0]
  }
  const start = (task: Task): true => {
    drop(task)
    task.run()
    return true
  }
  const forgetDead = () => {
    if (tasks.some(({ life }) => life?.isOver)) tasks = tasks.filter(({ life }) => !life?.isOver)
  }

  return {
    elapsed: () => elapsed,
    clock: { now: () => Math.floor(startAt + elapsed + skew) },
    timersOf: (life) => ({
      sleep: (ms) => new Promise((resolve) => void add('timer', life, ms, resolve)),
      after(ms, callback) {
        const task = add('timer', life, ms, callback)
        return () => drop(task)
      },
      soon: (callback) => void add('soon', life, 0, callback),
      monotonic: () => elapsed,
    }),
    worldAfter: (ms, run) => void add('world', null, ms, run),
    advance(ms) {
      elapsed += ms
    },
    jump(ms) {
      skew += ms
    },
    nextAt() {
      forgetDead()
      return tasks.length === 0 ? null : Math.min(...tasks.map(({ at }) => at))
    },
    runOne() {
      forgetDead()
      const candidates = [
        first('timer'),
        first('soon'),
        ...tasks.filter(({ kind, at }) => kind === 'world' && at <= elapsed),
      ].filter((task) => task !== undefined)
      return candidates.length > 0 && start(rng.pick(candidates))
    },
    runSoon(life) {
      const task = first('soon')
      return task !== undefined && task.life === life && start(task)
    },
  }
}

import type { Clock, Timers } from '../../src/domain/ports.ts'
import type { Rng } from './rng.ts'

/** One process of the server, from its start to its crash or stop. */
export type Life = { number: number; isOver: boolean }

type Task = {
  at: number
  order: number
  /** `timer` runs in the order of its time, `soon` in the order of calls, `world` in any order. */
  kind: 'timer' | 'soon' | 'world'
  /** Its process: after the end of it the task is dropped. Null for tasks outside the server. */
  life: Life | null
  run(): void
}

export type VirtualTime = {
  /** Real milliseconds since the beginning. */
  elapsed(): number
  /** The clock of the machine, which may be wrong. */
  clock: Clock
  timersOf(life: Life): Timers
  /** Runs something outside of the server after this time. */
  worldAfter(ms: number, run: () => void): void
  advance(ms: number): void
  /** Sets the clock of the machine forwards or back; real time is not changed. */
  jump(ms: number): void
  /** The time of the next task; null without any. */
  nextAt(): number | null
  /** Runs one of the due tasks, chosen by chance; false if none is due. */
  runOne(): boolean
  /** Runs the oldest `soon` callback, if there is one. */
  runSoon(life: Life): boolean
}

/** Simulated time, which passes only by `advance`, and the scheduler of all timers. */
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

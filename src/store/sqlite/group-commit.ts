import type { Database } from 'bun:sqlite'
import type { Timers } from '../../domain/ports.ts'
import { Problem } from '../../domain/problem.ts'
import { type Failures, isBusy, isUnavailable } from './failure.ts'

/** The order of operations when more are waiting than one commit takes. */
export const priorities = ['check', 'start', 'background'] as const
export type Priority = (typeof priorities)[number]

export type Transactions = {
  /** Runs a query at once; rejects with a problem when the database fails. */
  read<Value>(query: () => Value): Promise<Value>
  /**
   * Runs an operation in a group; resolves when the group's commit is on disk. The operation may
   * run twice, so it must not change anything outside the database.
   */
  write<T>(operation: () => T, priority?: Priority): Promise<T>
  /** Commits the queued operations; refuses new ones. */
  close(): Promise<void>
}

/** Data that operations collect in memory, to be written once for a group. */
export type Collected = {
  counted: unknown[]
  /** Writes and removes what was counted. */
  write(): void
}

type Waiting = {
  run(): unknown
  resolve(value: unknown): void
  reject(error: unknown): void
  since: number
  /** The number of groups that had run when it was queued. */
  group: number
}

export type TransactionOptions = {
  timers: Timers
  failures: Failures
  collected?: Collected
  /** Called when writes were undone, to drop what was read of them. */
  onRollBack?: () => void
  /** Off commits every operation alone. */
  grouped?: boolean
}

/** The most operations of a group, and its longest time in ms. */
const groupMax = 1024
const groupMs = 4
/**
 * A commit keeps the event loop from all other work while the disk is written. So after a group of
 * `restFrom` operations the next one begins `restMs` later, or when `restMax` operations wait.
 */
const restFrom = 4
const restMs = 2
const restMax = 32
/** Operations that have waited for so many groups get a quarter of a group's time. */
const patienceGroups = 8
const overdueMs = groupMs / 4
/** How long to wait for another process's write lock, and the interval of tries, in ms. */
const busyMaxMs = 2000
const busyRetryMs = 20
/** The most waiting operations; more are refused. */
const queueMax = 20_000

/**
 * Commits all writes of a turn of the event loop with one fsync. No promise resolves before the
 * commit is on disk. An operation that throws fails alone: its group is rolled back and runs again
 * with a savepoint around each.
 */
export function createGroupCommit(database: Database, options: TransactionOptions): Transactions {
  const { timers, failures } = options
  const queue = createQueue(timers, options.grouped === false ? 1 : groupMax)
  const transactions = prepareTransactions(database, options)
  let isScheduled = false
  let isClosed = false
  let restUntil = Number.NEGATIVE_INFINITY
  let cancelRest: (() => void) | null = null

  /** False when another process has the lock. */
  function runGroup(): boolean {
    const taken: Waiting[] = []
    try {
      transactions.begin()
      try {
        transactions.commit(runAll(queue.group(), taken))
      } catch (error) {
        transactions.rollBack()
        if (isUnavailable(error)) throw error
        transactions.begin()
        transactions.commit(taken.map(transactions.runAlone))
      }
      return true
    } catch (error) {
      transactions.rollBack()
      const problem = failures.toProblem(error)
      for (const waiting of taken) waiting.reject(problem)
      if (taken.length > 0) return true
      // No transaction could be begun; with a lock, only those that have waited too long are
      // refused.
      const isLocked = isBusy(error)
      queue.refuse(isLocked ? timers.monotonic() - busyMaxMs : timers.monotonic(), problem)
      return !isLocked
    }
  }

  function schedule(): void {
    if (isScheduled || isClosed || queue.size() === 0) return
    isScheduled = true
    const leftMs = restUntil - timers.monotonic()
    if (leftMs <= 0) timers.soon(next)
    else cancelRest = timers.after(leftMs, next)
  }

  /** Begins a group that rests, because many operations wait. */
  function endRest(): void {
    if (!cancelRest || queue.size() < restMax) return
    cancelRest()
    cancelRest = null
    timers.soon(next)
  }

  function next(): void {
    isScheduled = false
    cancelRest = null
    if (isClosed || queue.size() === 0) return
    const waiting = queue.size()
    if (runGroup()) {
      if (waiting >= restFrom) restUntil = timers.monotonic() + restMs
      schedule()
      return
    }
    isScheduled = true
    timers.after(busyRetryMs, next)
  }

  return {
    read: (query) => readWith(failures, query),
    write<T>(run: () => T, priority: Priority = 'background'): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (isClosed || queue.size() >= queueMax) {
          reject(new Problem('store_unavailable', { retryAfterSeconds: 5 }))
          return
        }
        queue.add({ run, resolve: resolve as (value: unknown) => void, reject }, priority)
        schedule()
        endRest()
      })
    },
    async close() {
      isClosed = true
      while (queue.size() > 0) if (!runGroup()) await timers.sleep(busyRetryMs)
    },
  }
}

async function readWith<Value>({ toProblem }: Failures, query: () => Value): Promise<Value> {
  try {
    return query()
  } catch (error) {
    throw toProblem(error)
  }
}

/** Resolves or rejects a caller's promise, once the commit is on disk. */
type Answer = () => void

function runAll(group: Iterable<Waiting>, taken: Waiting[]): Answer[] {
  const answers: Answer[] = []
  for (const waiting of group) {
    taken.push(waiting)
    const value = waiting.run()
    answers.push(() => waiting.resolve(value))
  }
  return answers
}

function prepareTransactions(
  database: Database,
  { collected, onRollBack = () => {} }: TransactionOptions,
) {
  const begin = database.prepare('begin immediate')
  const commit = database.prepare('commit')
  const savepoint = database.prepare('savepoint operation')
  const release = database.prepare('release operation')
  const rollBackTo = database.prepare('rollback to operation')
  const rewind = (length: number) => {
    if (collected) collected.counted.length = length
  }

  return {
    begin: () => void begin.run(),
    commit(answers: Answer[]): void {
      if (collected && collected.counted.length > 0) collected.write()
      commit.run()
      for (const answer of answers) answer()
    },
    rollBack(): void {
      rewind(0)
      onRollBack()
      // A full disk has ended the transaction already.
      if (database.inTransaction) database.run('rollback')
    },
    runAlone(waiting: Waiting): Answer {
      const mark = collected?.counted.length ?? 0
      savepoint.run()
      try {
        const value = waiting.run()
        release.run()
        return () => waiting.resolve(value)
      } catch (error) {
        if (isUnavailable(error)) throw error
        rollBackTo.run()
        release.run()
        rewind(mark)
        onRollBack()
        return () => waiting.reject(error)
      }
    },
  }
}

function createQueue(timers: Timers, max: number) {
  const queues = {
    check: new Set<Waiting>(),
    start: new Set<Waiting>(),
    background: new Set<Waiting>(),
  } satisfies Record<Priority, Set<Waiting>>
  const classes = priorities.map((priority) => queues[priority])
  const lower = classes.slice(1)
  let groups = 0

  /** The overdue operation that has waited longest. */
  function overdue(): Waiting | undefined {
    return lower
      .flatMap((waiting) => waiting.values().next().value ?? [])
      .filter(({ group }) => groups - group > patienceGroups)
      .sort((a, b) => a.group - b.group)[0]
  }

  /** Overdue operations for a part of the time, then the others by priority. */
  function* ordered(elapsed: () => number): Iterable<Waiting> {
    while (elapsed() < overdueMs) {
      const waiting = overdue()
      if (!waiting) break
      yield waiting
    }
    for (const waiting of classes) yield* waiting
  }

  return {
    size: () => classes.reduce((sum, { size }) => sum + size, 0),
    add(waiting: Omit<Waiting, 'since' | 'group'>, priority: Priority): void {
      queues[priority].add({ ...waiting, since: timers.monotonic(), group: groups })
    },
    /** The operations of the next commit: at least one, within its number and time. */
    *group(): Iterable<Waiting> {
      const start = timers.monotonic()
      const elapsed = () => timers.monotonic() - start
      groups++
      let count = 0
      for (const waiting of ordered(elapsed)) {
        for (const each of classes) each.delete(waiting)
        yield waiting
        if (++count >= max || elapsed() >= groupMs) return
      }
    },
    /** Refuses operations that were queued at `since` or before. */
    refuse(since: number, problem: unknown): void {
      for (const waiting of classes) {
        for (const each of waiting) {
          if (each.since > since) break
          waiting.delete(each)
          each.reject(problem)
        }
      }
    },
  }
}

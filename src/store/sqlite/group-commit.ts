import type { Database } from 'bun:sqlite'
import { toProblem } from './failure.ts'

/** Takes back what the operation wrote and answers with `result` all the same. */
export type Undo<T> = (result: T) => never
export type Operation<T> = (undo: Undo<T>) => T

export type Writer = {
  /** Runs in the next group; resolves when the group's commit is on disk. */
  write<T>(operation: Operation<T>): Promise<T>
  /** Commits what is queued. */
  flush(): void
}

type Waiting = {
  run: Operation<unknown>
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** Bounds what one commit holds up; the rest goes into the next, right behind. */
const groupMax = 1024

/**
 * One fsync for all the writes of a turn of the event loop. Each operation runs in a savepoint: one
 * that throws fails alone. Nobody is answered before the commit has reached the disk, and when it
 * does not, nobody is told that it did.
 */
export function createWriter(
  database: Database,
  options: { beforeCommit?: () => void; onRollback?: () => void; grouped?: boolean } = {},
): Writer {
  const { beforeCommit, onRollback, grouped = true } = options
  const begin = database.prepare('begin immediate')
  const commit = database.prepare('commit')
  const savepoint = database.prepare('savepoint operation')
  const release = database.prepare('release operation')
  const rollBackTo = database.prepare('rollback to operation')
  let queue: Waiting[] = []
  let scheduled = false

  function attempt(waiting: Waiting): () => void {
    let undone: { result: unknown } | null = null
    savepoint.run()
    try {
      const value = waiting.run((result) => {
        undone = { result }
        throw undone
      })
      release.run()
      return () => waiting.resolve(value)
    } catch (error) {
      // A full disk ends the whole transaction; then there is no savepoint to go back to.
      if (!database.inTransaction) throw error
      rollBackTo.run()
      release.run()
      if (undone !== null && error === undone) {
        const { result } = undone as { result: unknown }
        return () => waiting.resolve(result)
      }
      return () => waiting.reject(toProblem(error))
    }
  }

  function runGroup(group: Waiting[]): void {
    try {
      begin.run()
      const answers = group.map(attempt)
      beforeCommit?.()
      commit.run()
      for (const answer of answers) answer()
    } catch (error) {
      if (database.inTransaction) database.run('rollback')
      onRollback?.()
      const problem = toProblem(error)
      for (const waiting of group) waiting.reject(problem)
    }
  }

  function flush(): void {
    scheduled = false
    while (queue.length > 0) {
      const group = queue.slice(0, grouped ? groupMax : 1)
      queue = queue.slice(group.length)
      runGroup(group)
    }
  }

  return {
    flush,
    write<T>(operation: Operation<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        queue.push({ run: operation, resolve: resolve as (value: unknown) => void, reject })
        if (scheduled) return
        scheduled = true
        setImmediate(flush)
      })
    },
  }
}

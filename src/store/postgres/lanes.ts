import type { ReservedSQL, SQL } from 'bun'
import type { Timers } from '../../domain/ports.ts'
import { isConnectionLost, Unavailable } from './failure.ts'
import { type Bound, bind, type Values } from './placeholders.ts'
import { toRows } from './rows.ts'

/** The order in which waiting operations get a lane. */
export const priorities = ['check', 'start', 'background'] as const
export type Priority = (typeof priorities)[number]

/** Runs statements on one connection, one after another. */
export type Session = {
  /** The rows, with `snake_case` names in `camelCase` and 64-bit integers as numbers. */
  query<Row>(text: string, values?: Values): Promise<Row[]>
  /** How many rows were changed. */
  run(text: string, values?: Values): Promise<number>
  /** Calls `listener` once the work has succeeded: after the commit of its transaction. */
  onCommit(listener: () => void): void
}

export type Lanes = {
  /** Waits for a free lane and runs the work on it; rejects with `Unavailable` after `waitMs`. */
  use<Result>(priority: Priority, work: (session: Session) => Promise<Result>): Promise<Result>
  /** Finishes what is running and closes every connection. */
  close(): Promise<void>
}

export type LaneOptions = {
  /** Makes a client with one connection. */
  connect(): SQL
  /** The most connections. */
  count: number
  timers: Pick<Timers, 'after'>
  /** The longest that a statement may take, in ms; longer than the server's own limit of 3 s. */
  statementMs?: number
  /** The longest wait for a lane, in ms. */
  waitMs?: number
  /** The most operations that wait for a lane. */
  waitingMax?: number
}

type Lane = {
  sql: SQL
  /** Held by the operation that uses the lane: the driver connects anew between two statements. */
  connection: Promise<ReservedSQL> | null
  isLost: boolean
}
type Waiting = { resolve(lane: Lane): void; reject(error: unknown): void; cancel(): void }

/**
 * A pool of connections with one statement in flight each. The driver has no time limit, and a
 * connection that breaks fails every statement that was sent behind the first; so each statement has a
 * timer here, and a lane whose timer rings is thrown away and replaced. The statement is not
 * cancelled: a write that is cancelled while it waits for the standby is reported as done.
 */
export function createLanes(options: LaneOptions): Lanes {
  const { connect, count, timers, statementMs = 4000 } = options
  const { waitMs = 5000, waitingMax = 20_000 } = options
  const limit = { timers, statementMs }
  const idle: Lane[] = []
  const waiting: Record<Priority, Waiting[]> = { check: [], start: [], background: [] }
  let open = 0
  let isClosed = false
  let onIdle: (() => void) | null = null

  const newLane = (): Lane => ({ sql: connect(), connection: null, isLost: false })

  function take(priority: Priority): Lane | Promise<Lane> {
    if (isClosed) throw new Unavailable('the store is closed')
    const free = idle.pop()
    if (free) return free
    if (open < count) {
      open++
      return newLane()
    }
    const queue = waiting[priority]
    if (queue.length >= waitingMax) throw new Unavailable('too many operations wait')
    return new Promise((resolve, reject) => {
      const one: Waiting = { resolve, reject, cancel: () => {} }
      one.cancel = timers.after(waitMs, () => {
        queue.splice(queue.indexOf(one), 1)
        reject(new Unavailable('no connection became free'))
      })
      queue.push(one)
    })
  }

  function give(lane: Lane): void {
    if (lane.isLost) discard(lane)
    const next = priorities.map((priority) => waiting[priority]).find(({ length }) => length > 0)
    const one = next?.shift()
    if (one) {
      one.cancel()
      one.resolve(lane.isLost ? newLane() : lane)
      return
    }
    if (lane.isLost) open--
    else idle.push(lane)
    if (idle.length === open) onIdle?.()
  }

  return {
    async use(priority, work) {
      const lane = await take(priority)
      const listeners: (() => void)[] = []
      try {
        const answer = (text: string, values: Values = {}) => ask(lane, bind(text, values), limit)
        const result = await work({
          query: async (text, values) => toRows(await answer(text, values)),
          run: async (text, values) => (await answer(text, values)).count,
          onCommit: (listener) => void listeners.push(listener),
        })
        for (const listener of listeners) listener()
        return result
      } finally {
        await release(lane)
        give(lane)
      }
    },
    async close() {
      isClosed = true
      if (idle.length < open) await new Promise<void>((resolve) => (onIdle = resolve))
      await Promise.all(idle.map(({ sql }) => sql.close({ timeout: 0 })))
    },
  }
}

type Limit = { timers: Pick<Timers, 'after'>; statementMs: number }
type Answer = Record<string, unknown>[] & { count: number }

/** Runs a statement on a lane; rejects, and gives the lane up, when it takes too long. */
async function ask(
  lane: Lane,
  { sql: statement, list }: Bound,
  { timers, statementMs }: Limit,
): Promise<Answer> {
  lane.connection ??= lane.sql.reserve()
  const asked = lane.connection.then((connection) => connection.unsafe(statement, list))
  let cancel = () => {}
  const late = new Promise<never>((_, reject) => {
    cancel = timers.after(statementMs, () => {
      lane.isLost = true
      discard(lane)
      reject(new Unavailable('the database did not answer in time'))
    })
  })
  try {
    return await Promise.race([asked, late])
  } catch (error) {
    if (isConnectionLost(error)) lane.isLost = true
    throw error
  } finally {
    cancel()
  }
}

async function release(lane: Lane): Promise<void> {
  const { connection } = lane
  lane.connection = null
  if (lane.isLost) return
  // Without a connection the operation has failed.
  await connection?.then((reserved) => reserved.release()).catch(() => {})
}

/** Closes at once; the running statement then rejects, which nobody waits for. */
function discard({ sql }: Lane): void {
  sql.close({ timeout: 0 }).catch(() => {})
}

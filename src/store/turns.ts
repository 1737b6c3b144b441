import { Problem } from '../domain/problem.ts'

/** The most that wait for their turn; more are refused. */
const waitingMax = 1000

/** Runs one work at a time, in the order in which they were asked for. */
export function createTurns(max = waitingMax) {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  return <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (waiting >= max) {
      return Promise.reject(new Problem('store_unavailable', { retryAfterSeconds: 5 }))
    }
    waiting++
    const result = last.then(() => {
      waiting--
      return work()
    })
    last = result.catch(() => {})
    return result
  }
}

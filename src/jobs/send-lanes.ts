/** Runs jobs at once, each app in its own lane: one whose server hangs holds up nobody else. */
export type Lanes<Job> = {
  /** False when the app's lane is full; the job is then not kept. */
  add(appId: string, job: Job): boolean
  /** Forgets what waits; resolves when nothing runs any more. */
  drain(): Promise<void>
}

type Lane<Job> = { running: number; waiting: Job[] }

/** `run` must not reject. `waitingMax` is of one app. */
export function createLanes<Job>({
  runningMax,
  waitingMax,
  run,
}: {
  runningMax: number
  waitingMax: number
  run(job: Job): Promise<void>
}): Lanes<Job> {
  const lanes = new Map<string, Lane<Job>>()
  const running = new Set<Promise<void>>()

  const begin = (appId: string, lane: Lane<Job>, job: Job) => {
    lane.running++
    const done = run(job).then(() => {
      running.delete(done)
      lane.running--
      const next = lane.waiting.shift()
      if (next !== undefined) begin(appId, lane, next)
      else if (lane.running === 0) lanes.delete(appId)
    })
    running.add(done)
  }
  return {
    add(appId, job) {
      const lane = lanes.get(appId) ?? { running: 0, waiting: [] }
      lanes.set(appId, lane)
      if (lane.running < runningMax) begin(appId, lane, job)
      else if (lane.waiting.length < waitingMax) lane.waiting.push(job)
      else return false
      return true
    },
    async drain() {
      for (const lane of lanes.values()) lane.waiting.length = 0
      await Promise.all(running)
    },
  }
}

import { expect, test } from 'bun:test'
import { createLanes } from '../../src/jobs/send-lanes.ts'

test('a full lane keeps no more, and another app’s lane is not full', async () => {
  const done = Promise.withResolvers<void>()
  const run: string[] = []
  const lanes = createLanes<string>({
    runningMax: 1,
    waitingMax: 1,
    run: (job) => {
      run.push(job)
      return done.promise
    },
  })

  const kept = ['a1', 'a2', 'a3', 'b1'].map((job) => lanes.add(job.charAt(0), job))

  expect(kept).toEqual([true, true, false, true])
  expect(run).toEqual(['a1', 'b1'])
  done.resolve()
  await Bun.sleep(0)
  expect(run).toEqual(['a1', 'b1', 'a2'])
})

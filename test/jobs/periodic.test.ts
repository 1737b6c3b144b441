import { expect, test } from 'bun:test'
import { periodic } from '../../src/jobs/periodic.ts'
import { createLog } from '../../src/log.ts'
import { systemTimers } from '../../src/system.ts'

function logged() {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  const log = createLog({ level: 'debug', write, clock: { now: () => 0 } })
  return { lines, ports: { log, timers: systemTimers } }
}

test('runs of a job never overlap, and one that throws is logged and does not end the job', async () => {
  const { lines, ports } = logged()
  let running = 0
  let most = 0
  let runs = 0
  const enough = Promise.withResolvers<void>()
  const job = periodic(ports, { everyMs: 0, event: 'try' }, async () => {
    running += 1
    runs += 1
    most = Math.max(most, running)
    if (runs === 4) enough.resolve()
    await Bun.sleep(1)
    running -= 1
    throw new Error('with a secret')
  })

  job.start()
  await enough.promise
  await job.stop()
  const ended = { running, runs }

  await Bun.sleep(5)
  expect(ended.running).toBe(0)
  expect([most, runs]).toEqual([1, ended.runs])
  expect(lines.join('')).toContain('"event":"try_failed"')
  expect(lines.join('')).not.toContain('secret')
})

test('a job first runs as soon as it is started', async () => {
  const ran = Promise.withResolvers<void>()
  const everyMs = 2 ** 31 - 1
  const rare = periodic(logged().ports, { everyMs, event: 'try' }, async () => ran.resolve())

  rare.start()
  await ran.promise
  await rare.stop()
})

test('a job skips its runs while this node is not current, and goes on with them', async () => {
  let looks = 0
  const runs: number[] = []
  const ran = Promise.withResolvers<void>()
  const ports = { ...logged().ports, isCurrent: () => ++looks > 3 }
  const job = periodic(ports, { everyMs: 0, event: 'try' }, async () => {
    runs.push(looks)
    ran.resolve()
  })

  job.start()
  await ran.promise
  await job.stop()

  expect(runs[0]).toBe(4)
})

import { expect, test } from 'bun:test'
import { createRotationWatch } from '../../src/jobs/watch.ts'
import { createLog } from '../../src/log.ts'

const clock = { now: () => 0 }

test('a server that lost its keys says so once, until it finds them', async () => {
  const answers = [
    { ok: false as const, mistake: 'no key' },
    { ok: false as const, mistake: 'no key' },
    { ok: true as const, changed: true },
  ]
  const lines: string[] = []
  const log = createLog({ level: 'info', write: (line) => lines.push(line), clock })
  const keys = { right: true }
  const seen: boolean[] = []
  const done = Promise.withResolvers<void>()
  const follow = async () => {
    seen.push(keys.right)
    const next = answers.shift()
    if (!next) done.resolve()
    return next ?? { ok: true as const, changed: false }
  }

  const watch = createRotationWatch({ follow, keys, log, intervalMs: 0 })
  watch.start()
  await done.promise
  await watch.stop()

  expect(seen.slice(0, 4)).toEqual([true, false, false, true])
  expect(lines.filter((line) => line.includes('keys_lost')).length).toBe(1)
  expect(lines.filter((line) => line.includes('keys_changed')).length).toBe(1)
})

import { expect, test } from 'bun:test'
import { mapAtOnce } from '../../src/runtime/doctor/at-once.ts'

test('no more than so many are under way, and results keep the order of their items', async () => {
  let running = 0
  let most = 0
  const ends = Array.from({ length: 25 }, () => Promise.withResolvers<void>())
  const all = mapAtOnce([...ends.keys()], 10, async (index) => {
    most = Math.max(most, ++running)
    await ends[index]?.promise
    running--
    return index * 2
  })
  for (const { resolve } of ends.toReversed()) {
    resolve()
    await Promise.resolve()
  }

  expect(await all).toEqual([...ends.keys()].map((index) => index * 2))
  expect(most).toBe(10)
})

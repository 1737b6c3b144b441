import { expect, test } from 'bun:test'
import { Problem } from '../../src/domain/problem.ts'
import { type BatchOptions, createBatch } from '../../src/store/postgres/batch.ts'
import { systemTimers } from '../../src/system.ts'
import { problemCode } from './files.ts'

/** A command names its keys; the part behind `:` tells commands for the same ones apart. */
const keysOf = (command: string) => (command.split(':')[0] ?? '').split(' ')

/** A batch whose runs end when the test says so. Each command is answered by itself in capitals. */
function held(change: Partial<BatchOptions<string, string>> = {}) {
  const runs: string[][] = []
  const ends: (() => void)[] = []
  const batch = createBatch<string, string>({
    ...{ timers: systemTimers, keyOf: keysOf, max: 4, atOnce: 1 },
    run: (commands) => {
      runs.push(commands)
      const answers = commands.map((command) => command.toUpperCase())
      return new Promise((resolve) => ends.push(() => resolve(answers)))
    },
    ...change,
  })
  const soon = () => new Promise<void>((resolve) => systemTimers.soon(resolve))
  /** Lets turns of the event loop end, so that what has ended is answered and what is due begins. */
  const turn = () => soon().then(soon)
  return { batch, runs, end: () => ends.shift()?.(), turn }
}

test('the commands of a turn run together, sorted by key, and each gets its own answer', async () => {
  const { batch, runs, end, turn } = held()
  const answers = Promise.all(['c', 'a', 'b'].map(batch))
  await turn()
  end()

  expect(await answers).toEqual(['C', 'A', 'B'])
  expect(runs).toEqual([['a', 'b', 'c']])
})

test('no two commands of a batch share a key, and those of one key run in their order', async () => {
  const { batch, runs, end, turn } = held()
  const answers = Promise.all(['a b:1', 'b c:2', 'c:3', 'd:4', 'a:5'].map(batch))
  for (let batches = 0; batches < 3; batches++) {
    await turn()
    end()
  }

  // The third could run at once, but it would overtake the second, which waits for the first.
  expect(runs).toEqual([['a b:1', 'd:4'], ['a:5', 'b c:2'], ['c:3']])
  expect(await answers).toEqual(['A B:1', 'B C:2', 'C:3', 'D:4', 'A:5'])
})

test('a batch has no more commands than the most, and no more batches run at a time', async () => {
  const { batch, runs, end, turn } = held({ max: 2, atOnce: 2 })
  const answers = Promise.all(['a', 'b', 'c', 'd', 'e'].map(batch))
  await turn()
  expect(runs).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ])

  end()
  await turn()
  expect(runs.slice(2)).toEqual([['e']])
  end()
  end()
  expect(await answers).toEqual(['A', 'B', 'C', 'D', 'E'])
})

test('a batch runs alone for a while, and the next one begins when it takes longer', async () => {
  const rung: (() => void)[] = []
  const after = (_: number, ring: () => void) => {
    rung.push(ring)
    return () => {}
  }
  const timers = { ...systemTimers, after }
  const { batch, runs, end, turn } = held({ max: 1, atOnce: 2, aloneMs: 20, timers })
  const answers = Promise.all(['a', 'b', 'c'].map(batch))
  await turn()
  expect(runs).toEqual([['a']])
  rung[0]?.()
  await turn()
  expect(runs).toEqual([['a'], ['b']])
  rung[1]?.()
  await turn()
  expect(runs).toEqual([['a'], ['b']])

  end()
  await turn()
  end()
  end()
  expect(runs).toEqual([['a'], ['b'], ['c']])
  expect(await answers).toEqual(['A', 'B', 'C'])
})

test('after four commands the next batch waits for those who were answered, unless many wait', async () => {
  const rung: (() => void)[] = []
  const after = (_: number, ring: () => void) => {
    rung.push(ring)
    return () => {}
  }
  const timers = { ...systemTimers, after }
  const { batch, runs, end, turn } = held({ max: 40, restMs: 2, timers })
  const names = (count: number, of: string) =>
    Array.from({ length: count }, (_, index) => `${of}${String(index).padStart(2, '0')}`)
  const sizes = () => runs.map(({ length }) => length)
  const ask = (count: number, of: string) => Promise.all(names(count, of).map(batch))
  const step = async () => {
    end()
    await turn()
  }

  const few = ask(3, 'a')
  await turn()
  const four = ask(4, 'b')
  await step()
  expect(sizes()).toEqual([3, 4])
  const waiting = ask(5, 'c')
  await step()
  expect(sizes()).toEqual([3, 4])
  const more = ask(26, 'd')
  await turn()
  expect(sizes()).toEqual([3, 4])
  rung.at(-1)?.()
  await turn()
  expect(sizes()).toEqual([3, 4, 31])

  await step()
  const many = ask(32, 'e')
  await turn()
  expect(sizes()).toEqual([3, 4, 31, 32])
  end()
  for (const answers of [few, four, waiting, more, many]) await answers
})

test('a command more than may wait is refused, and one that ran makes room', async () => {
  const { batch, end, turn } = held({ max: 1, waitingMax: 2 })
  const first = batch('a')
  await turn()
  const others = ['b', 'c'].map(batch)

  expect(await problemCode(batch('d'))).toBe('store_unavailable')
  end()
  await first
  await turn()
  const last = batch('d')
  for (const one of [...others, last]) {
    end()
    await one
    await turn()
  }
  expect(await last).toBe('D')
})

test('when the database is unavailable every command of the batch is refused, and none runs again', async () => {
  const runs: string[][] = []
  const { batch } = held({
    run: async (commands) => {
      runs.push(commands)
      throw new Problem('store_unavailable')
    },
  })

  const codes = await Promise.all(['a', 'b'].map((command) => problemCode(batch(command))))

  expect(codes).toEqual(['store_unavailable', 'store_unavailable'])
  expect(runs).toEqual([['a', 'b']])
})

test('a command that cannot be run fails alone', async () => {
  const { batch } = held({
    run: async (commands) => {
      if (commands.includes('b')) throw new Error('b is wrong')
      return commands.map((command) => command.toUpperCase())
    },
  })

  const [a, b, c] = await Promise.allSettled(['a', 'b', 'c'].map(batch))

  expect([a, c].map((one) => one?.status === 'fulfilled' && one.value)).toEqual(['A', 'C'])
  expect(b?.status === 'rejected' && b.reason.message).toBe('b is wrong')
})

test('answers that are fewer than the commands are nobody’s, and nothing runs again', async () => {
  const runs: string[][] = []
  const { batch } = held({
    run: async (commands) => {
      runs.push(commands)
      return commands.slice(1)
    },
  })

  const codes = await Promise.all(['a', 'b'].map((command) => problemCode(batch(command))))

  expect(codes).toEqual(['store_unavailable', 'store_unavailable'])
  expect(runs).toEqual([['a', 'b']])
})

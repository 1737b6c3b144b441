import { expect, test } from 'bun:test'
import type { SettleCommand } from '../../../src/domain/delivery/stores.ts'
import { createLedger } from '../../../src/jobs/sender/ledger.ts'
import { simulatedTime } from './simulated-time.ts'

const end = (id: string): SettleCommand => ({
  delivery: { id, appId: 'app', mode: 'live', verificationId: 'v' },
  made: null,
  status: 'sent',
  detail: null,
  event: 'delivery.sent',
  counted: null,
  suppress: null,
  again: null,
  follow: null,
  now: 0,
})
const ignore = () => {}

function opened(settle: (id: string) => Promise<void>) {
  const time = simulatedTime()
  let rooms = 0
  const warnings: string[] = []
  const none = () => {}
  const ledger = createLedger({
    deliveries: { settle: ({ delivery }) => settle(delivery.id).then(() => false) },
    timers: time.timers,
    log: { debug: none, info: none, warn: (event) => warnings.push(event), error: none },
    onRoom: () => rooms++,
  })
  return { time, ledger, warnings, rooms: () => rooms }
}

test('outcomes that come one after another are written to the store in one batch', async () => {
  const groups: [number, string][] = []
  const { time, ledger } = opened(async (id) => void groups.push([time.timers.monotonic(), id]))
  for (const ids of ['abc', 'de']) {
    for (const id of ids) {
      void ledger.settle(end(id), ignore)
      await time.run(2)
    }
    await time.run(20)
  }

  expect(groups).toEqual([
    ...['a', 'b', 'c'].map((id): [number, string] => [10, id]),
    ...['d', 'e'].map((id): [number, string] => [36, id]),
  ])
})

test('an outcome that a caller waits for is written at once, with those before it', async () => {
  const groups: [number, string][] = []
  const { time, ledger } = opened(async (id) => void groups.push([time.timers.monotonic(), id]))
  void ledger.settle(end('a'), ignore)
  await time.run(3)
  void ledger.settle(end('b'), ignore, true)
  void ledger.settle(end('c'), ignore, true)
  await time.run(0.5)
  void ledger.settle(end('d'), ignore)
  await time.run(20)

  expect(groups).toEqual([...['a', 'b', 'c'].map((id): [number, string] => [3, id]), [13.5, 'd']])
})

test('an outcome that the store refuses is written again until it succeeds', async () => {
  let isFull = true
  const written: string[] = []
  const { time, ledger } = opened(async (id) => {
    if (isFull) throw new Error('disk full')
    written.push(id)
  })
  const onDisk: string[] = []
  const first = ledger.settle(end('a'), () => onDisk.push('a'))

  expect(await time.until(first)).toBe(false)
  await time.run(3_000)
  expect([written, onDisk]).toEqual([[], []])
  isFull = false
  await time.run(1_100)

  expect([written, onDisk]).toEqual([['a'], ['a']])
})

test('a bounded number of outcomes waits, and the sender is told when there is room again', async () => {
  let isFull = true
  const { time, ledger, rooms } = opened(async () => {
    if (isFull) throw new Error('disk full')
  })
  for (let count = 0; count < 2_000; count++) void ledger.settle(end(`${count}`), ignore)
  await time.run(100)
  expect([ledger.hasRoom(), rooms()]).toEqual([false, 0])

  isFull = false
  await time.run(1_100)

  expect([ledger.hasRoom(), rooms()]).toEqual([true, 1])
})

test('draining waits for unwritten outcomes, for a limited time', async () => {
  const written: string[] = []
  const { time, ledger } = opened(async (id) => {
    if (id === 'b') throw new Error('disk full')
    written.push(id)
  })
  const failed = ledger.settle(end('b'), ignore)
  void ledger.settle(end('a'), ignore)

  await time.until(ledger.drain())

  expect(written).toEqual(['a'])
  expect(await failed).toBe(false)
})

test('an outcome that cannot be written is logged once, however often it is tried', async () => {
  let isFull = true
  const { time, ledger, warnings } = opened(async () => {
    if (isFull) throw new Error('full')
  })
  void ledger.settle(end('a'), ignore)
  await time.run(5_000)
  isFull = false
  await time.run(5_000)

  expect(warnings).toEqual(['delivery_not_written'])
  expect(ledger.hasRoom()).toBe(true)
})

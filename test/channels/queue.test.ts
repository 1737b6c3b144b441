import { expect, test } from 'bun:test'
import { createQueue, waitMaxMs } from '../../src/channels/queue.ts'
import type { DeliveryOutcome } from '../../src/domain/delivery/delivery.ts'

const sent: DeliveryOutcome = { status: 'sent', code: '250', detail: 'ok', remoteId: null }
const network: DeliveryOutcome = {
  ...{ status: 'deferred', cause: 'network', ambiguous: false, retryAfterMs: null, code: null },
  detail: 'no connection',
}

/** A queue with a clock that the test moves, and hand-overs that the test ends. */
function openQueue() {
  let now = 0
  const queue = createQueue({ clock: { now: () => now }, timers: { monotonic: () => now } })
  const running: { name: string; end(outcome?: DeliveryOutcome): void }[] = []
  const { signal: never } = new AbortController()
  return {
    running,
    names: () => running.map(({ name }) => name).join(' '),
    advance(ms: number) {
      now += ms
    },
    run: (
      name: string,
      { width = 1, endpointId = 'one', signal = never, expiresAt = 600_000 } = {},
    ) =>
      queue.run({ endpointId, expiresAt }, { width, signal }, () => {
        return new Promise<DeliveryOutcome>((resolve) => {
          const one = { name, end: (outcome = sent) => resolve(outcome) }
          running.push(one)
        }).finally(() => {
          running.splice(
            running.findIndex((each) => each.name === name),
            1,
          )
        })
      }),
    end: async (name: string, outcome?: DeliveryOutcome) => {
      running.find((each) => each.name === name)?.end(outcome)
      await Bun.sleep(0)
    },
  }
}

test('as many hand-overs run to an endpoint as the latest width says, in their order', async () => {
  const { run, end, names } = openQueue()
  for (const name of ['a', 'b', 'c', 'd']) void run(name, { width: 2 })
  expect(names()).toBe('a b')

  await end('a')
  expect(names()).toBe('b c')
  void run('e', { width: 1 })
  await end('b')
  expect(names()).toBe('c')
  await end('c')
  expect(names()).toBe('d')
})

test('another endpoint has a queue of its own', () => {
  const { run, names } = openQueue()
  void run('a')
  void run('b', { endpointId: 'two' })

  expect(names()).toBe('a b')
})

test('the wait in the queue does not count as time of the hand-over', async () => {
  const { run, end, advance } = openQueue()
  const first = run('a')
  const second = run('b')
  advance(700)
  await end('a')
  advance(30)
  await end('b')

  expect(await first).toEqual({ outcome: sent, tookMs: 700, others: 0 })
  expect(await second).toEqual({ outcome: sent, tookMs: 30, others: 0 })
})

test('a hand-over that fails for want of the server gives back those that wait', async () => {
  const { run, end, names } = openQueue()
  const first = run('a', { width: 2 })
  const second = run('b', { width: 2 })
  const third = run('c', { width: 2 })
  await end('a', network)

  expect(await third).toBeNull()
  expect(await first).toEqual({ outcome: network, tookMs: 0, others: 1 })
  expect(names()).toBe('b')
  await end('b')
  expect(await second).toMatchObject({ outcome: sent })
})

test('a mail that the server refuses stops no other', async () => {
  const { run, end, names } = openQueue()
  void run('a')
  void run('b')
  await end('a', { status: 'refused', cause: 'recipient', code: '550', detail: '550 unknown' })

  expect(names()).toBe('b')
})

test('a hand-over that waited for two seconds is given back, and the next begins', async () => {
  const { run, end, advance, names } = openQueue()
  void run('a')
  const late = run('b')
  advance(waitMaxMs + 1)
  void run('c')
  await end('a')

  expect(await late).toBeNull()
  expect(names()).toBe('c')
})

test('a mail whose code expires in the queue is given back', async () => {
  const { run, end, advance, names } = openQueue()
  void run('a')
  const late = run('b', { expiresAt: 500 })
  void run('c', { expiresAt: 501 })
  advance(500)
  await end('a')

  expect(await late).toBeNull()
  expect(names()).toBe('c')
})

test('a stopped hand-over leaves the queue without a beginning', async () => {
  const { run, end, names } = openQueue()
  const stop = new AbortController()
  void run('a')
  const stopped = run('b', { signal: stop.signal })
  const before = run('c', { signal: AbortSignal.abort('cancel') })
  stop.abort('cancel')

  expect(await stopped).toBeNull()
  expect(await before).toBeNull()
  await end('a')
  expect(names()).toBe('')
})

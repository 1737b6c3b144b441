import { expect, test } from 'bun:test'
import type { Timers } from '../../src/domain/ports.ts'
import { createCredentialLimit } from '../../src/http/core/credential-limit.ts'
import { createCredentialWatch } from '../../src/http/core/credential-watch.ts'
import { systemTimers } from '../../src/system.ts'
import { strangeKey } from '../support/world.ts'
import { type Site, site } from './fixture.ts'

/** Timers that the test runs. */
function manualTimers(): { timers: Timers; minute(): void } {
  let waiting: (() => void)[] = []
  const timers: Timers = {
    ...systemTimers,
    after(_ms, callback) {
      waiting.push(callback)
      return () => {
        waiting = waiting.filter((other) => other !== callback)
      }
    },
  }
  return {
    timers,
    minute() {
      const due = waiting
      waiting = []
      for (const callback of due) callback()
    },
  }
}

async function watched() {
  const { timers, minute: run } = manualTimers()
  const at = await site({ ports: { timers } })
  const minute = () => {
    at.clock.advance(60_000)
    run()
    return reported(at)
  }
  const fail = async (count: number, from = '192.0.2.1') => {
    for (let i = 0; i < count; i++) {
      await at.call('GET', '/v1/apps', { token: strangeKey('admin'), from })
    }
  }
  const lines = (event: string) =>
    at
      .logged()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter((line) => line.event === event)
  return { at, minute, fail, lines }
}

/** A report makes at most three calls of the store, one after another, which come before these. */
async function reported({ ports }: Site): Promise<void> {
  const { limits, clock } = ports
  for (let i = 0; i < 5; i++) await limits.remember(new Uint8Array(16), clock.now())
}

const alarmsOf = async (at: Site) => {
  return (await at.ports.alarms.list({ appId: null, open: true, limit: 10, cursor: null })).items
}

test('forty wrong admin tokens leave one line that names the address, an alarm and an event', async () => {
  const { at, minute, fail, lines } = await watched()

  await fail(40)
  await fail(2, '2001:db8:1:2:3::4')
  await minute()

  expect(lines('unknown_credentials')).toMatchObject([
    { level: 'warn', client: '192.0.2.1', count: 42 },
  ])
  expect(await alarmsOf(at)).toMatchObject([{ kind: 'unknown_credentials', until: null }])
  const query = { appId: null, type: 'alarm.raised', limit: 10, cursor: null } as const
  const { items } = await at.ports.events.list(query)
  expect(items).toMatchObject([
    { data: { kind: 'unknown_credentials', client: '192.0.2.1', count: 40 } },
  ])
})

test('a few failures leave a log line and no alarm', async () => {
  const { at, minute, fail, lines } = await watched()

  await fail(3)
  await minute()
  await minute()

  expect(lines('unknown_credentials')).toHaveLength(1)
  expect(await alarmsOf(at)).toEqual([])
})

test('the alarm stays on while failures go on, and is cleared after ten quiet minutes', async () => {
  const { at, minute, fail, lines } = await watched()
  for (let i = 0; i < 3; i++) {
    await fail(20)
    await minute()
  }
  for (let i = 0; i < 9; i++) await minute()
  const before = await alarmsOf(at)

  await minute()

  expect(before).toHaveLength(1)
  expect(await alarmsOf(at)).toEqual([])
  expect(lines('alarm_raised')).toHaveLength(1)
  expect(lines('alarm_cleared')).toHaveLength(1)
})

test('at most a thousand failing addresses are remembered', async () => {
  const { minute, at, lines } = await watched()
  for (let i = 0; i < 1100; i++) {
    const from = `10.${i >> 8}.${i & 255}.1`
    await at.call('GET', '/v1/verifications', { token: strangeKey('live'), from })
  }
  await minute()

  expect(lines('unknown_credentials')).toMatchObject([
    { count: 1100, client: 'others', detail: expect.stringContaining('1001 addresses') },
  ])
})

/** Two nodes on one store, whose minutes end together. */
async function twoNodes() {
  const at = await site()
  const nodes = [1, 2].map(() => {
    const { timers, minute } = manualTimers()
    const ports = { ...at.ports, timers }
    return { minute, limit: createCredentialLimit(ports, createCredentialWatch(ports).note) }
  })
  const client = { name: '192.0.2.1', wide: null }
  /** Calls without a valid credential, of which each node gets its share. */
  const fail = async (shares: number[]) => {
    for (const [index, count] of shares.entries()) {
      for (let i = 0; i < count; i++)
        await nodes[index]?.limit.chargeFailure(client).catch(() => {})
    }
  }
  const minute = async () => {
    at.clock.advance(60_000)
    for (const node of nodes) {
      node.minute()
      await reported(at)
    }
  }
  return { at, fail, minute }
}

test('an address that spreads its calls over two nodes is reported', async () => {
  const { at, fail, minute } = await twoNodes()

  await fail([6, 6])
  await minute()

  expect(await alarmsOf(at)).toMatchObject([{ kind: 'unknown_credentials', until: null }])
})

test('a quiet node does not clear the alarm of another one, and one of them clears it', async () => {
  const { at, fail, minute } = await twoNodes()
  const cleared = async () => {
    const query = { appId: null, type: 'alarm.cleared', limit: 10, cursor: null } as const
    return (await at.ports.events.list(query)).items.length
  }
  for (let i = 0; i < 15; i++) {
    await fail([20, 0])
    await minute()
  }
  expect([(await alarmsOf(at)).length, await cleared()]).toEqual([1, 0])

  for (let i = 0; i < 9; i++) await minute()
  expect([(await alarmsOf(at)).length, await cleared()]).toEqual([1, 0])
  await minute()

  expect([(await alarmsOf(at)).length, await cleared()]).toEqual([0, 1])
})

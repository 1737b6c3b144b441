import { expect, setDefaultTimeout, test } from 'bun:test'
import { clearAlarm, raiseAlarm } from '../../src/domain/alarm.ts'
import type { Flow, LaneFlow } from '../../src/domain/delivery/flow.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { createLive, streamsMax } from '../../src/http/live/live.ts'
import { steppedTimers } from '../jobs/fixture.ts'
import { startCommand } from '../support/commands.ts'
import { eventually } from '../support/executable.ts'
import { world } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

setDefaultTimeout(30_000)

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** Streams on a world, with timers that the test moves. */
async function live() {
  const w = await world()
  const [endpoint] = w.app.endpoints
  const lane: LaneFlow = {
    ...{ appId: w.app.id, channel: 'email', endpointId: endpoint?.id ?? null },
    ...{ waiting: 3, connections: 2, connectionsMax: 5, isPaused: false, meanMs: 120 },
  }
  const flow: Flow = { waiting: 3, oldestAt: w.clock.now(), sentPerSecond: 1.25, lanes: [lane] }
  const { timers, pass } = steppedTimers()
  let reads = 0
  const count = () => {
    reads++
    return flow
  }
  const streams = createLive({ ...w, timers, log, flow: count })
  return { w, flow, lane, streams, pass, reads: () => reads }
}

/** What a stream has told so far; `next` waits for the next piece. */
function follow(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader()
  return {
    leave: () => reader.cancel(),
    async next() {
      const { value, done } = await reader.read()
      if (done) return null
      const text = new TextDecoder().decode(value)
      const [, event = 'comment', data = 'null'] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(text) ?? []
      return { event, data: JSON.parse(data), text }
    },
  }
}

test('a stream begins with everything, and goes on with what has changed', async () => {
  const { w, flow, lane, streams, pass } = await live()
  const seen = follow(streams.open())
  await pass(0)
  const first = await seen.next()
  expect(first?.event).toBe('snapshot')
  expect(first?.data).toEqual({
    minutes: [],
    queue: { waiting: 3, oldest_at: '2026-06-15T12:00:00.000Z', sent_per_second: 1.3 },
    endpoints: [
      {
        ...{ app: w.app.id, app_name: 'Acme', channel: 'email', endpoint: lane.endpointId },
        ...{ endpoint_name: 'mail.example.com', waiting: 3, connections: 2 },
        ...{ connections_max: 5, paused: false, mean_ms: 120 },
      },
    ],
    alarms: [],
  })

  lane.waiting = 9
  await pass(2_000)
  const changed = await seen.next()
  expect([changed?.event, Object.keys(changed?.data)]).toEqual(['change', ['endpoints']])
  const place = { kind: 'login_refused', appId: w.app.id, endpointId: lane.endpointId } as const
  await raiseAlarm({ ...w, log }, place)
  flow.waiting = 4
  await pass(2_000)
  const raised = await seen.next()
  expect(Object.keys(raised?.data)).toEqual(['queue', 'alarms'])
  expect(raised?.data.alarms).toMatchObject([
    { kind: 'login_refused', app_name: 'Acme', what_to_do: expect.stringContaining('password') },
  ])
  await clearAlarm({ ...w, log }, place)
  await pass(2_000)
  expect((await seen.next())?.data).toEqual({ alarms: [] })
})

test('minutes show what was started, also after they were read once', async () => {
  const { w, streams, pass } = await live()
  const seen = follow(streams.open())
  const start = (to: string) =>
    startVerification(w, { app: w.app, mode: 'live', startedBy: 'v1', to })
  await start('ada@example.com')
  await pass(0)
  const none = { sent: 0, approved: 0, failed: 0 }
  const first = { at: '2026-06-15T12:00:00.000Z', started: 1, ...none }
  expect((await seen.next())?.data.minutes).toEqual([first])
  await start('bob@example.com')
  w.clock.advance(60_000)
  await start('carl@example.com')
  await pass(2_000)
  const second = { at: '2026-06-15T12:01:00.000Z', started: 1, ...none }
  expect((await seen.next())?.data.minutes).toEqual([{ ...first, started: 2 }, second])
  // What was begun in the minute before may be written in the next one.
  const late = startCommand({ appId: w.app.id, now: w.clock.now() - 60_000 })
  await w.verifications.start(late)
  await pass(2_000)
  expect((await seen.next())?.data.minutes).toEqual([{ ...first, started: 3 }, second])

  await seen.leave()
  await pass(2_000)
  w.clock.advance(5 * 60_000)
  await start('dora@example.com')
  w.clock.advance(5 * 60_000)
  await start('eve@example.com')
  const again = follow(streams.open())
  await pass(0)
  expect((await again.next())?.data.minutes).toHaveLength(4)
  w.clock.advance(50 * 60_000)
  await start('emil@example.com')
  await pass(2_000)
  const later = (await again.next())?.data.minutes
  expect(later.map(({ at }: { at: string }) => at.slice(11, 16))).toEqual([
    '12:06',
    '12:11',
    '13:01',
  ])
})

test('a stream is never silent for longer than 5 seconds, and comments only then', async () => {
  const { lane, streams, pass } = await live()
  const seen = follow(streams.open())
  const said: { second: number; event: string }[] = []
  let second = 0
  void (async () => {
    for (;;) {
      const told = await seen.next()
      if (!told) break
      said.push({ second, event: told.event })
    }
  })()
  await pass(0)
  for (second = 1; second <= 60; second++) {
    if (second === 31) lane.waiting = 9
    await pass(1000)
  }
  await seen.leave()

  const gaps = said.slice(1).map((each, at) => each.second - (said[at]?.second ?? 0))
  expect([Math.max(...gaps), said[0]]).toEqual([4, { second: 0, event: 'snapshot' }])
  expect(60 - (said.at(-1)?.second ?? 0)).toBeLessThan(5)
  expect(said.filter(({ event }) => event !== 'comment').map(({ event }) => event)).toEqual([
    ...['snapshot', 'change'],
  ])
  expect(said.length).toBeLessThan(20)
})

test('a stream without news consists of comments, and ends after 5 minutes', async () => {
  const { streams, pass } = await live()
  const seen = follow(streams.open())
  await pass(0)
  await seen.next()
  let comments = 0
  let ended = false
  const reading = (async () => {
    for (;;) {
      const told = await seen.next()
      if (!told) break
      expect(told.text).toMatch(/^: .*\n\n$/)
      comments++
    }
    ended = true
  })()
  await pass(60_000)
  expect(comments).toBe(15)
  await pass(239_000)
  expect(ended).toBe(false)
  await pass(3_000)
  await reading
})

test('one reading serves all that follow, and nothing is read while nobody does', async () => {
  const { streams, pass, reads } = await live()
  await pass(10_000)
  expect(reads()).toBe(0)
  const seen = Array.from({ length: 5 }, () => follow(streams.open()))
  await pass(0)
  await Promise.all(seen.map((each) => each.next()))
  await pass(10_000)
  expect(reads()).toBe(6)
  await Promise.all(seen.map((each) => each.leave()))
  await pass(2_000)
  const before = reads()
  await pass(60_000)
  expect(reads()).toBe(before)
})

test('a client that does not read is told the latest only', async () => {
  const { lane, streams, pass } = await live()
  const slow = follow(streams.open())
  for (let waiting = 1; waiting <= 100; waiting++) {
    lane.waiting = waiting
    await pass(2_000)
  }
  expect((await slow.next())?.data.endpoints).toMatchObject([{ waiting: 100 }])
  lane.waiting = 101
  await pass(2_000)
  expect((await slow.next())?.data.endpoints).toMatchObject([{ waiting: 101 }])
})

/** A server on a socket, and how many streams of it were refused. */
async function listening(at: Site) {
  at.server.listen(0)
  const url = `http://127.0.0.1:${at.server.server?.port}/v1/live`
  const headers = { authorization: `Bearer ${adminToken}` }
  const open = async () => {
    const stop = new AbortController()
    return { stop, response: await fetch(url, { headers, signal: stop.signal }) }
  }
  const head = () => fetch(url, { method: 'HEAD', headers })
  return { open, head }
}

test('a HEAD of the stream opens none', async () => {
  const at = await site()
  const { head, open } = await listening(at)

  for (let count = 0; count <= streamsMax; count++) {
    const { status, headers } = await head()
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream'])
  }
  const { stop, response } = await open()
  expect(response.status).toBe(200)

  stop.abort()
  await at.server.stop(true)
})

test('of more streams than may be open the next is refused, until one has gone', async () => {
  const at = await site()
  const { open } = await listening(at)
  const first = await open()
  const opened = [first, ...(await Promise.all(Array.from({ length: streamsMax - 1 }, open)))]
  expect(opened.map(({ response }) => response.status)).toEqual(opened.map(() => 200))

  const { response: refused } = await open()
  expect(refused.status).toBe(503)
  expect(await refused.json()).toMatchObject({ code: 'too_many_streams' })
  expect(refused.headers.get('retry-after')).toBe('10')
  first.stop.abort()
  let last = refused
  await eventually(async () => {
    last = (await open()).response
    return last.status === 200
  })
  const others = opened.slice(1).map(({ response }) => response.text())
  at.ports.live.stop()
  expect(await last.text()).toStartWith('event: snapshot\n')
  for (const text of await Promise.all(others)) expect(text).toStartWith('event: snapshot\n')
  expect((await open()).response.status).toBe(503)
  await at.server.stop(true)
})

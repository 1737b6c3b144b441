import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Lane, readHandover } from '../../../src/domain/delivery/handover.ts'
import { leaseMs, openMaxMs } from '../../../src/domain/delivery/lease.ts'
import type { DeliveryState } from '../../../src/domain/ports.ts'
import { Problem } from '../../../src/domain/problem.ts'
import { settingFields } from '../../../src/domain/settings.ts'
import { cancelVerification } from '../../../src/domain/verification/cancel.ts'
import { checkVerification } from '../../../src/domain/verification/check.ts'
import { resendVerification } from '../../../src/domain/verification/resend.ts'
import { wrongCode } from '../../support/world.ts'
import {
  later,
  refusedBy,
  says,
  sent,
  takes,
  unanswered,
  unreachable,
} from './simulated-servers.ts'
import { only, openStage, type Stage, type Started } from './stage.ts'

// Time is simulated, but the machine may be busy.
setDefaultTimeout(60_000)

let stage: Stage
beforeEach(async () => {
  stage = await openStage()
})
afterEach(() => stage.close())

/** A channel that never answers, as in a process that ends before it hands anything over. */
const lost = { deliver: () => new Promise<never>(() => {}), close: () => {} }

async function startOne(options: Parameters<Stage['start']>[1] = {}): Promise<Started> {
  const [started] = await stage.start(1, options)
  if (!started) throw new Error('nothing was started')
  return started
}

function server(app = stage.app) {
  return stage.servers.of(app.endpoints[0]?.id ?? '')
}

function settled({ id }: Started, waitMs = 5_000) {
  return stage.time.until(stage.sender.settled(id, waitMs))
}

async function statusOf(started: Started) {
  return only(await stage.history(started)).status
}

/** The code of the message that was handed over first. */
function firstCode(): string {
  return server().got[0]?.handover.code ?? ''
}

describe('a new message', () => {
  test('is handed over at once, and its outcome told to waiting callers', async () => {
    const started = await startOne()

    expect(await settled(started)).toEqual({
      status: 'sent',
      detail: sent.detail,
      maybeTaken: true,
      nextAt: null,
    })
    expect(server().got).toMatchObject([{ at: 0 }])
    const [delivery] = await stage.history(started)
    expect(delivery).toMatchObject({ status: 'sent', tries: 1 })
    expect(delivery?.history).toMatchObject([
      { number: 1, status: 'sent', tookMs: 100, code: '250 2.0.0', remoteId: '4B' },
    ])
  })

  test('has an outcome that callers still get soon after its end', async () => {
    const started = await startOne()
    await settled(started)

    expect(await settled(started, 0)).toMatchObject({ status: 'sent' })
    expect(await stage.time.until(stage.sender.settled('no such verification', 1))).toBeNull()
    await stage.time.run(5_000)
    expect(await settled(started, 0)).toBeNull()
  })

  test('is not handed over a second time by the query for due deliveries', async () => {
    const started = await startOne()
    stage.sender.start()
    await stage.time.run(10_000)

    expect(server().got).toHaveLength(1)
    expect(await statusOf(started)).toBe('sent')
  })

  test('that follows an older one has its own outcome', async () => {
    const started = await startOne()
    await settled(started)
    await stage.time.run(30_000)
    const again = { app: stage.app, mode: 'live', id: started.id } as const
    const ports = { ...stage.ports, outbox: stage.sender }
    await stage.time.until(resendVerification(ports, again))
    server().behave = says(refusedBy('recipient'), 500)

    expect(await settled(started)).toMatchObject({ status: 'sent' })
    expect(server().got.map(({ handover }) => handover.code)).toEqual(Array(2).fill(firstCode()))
  })
})

describe('a deferred message', () => {
  test('is tried again within the code’s life with the same digits, then given up', async () => {
    server().behave = says(later)
    const started = await startOne()
    stage.sender.start()
    await stage.time.run(600_000)

    const at = server().got.map((one) => one.at / 1000)
    const waits = at.slice(1).map((time, index) => time - (at[index] ?? 0))
    for (const [index, least] of [15, 45, 120, 240].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(least)
      expect(waits[index]).toBeLessThan(least * 1.2 + 1.2)
    }
    expect(new Set(server().got.map(({ handover }) => handover.code)).size).toBe(1)
    expect(new Set(server().got.map(({ handover }) => handover.deliveryId)).size).toBe(1)
    expect(only(await stage.history(started))).toMatchObject({
      status: 'undeliverable',
      detail: '450 4.2.0 mailbox busy',
      tries: 5,
    })
  })

  test('is told as deferred, and later with its final outcome', async () => {
    server().behave = says(later)
    const started = await startOne()
    expect(await settled(started)).toMatchObject({ status: 'deferred', maybeTaken: false })
    await stage.time.run(5_000)
    server().behave = takes(100)
    stage.sender.start()

    expect(await settled(started, 60_000)).toMatchObject({ status: 'sent' })
  })

  test('is told with the time of its next try, and a caller can wait through it', async () => {
    const soon = says({ ...later, retryAfterMs: 2_000 })
    server().behave = () => (server().got.length < 3 ? soon : takes(100))()
    const started = await startOne()
    stage.sender.start()
    const first = await settled(started)
    const [delivery] = await stage.history(started)
    const { at = 0, tookMs = 0 } = delivery?.history[0] ?? {}
    const nextAt = at + tookMs + 2_000
    expect(first).toMatchObject({ status: 'deferred', nextAt })

    const isEnough = ({ status }: DeliveryState) => status === 'sent'
    const wait = (ms: number) => stage.time.until(stage.sender.settled(started.id, ms, isEnough))
    expect(await wait(1_000)).toBeNull()
    expect(await wait(10_000)).toMatchObject({ status: 'sent', nextAt: null })
    expect(server().got).toHaveLength(3)
  })

  test('is tried again at the time that the server asked for', async () => {
    server().behave = says({ ...later, retryAfterMs: 100_000 })
    await startOne()
    stage.sender.start()
    await stage.time.run(99_000)
    expect(server().got).toHaveLength(1)

    await stage.time.run(3_000)

    expect(server().got).toHaveLength(2)
  })

  test.each(['used', 'canceled', 'exhausted'] as const)(
    'is not tried again once the code was %s',
    async (how) => {
      server().behave = says(later)
      const started = await startOne()
      await settled(started)
      const code = how === 'used' ? firstCode() : wrongCode(firstCode())
      const ports = { ...stage.ports, outbox: stage.sender }
      if (how === 'canceled') await stage.time.until(cancelVerification(ports, started))
      for (let count = 0; how !== 'canceled' && count < 5; count++) {
        const check = checkVerification(ports, { ...started, code }).catch(() => null)
        await stage.time.until(check)
      }
      stage.sender.start()
      await stage.time.run(300_000)

      expect(server().got).toHaveLength(1)
    },
  )

  test('that may have been accepted is sent once more after a minute, and never a third time', async () => {
    server().behave = says(unanswered)
    const started = await startOne()
    expect(await settled(started)).toMatchObject({ status: 'deferred', maybeTaken: true })
    stage.sender.start()
    await stage.time.run(500_000)

    const [first, second, ...more] = server().got.map(({ at }) => at)
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(60_000)
    expect(more).toEqual([])
    expect(await statusOf(started)).toBe('undeliverable')
  })
})

test('a refused message is not tried again', async () => {
  server().behave = says(refusedBy('recipient'))
  const started = await startOne()
  stage.sender.start()
  expect(await settled(started)).toEqual({
    status: 'refused',
    detail: '550 recipient',
    maybeTaken: false,
    nextAt: null,
  })
  await stage.time.run(300_000)

  expect(server().got).toHaveLength(1)
})

describe('a message of another process', () => {
  test('is sent with the same digits within 15 s of its node’s last sign of life', async () => {
    stage.restart({ channel: lost })
    await stage.beat('a')
    const started = await startOne()
    const queued = only(await stage.history(started))
    const before = await stage.time.until(readHandover(stage.ports, queued))
    stage.restart({ node: 'b' }).start()
    await stage.time.run(12_000)
    expect(server().got).toEqual([])

    await stage.time.run(3_000)

    expect(server().got.map(({ handover }) => handover)).toEqual(before ? [before] : [])
  })

  test('is sent when its lease ends, also while its node is alive', async () => {
    stage.restart({ channel: lost })
    await stage.beat('a')
    await startOne()
    stage.restart({ node: 'b' }).start()
    for (let ms = 0; ms < leaseMs - 5_000; ms += 5_000) {
      await stage.time.run(5_000)
      await stage.beat('a')
    }
    expect(server().got).toEqual([])

    await stage.time.run(10_000)

    expect(server().got).toHaveLength(1)
  })

  test('is sent at once by the next start of the same node', async () => {
    stage.restart({ channel: lost })
    await stage.start(20)
    await stage.time.until(stage.ports.deliveries.releaseLeases('a'))
    stage.restart().start()
    await stage.time.run(1_500)

    expect(server().accepted.size).toBe(20)
  })

  test('is claimed at once by a node with room, when it was queued without a lease', async () => {
    const listeners: ((lane: Lane) => void)[] = []
    const deliveries = {
      ...stage.ports.deliveries,
      announce(lane: Lane) {
        for (const listener of listeners) listener(lane)
      },
      onAnnounced: (listener: (lane: Lane) => void) => void listeners.push(listener),
    }
    stage.restart({ node: 'b', ports: { deliveries } }).start()
    await stage.time.run(10)
    const stopping = stage.restart({ ports: { deliveries } })
    await stage.time.until(stopping.stop(0))
    // It was asked before the node began to stop.
    stage.sender = { ...stopping, expectedWaitMs: () => 0 }

    await stage.start(20)
    // Less than the time until the next look.
    await stage.time.run(500)

    expect(server().accepted.size).toBe(20)
  })

  test('is found among any number of others, and no app waits for another’s', async () => {
    const other = await stage.newApp()
    server().behave = says(unreachable, 8_000)
    stage.restart({ channel: lost })
    await stage.start(200)
    await stage.start(100, { app: other })
    await stage.time.until(stage.ports.deliveries.releaseLeases('a'))
    stage.restart().start()
    await stage.time.run(2_500)

    expect(server(other).accepted.size).toBe(100)
  })
})

test('a look at the outbox covers every delivery whose code may be valid', () => {
  expect(settingFields.ttlSeconds.max * 1000).toBeLessThan(openMaxMs)
})

describe('a node that was stopped in a hand-over, and goes on', () => {
  const seenAt = () => 0

  test('sends nothing of what another node has taken over', async () => {
    server().behave = takes(20_000)
    stage.restart({ seenAt })
    await stage.beat('a')
    const started = await startOne()
    stage.restart({ node: 'b' }).start()
    await stage.time.run(19_000)
    expect(server().running).toBe(2)

    await stage.time.run(2_000)

    expect(server().running).toBe(1)
    expect(server().accepted.size).toBe(0)
    await stage.time.run(15_000)
    expect([...server().accepted.values()]).toEqual([1])
    const { history } = (await stage.history(started))[0] ?? {}
    expect(history).toMatchObject([{ number: 1, status: 'sent' }])
  })

  test('sends what it still holds', async () => {
    server().behave = takes(20_000)
    stage.restart({ seenAt })
    const started = await startOne()

    await stage.time.run(21_000)

    expect([...server().accepted.values()]).toEqual([1])
    expect(await statusOf(started)).toBe('sent')
  })

  test('sends nothing while the store cannot tell, and gives it back', async () => {
    server().behave = takes(20_000)
    const fails = () => Promise.reject(new Error('the database is gone'))
    const deliveries = { ...stage.ports.deliveries, isHeld: fails }
    stage.restart({ seenAt, ports: { deliveries } })
    const started = await startOne()
    await stage.time.run(21_000)
    expect(server().accepted.size).toBe(0)
    expect(await statusOf(started)).toBe('queued')

    stage.restart({ node: 'b' }).start()
    await stage.time.run(22_000)

    expect([...server().accepted.values()]).toEqual([1])
  })

  test('asks the store only when its last sign of life is old', async () => {
    let asked = 0
    const isHeld = async () => {
      asked++
      return true
    }
    const deliveries = { ...stage.ports.deliveries, isHeld }
    for (const [takesMs, times] of [
      [11_000, 0],
      [13_000, 1],
    ] as const) {
      server().behave = takes(takesMs)
      const since = stage.time.timers.monotonic()
      stage.restart({ seenAt: () => since, ports: { deliveries } })
      await startOne()
      await stage.time.run(20_000)
      expect(asked).toBe(times)
    }
    expect(server().accepted.size).toBe(2)
  })
})

describe('a code that was used or canceled', () => {
  test('is not sent any more, when its message waits for its turn', async () => {
    server().behave = takes(1_000)
    const all = await stage.start(20)
    const last = all.at(-1)
    if (!last) throw new Error('nothing was started')
    const ports = { ...stage.ports, outbox: stage.sender }
    await stage.time.until(cancelVerification(ports, last))

    expect(await settled(last, 0)).toMatchObject({ status: 'undeliverable', maybeTaken: false })
    await stage.time.run(30_000)
    expect(server().got).toHaveLength(19)
  })

  test('is stopped, when its message is not on its way yet', async () => {
    server().behave = takes(30_000)
    const started = await startOne()
    await stage.time.run(1_000)
    const ports = { ...stage.ports, outbox: stage.sender }
    await stage.time.until(cancelVerification(ports, started))

    expect(await settled(started)).toMatchObject({ status: 'undeliverable', maybeTaken: false })
    expect(server().accepted.size).toBe(0)
    expect(server().running).toBe(0)
  })

  test('is not tried through another endpoint when the server refuses it meanwhile', async () => {
    const app = await stage.newApp({ endpoints: 2 })
    server(app).behave = says(refusedBy('policy'), 5_000)
    const channel = stage.servers.newChannel()
    // The reply arrives after the cancel.
    const { signal } = new AbortController()
    stage.restart({ channel: { deliver: (mail) => channel.deliver(mail, signal), close() {} } })
    const started = await startOne({ app })
    await stage.time.run(1_000)
    const ports = { ...stage.ports, outbox: stage.sender }
    await stage.time.until(cancelVerification(ports, started))

    expect(await settled(started, 30_000)).toMatchObject({
      status: 'undeliverable',
      maybeTaken: false,
    })
    expect(stage.servers.of(app.endpoints[1]?.id ?? '').got).toEqual([])
  })

  test('is not sent after a long wait, where another node has ended it', async () => {
    server().behave = takes(6_000)
    const all = await stage.start(4)
    const last = all.at(-1)
    if (!last) throw new Error('nothing was started')
    await stage.time.run(5_500)
    const elsewhere = { ...stage.ports, outbox: { ...stage.sender, withdraw: () => {} } }
    await stage.time.until(cancelVerification(elsewhere, last))
    await stage.time.run(30_000)

    expect(server().got).toHaveLength(3)
  })
})

test('is left to the next node when it has waited longer than its lease', async () => {
  const app = await stage.newApp({ connectionsMax: 1 })
  server(app).behave = takes(5_000)
  const all = await stage.start(5, { app })
  await stage.time.run(1_000)
  // The wall clock jumps, so that every lease has ended.
  stage.time.step(leaseMs + 1_000)
  await stage.beat('b')
  stage.restart({ node: 'b' }).start()
  for (let seconds = 0; seconds < 60; seconds += 5) {
    await stage.time.run(5_000)
    for (const node of ['a', 'b']) await stage.beat(node)
  }

  const { accepted } = server(app)
  const first = only(await stage.history(all[0] ?? (await startOne()))).id
  expect(accepted.size).toBe(5)
  // Only the message that was on its way already was sent by both.
  for (const [id, times] of accepted) expect(times).toBe(id === first ? 2 : 1)
})

describe('when something fails', () => {
  test('a channel that throws leaves the row to its lease', async () => {
    const broken = { deliver: () => Promise.reject(new Error('bug')), close: () => {} }
    stage.restart({ channel: broken })
    const started = await startOne()
    await stage.time.run(1_000)
    expect(stage.lines.map(({ event }) => event)).toContain('delivery_failed')
    expect(await statusOf(started)).toBe('queued')

    stage.restart().start()
    await stage.time.run(leaseMs + 2_000)

    expect(await statusOf(started)).toBe('sent')
  })

  test('a message that cannot be read is sent as soon as the database is back, not after its lease', async () => {
    const { deliveries, verifications } = stage.ports
    let isAway = true
    const away = () => Promise.reject(new Problem('store_unavailable'))
    const get: typeof verifications.get = (key) => (isAway ? away() : verifications.get(key))
    const release: typeof deliveries.release = (command) =>
      isAway ? away() : deliveries.release(command)
    stage.restart({ channel: lost })
    const started = await startOne()
    await stage.time.until(deliveries.releaseLeases('a'))
    const ports = {
      verifications: { ...verifications, get },
      deliveries: { ...deliveries, release },
    }
    stage.restart({ ports }).start()
    await stage.time.run(10_000)
    expect(stage.lines.map(({ event }) => event)).toContain('outbox_release_failed')

    isAway = false
    await stage.time.run(5_000)

    expect(await statusOf(started)).toBe('sent')
    expect(server().got).toHaveLength(1)
    expect(stage.lines.map(({ event }) => event)).not.toContain('delivery_failed')
  })

  test('an outcome that the database refuses is written later, and nothing is sent twice', async () => {
    let isFull = true
    const { deliveries } = stage.ports
    const settle: typeof deliveries.settle = async (command) => {
      if (isFull) throw new Error('disk full')
      return deliveries.settle(command)
    }
    stage.restart({ ports: { deliveries: { ...deliveries, settle } } }).start()
    const started = await startOne()

    expect(await settled(started)).toMatchObject({ status: 'sent' })
    await stage.time.run(leaseMs * 2)
    expect(await statusOf(started)).toBe('queued')
    isFull = false
    await stage.time.run(2_000)

    expect(await statusOf(started)).toBe('sent')
    expect(server().got).toHaveLength(1)
  })

  test('nothing more is sent while too many outcomes are unwritten', async () => {
    const app = await stage.newApp({ connectionsMax: 50 })
    server(app).behave = takes(1)
    const { deliveries } = stage.ports
    const settle = () => Promise.reject(new Error('disk full'))
    stage.restart({ ports: { deliveries: { ...deliveries, settle } } })
    await stage.start(3_000, { app })
    await stage.time.run(20_000)

    expect(server(app).got.length).toBeGreaterThanOrEqual(2_000)
    // Those that the channel had already are sent.
    expect(server(app).got.length).toBeLessThanOrEqual(2_250)
  })

  test('cause and reply code are logged, but no address, no code and no text of the server', async () => {
    server().behave = says(refusedBy('recipient'))
    await stage.start(2)
    await stage.time.run(1_000)

    const logged = JSON.stringify(stage.lines)
    for (const { handover } of server().got) {
      expect(logged).not.toContain(handover.code)
      expect(logged).not.toContain(handover.recipient.address)
    }
    expect(logged).toContain('"cause":"recipient","detail":"550 5.1.1"')
    expect(logged).not.toContain('550 recipient')
  })
})

describe('stopping', () => {
  test('finishes running hand-overs, begins none, and gives up the leases of waiting messages', async () => {
    server().behave = takes(2_000)
    await stage.beat('a')
    const all = await stage.start(20)
    await stage.time.run(500)
    const begun = stage.time.timers.monotonic()

    await stage.time.until(stage.sender.stop())

    expect(stage.time.timers.monotonic() - begun).toBeLessThan(2_000)
    const statuses = await Promise.all(all.map(statusOf))
    expect(statuses.filter((status) => status === 'sent')).toHaveLength(server().got.length)
    expect(server().got.length).toBeLessThan(20)
    stage.restart({ node: 'b' }).start()
    await stage.time.run(15_000)
    expect(server().accepted.size).toBe(20)
    expect(Math.max(...server().accepted.values())).toBe(1)
  })

  test('takes at most ten seconds; the next start sends at once what hung', async () => {
    server().behave = takes(39_000)
    await stage.beat('a')
    const started = await startOne()
    await stage.time.run(500)
    const begun = stage.time.timers.monotonic()

    await stage.time.until(stage.sender.stop())

    expect(stage.time.timers.monotonic() - begun).toBeLessThan(10_000)
    server().behave = takes(100)
    stage.restart({ node: 'b' }).start()
    await stage.time.run(1_500)
    expect(await statusOf(started)).toBe('sent')
    expect(server().accepted.size).toBe(1)
  })

  test('does not wait for a channel that never ends', async () => {
    stage.restart({ channel: lost })
    await startOne()
    const begun = stage.time.timers.monotonic()

    await stage.time.until(stage.sender.stop())

    expect(stage.time.timers.monotonic() - begun).toBeLessThan(10_000)
  })

  test('refuses new messages, which then wait in the store', async () => {
    await stage.time.until(stage.sender.stop())

    expect(stage.sender.reserve({ appId: stage.app.id, channel: 'email', endpointId: null })).toBe(
      false,
    )
    expect(stage.sender.expectedWaitMs({ ...(await lane()) })).toBe(Number.POSITIVE_INFINITY)
  })
})

async function lane() {
  const endpointId = stage.app.endpoints[0]?.id ?? null
  return { appId: stage.app.id, channel: 'email', endpointId } as const
}

describe('a node that others may count as gone', () => {
  test('claims and hands over nothing, and goes on when it is one of them again', async () => {
    let isCurrent = false
    const sender = stage.restart({ isCurrent: () => isCurrent })
    sender.start()
    await startOne()
    await stage.time.run(10_000)
    const before = server().got.length
    sender.drop()
    await stage.time.run(10_000)
    expect(server().got).toHaveLength(0)
    isCurrent = true
    await stage.time.run(2_000)

    expect([before, server().got.length]).toEqual([0, 1])
  })

  test('gives back what waits, so that another one sends it at once', async () => {
    await stage.beat('a')
    const silent = stage.restart({ isCurrent: () => false })
    silent.start()
    const started = await startOne()
    silent.drop()
    await stage.time.run(1_500)
    stage.restart({ node: 'b' }).start()
    await stage.time.run(1_500)

    expect(await statusOf(started)).toBe('sent')
    await stage.time.until(silent.stop(0))
  })
})

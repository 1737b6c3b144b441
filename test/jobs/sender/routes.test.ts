import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { App } from '../../../src/domain/app/app.ts'
import { addEndpoint } from '../../../src/domain/app/endpoints.ts'
import { cancelVerification } from '../../../src/domain/verification/cancel.ts'
import { checkVerification } from '../../../src/domain/verification/check.ts'
import { resendVerification } from '../../../src/domain/verification/resend.ts'
import { createFallBacks } from '../../../src/jobs/fall-backs.ts'
import type { Job } from '../../../src/jobs/periodic.ts'
import { greylisted, later, refusedBy, says, takes, unanswered } from './simulated-servers.ts'
import { openStage, type Stage, type Started } from './stage.ts'

const actor = { who: 'cli', requestId: null }
const to = { webhook: 'gus@example.org', email: 'ada@example.com' }
const route = { channel: ['webhook', 'email'], to } as const
const falling = { ...route, channel: [...route.channel], fallbackAfterSeconds: 30 }

let stage: Stage
let app: App
let job: Job
beforeEach(async () => {
  stage = await openStage()
  const made = await stage.newApp()
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
  const input = { url: 'https://gateway.example.com/otp', secret }
  const command = { appId: made.id, kind: 'webhook', input } as const
  await stage.time.until(addEndpoint(stage.ports, actor, command))
  app = (await stage.time.until(stage.ports.apps.get(made.id))) ?? made
  stage.sender.start()
  job = newJob()
  job.start()
})
afterEach(async () => {
  await stage.time.until(job.stop())
  await stage.close()
})

function newJob(): Job {
  const none = () => {}
  const log = { debug: none, info: none, warn: none, error: none }
  return createFallBacks({ ...stage.ports, outbox: stage.sender, log })
}

function server(channel: 'webhook' | 'email') {
  const endpoint = app.endpoints.find((each) => each.channel === channel)
  return stage.servers.of(endpoint?.id ?? '')
}

async function start(options: Parameters<Stage['start']>[1] = falling): Promise<Started> {
  const [started] = await stage.start(1, { app, ...options })
  if (!started) throw new Error('nothing was started')
  return started
}

const got = (channel: 'webhook' | 'email') =>
  server(channel).got.map(({ handover }) => handover.recipient.address)
const statuses = async (started: Started) =>
  (await stage.history(started)).map(({ channel, status }) => `${channel} ${status}`)
const codes = () =>
  new Set(stage.servers.all().flatMap(({ got }) => got.map(({ handover }) => handover.code)))

describe('a message that fails for good', () => {
  test('is followed at once through the next channel, to its own recipient, with the same code', async () => {
    server('webhook').behave = says(refusedBy('recipient'))
    const started = await start({ ...falling, fallbackAfterSeconds: undefined })

    const state = await stage.time.until(stage.sender.settled(started.id, 5_000))

    // The refusal is no outcome yet: another message follows.
    expect(state).toMatchObject({ status: 'sent' })
    expect([got('webhook'), got('email')]).toEqual([['gus@example.org'], ['ada@example.com']])
    expect(codes().size).toBe(1)
    expect(await statuses(started)).toEqual(['webhook refused', 'email sent'])
  })

  test('is followed when no try is left', async () => {
    server('webhook').behave = says(later)
    const started = await start({ ...falling, fallbackAfterSeconds: undefined })

    await stage.time.run(600_000)

    expect(await statuses(started)).toEqual(['webhook undeliverable', 'email sent'])
  })

  test('through the last channel has nothing behind it', async () => {
    server('webhook').behave = says(refusedBy('message'))
    server('email').behave = says(refusedBy('message'))
    const started = await start()

    await stage.time.run(120_000)

    expect(await statuses(started)).toEqual(['webhook refused', 'email refused'])
  })

  test('is followed by a message for any node where this one has no room', async () => {
    server('webhook').behave = says(refusedBy('server'))
    const { reserve } = stage.sender
    stage.sender.reserve = (lane) => lane.channel === 'webhook' && reserve(lane)
    const started = await start()

    await stage.time.run(5_000)

    expect(await statuses(started)).toEqual(['webhook refused', 'email sent'])
    expect(got('email')).toHaveLength(1)
  })
})

describe('after the wait without an approval', () => {
  test('the next channel is used, also where the first message was accepted', async () => {
    const started = await start()

    await stage.time.run(29_900)
    expect(got('email')).toEqual([])
    await stage.time.run(1_200)

    expect(await statuses(started)).toEqual(['webhook sent', 'email sent'])
    expect(got('email')).toEqual(['ada@example.com'])
    expect(codes().size).toBe(1)
  })

  test('a message that is still on its way is stopped, in the queue and at the server', async () => {
    for (const behave of [says(greylisted), takes(40_000)]) {
      const before = [got('webhook').length, got('email').length] as const
      server('webhook').behave = behave
      const started = await start({
        ...falling,
        to: { ...to, webhook: `x${before[0]}@example.org` },
      })

      await stage.time.run(120_000)

      expect(await statuses(started)).toEqual(['webhook undeliverable', 'email sent'])
      expect(got('email').length - before[1]).toBe(1)
      // The stopped message is not tried again, and nobody is told that the code was not sent.
      expect(server('webhook').accepted.size).toBe(0)
      const [first] = await stage.history(started)
      expect(first?.detail).toContain('stopped')
    }
  })

  test('a caller who waits hears of the message that is sent, not of the stopped one', async () => {
    server('webhook').behave = takes(40_000)
    const started = await start({ ...falling, fallbackAfterSeconds: 5 })

    const state = await stage.time.until(stage.sender.settled(started.id, 20_000))

    expect(state).toMatchObject({ status: 'sent' })
  })

  test('a stopped message that fails afterwards is not followed a second time', async () => {
    server('webhook').behave = says(refusedBy('recipient'), 45_000)
    const channel = stage.servers.newChannel()
    // A channel that does not stop: its answer comes after the fall-back.
    const stubborn: typeof channel = {
      ...channel,
      deliver: (handover) => channel.deliver(handover, new AbortController().signal),
    }
    const { queue: _, ...deaf } = stubborn
    await stage.time.until(stage.sender.stop(0))
    stage.restart({ channel: deaf }).start()
    await stage.time.until(job.stop())
    job = newJob()
    job.start()
    const started = await start()

    await stage.time.run(120_000)

    expect(await statuses(started)).toEqual(['webhook undeliverable', 'email sent'])
    expect(got('email')).toHaveLength(1)
  })

  test('nothing more is sent once the code was used or canceled', async () => {
    const used = await start()
    const canceled = await start({
      ...falling,
      to: { webhook: 'a@b.example', email: 'c@d.example' },
    })
    await stage.time.run(20_000)
    const code = [...codes()][0] ?? ''
    const outbox = stage.sender
    const { appId, mode, id } = used
    await stage.time.until(checkVerification({ ...stage.ports, outbox }, { appId, mode, id, code }))
    await stage.time.until(cancelVerification({ ...stage.ports, outbox }, canceled))

    await stage.time.run(60_000)

    expect(got('email')).toEqual([])
  })

  test('a restarted node goes on where the last one stopped', async () => {
    server('webhook').behave = says(unanswered)
    const started = await start()
    await stage.time.run(10_000)
    await stage.time.until(job.stop())
    await stage.time.until(stage.sender.stop(0))

    stage.restart().start()
    job = newJob()
    job.start()
    await stage.time.run(60_000)

    expect(await statuses(started)).toEqual(['webhook undeliverable', 'email sent'])
  })

  test('two nodes move a verification on once', async () => {
    const other = newJob()
    other.start()
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        start({ ...falling, to: { webhook: `w${index}@b.example`, email: `e${index}@d.example` } }),
      ),
    )

    await stage.time.run(60_000)
    await stage.time.until(other.stop())

    for (const started of all) expect(await statuses(started)).toHaveLength(2)
    expect(new Set(got('email')).size).toBe(20)
    expect(got('email')).toHaveLength(20)
  })

  test('a clock that jumps back makes no one wait longer than the wait', async () => {
    await start()
    await stage.time.run(1_000)
    stage.time.step(-3_600_000)

    await stage.time.run(30_000)

    expect([got('webhook'), got('email')]).toEqual([['gus@example.org'], ['ada@example.com']])
  })
})

describe('a resend through another channel', () => {
  test('stops the message that waits, and the older one is never sent', async () => {
    server('webhook').behave = says(greylisted)
    const started = await start({ ...falling, fallbackAfterSeconds: 3600 })
    await stage.time.run(30_000)
    server('webhook').behave = takes(10)
    const outbox = stage.sender
    const ports = { ...stage.ports, outbox }
    const request = { app, mode: 'live', id: started.id, channel: 'email' } as const
    const tried = got('webhook').length

    await stage.time.until(resendVerification(ports, request))
    await stage.time.run(120_000)

    expect(await statuses(started)).toEqual(['webhook undeliverable', 'email sent'])
    expect(got('webhook')).toHaveLength(tried)
  })
})

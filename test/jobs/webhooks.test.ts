import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Problem } from '../../src/domain/problem.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { removeWebhook, updateWebhook } from '../../src/domain/webhook/webhooks.ts'
import { heldMax } from '../../src/jobs/webhooks/lane.ts'
import { createWebhooks } from '../../src/jobs/webhooks/webhooks.ts'
import { times } from '../support/commands.ts'
import { ok, type Post, stage, status } from './webhooks-fixture.ts'

setDefaultTimeout(60_000)

const actor = { who: 'cli', requestId: null }
const [urlA, urlB] = ['https://a.example.com/', 'https://b.example.com/']
const hang = (_post: Post, signal: AbortSignal) =>
  new Promise<typeof ok>((resolve) => {
    const end = () => resolve({ code: null, retryAfterMs: null, detail: 'did not answer' })
    signal.addEventListener('abort', end)
  })

describe('the job of webhooks', () => {
  test('posts a message within the time that new ones are gathered, and ends it', async () => {
    const s = await stage()
    const job = s.job()
    job.start()
    await s.pass(1)
    await s.event()
    await s.pass(20, 5)
    expect(s.posts).toHaveLength(1)
    await s.pass(60, 5)

    const [message] = await s.messages()
    expect(s.posts).toMatchObject([{ id: message?.id, webhookId: s.webhooks[0]?.id }])
    expect(message).toMatchObject({ status: 'delivered', tries: 1, code: 204, nextAt: null })
    expect(await s.state()).toMatchObject({ waiting: 0, failingSince: null })
    await job.stop()
  })

  test('finds what was written before it started, and by other processes', async () => {
    const s = await stage()
    await s.event()
    const job = s.job()
    job.start()
    await s.pass(1000)
    expect(s.posts).toHaveLength(1)
    await s.event()
    await s.pass(2000)
    expect(s.posts).toHaveLength(2)
    await job.stop()
  })

  test('posts nothing while others may count this node as gone, and reads anew after that', async () => {
    const s = await stage()
    let isCurrent = true
    const job = createWebhooks({ ...s.ports, isCurrent: () => isCurrent })
    job.start()
    await s.pass(1)
    isCurrent = false
    await s.event()
    await s.pass(2000)
    expect(s.posts).toHaveLength(0)
    job.drop()
    isCurrent = true
    await s.pass(2000)
    expect(s.posts).toHaveLength(1)
    await job.stop()
  })

  test('tries again as the schedule says, with the same id and body, until it is dead', async () => {
    const s = await stage()
    s.reply(() => status(500))
    const job = s.job()
    await s.event()
    job.start()
    await s.pass(2000)
    const planned = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    for (const [index, seconds] of planned.entries()) {
      await s.leap(seconds * 1000 - 4000)
      expect(s.posts).toHaveLength(index + 1)
      await s.leap(seconds * 100 + 1000)
      expect(s.posts).toHaveLength(index + 2)
    }
    await s.leap(30 * dayMs)
    expect(s.posts).toHaveLength(10)
    expect(new Set(s.posts.map(({ id, body }) => id + body)).size).toBe(1)
    expect(await s.messages(undefined, true)).toMatchObject([
      { id: s.posts[0]?.id, status: 'dead', tries: 10, code: 500, nextAt: null },
    ])
    await job.stop()
  })

  test('keeps to Retry-After', async () => {
    const s = await stage()
    s.reply(() => status(429, 600_000))
    const job = s.job()
    await s.event()
    job.start()
    await s.pass(5 * 60_000)
    expect(s.posts).toHaveLength(1)
    s.reply(() => ok)
    await s.pass(6 * 60_000)
    expect(s.posts).toHaveLength(2)
    await job.stop()
  })

  test('switches a webhook off after 410, and sends nothing until it is switched on', async () => {
    const s = await stage({ urls: [urlA, urlB] })
    const [gone, other] = s.webhooks
    s.reply(({ webhookId }) => (webhookId === gone?.id ? status(410) : ok))
    const job = s.job()
    job.start()
    await s.event()
    await s.pass(1000)
    await s.event()
    await s.pass(20 * 60_000, 5000)

    const of = (id?: string) => s.posts.filter(({ webhookId }) => webhookId === id)
    expect(of(gone?.id)).toHaveLength(1)
    const app = await s.w.apps.get(s.w.app.id)
    expect(app?.webhooks.find(({ id }) => id === gone?.id)).toMatchObject({ offCause: 'gone' })
    // The alarm is told too, to the other one.
    expect(of(other?.id).map(({ body }) => JSON.parse(body).data.alarm.kind)).toContain(
      'webhook_off',
    )
    expect(s.lines).toContainEqual(
      expect.objectContaining({ event: 'alarm_raised', alarm: 'webhook_off', cause: 'gone' }),
    )
    s.reply(() => ok)
    await updateWebhook(s.w, actor, { appId: s.w.app.id, id: gone?.id ?? '', enabled: true })
    await s.pass(15_000)
    // The one that was refused, the alarm, the second event and the end of the alarm.
    expect(new Set(of(gone?.id).map(({ id }) => id)).size).toBe(4)
    expect(await s.state(gone?.id)).toMatchObject({ waiting: 0 })
    await job.stop()
  })

  test('switches a webhook off that has failed for five days, with an alarm', async () => {
    const s = await stage()
    s.reply(() => status(500))
    const job = s.job()
    job.start()
    await s.event()
    await s.pass(2000)
    await s.leap(4 * dayMs)
    const isOn = async () => (await s.w.apps.get(s.w.app.id))?.webhooks[0]?.offSince === null
    await s.event()
    await s.pass(2000)
    expect(await isOn()).toBe(true)
    await s.leap(2 * dayMs)

    expect(await isOn()).toBe(false)
    const query = { appId: s.w.app.id, open: true, limit: 9, cursor: null }
    expect((await s.w.alarms.list(query)).items).toMatchObject([{ kind: 'webhook_off' }])
    await job.stop()
  })

  test('pauses a receiver that fails, asks it with one message, and sends all once it answers', async () => {
    const s = await stage()
    s.reply(() => status(503))
    await Promise.all(times(100, s.event))
    const job = s.job()
    job.start()
    await s.pass(60_000, 100)
    expect(s.posts.length).toBeLessThan(40)

    s.reply(() => ok)
    await s.pass(10 * 60_000, 1000)
    expect(await s.state()).toMatchObject({ waiting: 0, failingSince: null })
    expect(s.events()).toContain('webhook_failing')
    expect(s.events()).toContain('webhook_recovered')
    await job.stop()
  })
})

describe('one receiver', () => {
  test('that never answers delays no other', async () => {
    const s = await stage({ urls: [urlA, urlB] })
    const [dead, other] = s.webhooks
    s.reply((post, signal) => (post.webhookId === dead?.id ? hang(post, signal) : ok))
    const job = s.job()
    job.start()
    for (let second = 0; second < 20; second++) {
      await Promise.all(times(20, s.event))
      await s.pass(1000, 20)
    }
    await s.pass(2000, 20)
    const of = (id?: string) => s.posts.filter(({ webhookId }) => webhookId === id)
    expect(of(other?.id)).toHaveLength(400)
    for (const { at, body } of of(other?.id)) {
      // The store commits in real time, which is slower than that of the test.
      expect(at - Date.parse(JSON.parse(body).timestamp)).toBeLessThanOrEqual(2000)
    }
    expect(of(dead?.id).length).toBeLessThanOrEqual(4)
    const stopped = job.stop()
    await s.pass(6000)
    await stopped
    // Nothing of it was counted as a try.
    expect((await s.messages(dead?.id)).every(({ tries }) => tries === 0)).toBe(true)
  })

  test('never has more than 64 messages on their way, nor a node more than 200 of it in memory', async () => {
    const s = await stage()
    let [running, most, mostHeld] = [0, 0, 0]
    const { dueMessages } = s.w.webhooks
    s.ports.webhooks = {
      ...s.w.webhooks,
      async dueMessages(query) {
        mostHeld = Math.max(mostHeld, query.limit)
        return dueMessages(query)
      },
    }
    s.reply(async () => {
      most = Math.max(most, ++running)
      await s.timers.sleep(50)
      running--
      return ok
    })
    await Promise.all(times(1000, s.event))
    const job = s.job()
    job.start()
    await s.pass(10_000, 10)

    expect(s.posts).toHaveLength(1000)
    expect(most).toBe(64)
    expect(mostHeld).toBeLessThanOrEqual(heldMax)
    await job.stop()
  })

  test('that is slow gets four at a time', async () => {
    const s = await stage()
    let [running, most] = [0, 0]
    s.reply(async () => {
      most = Math.max(most, ++running)
      await s.timers.sleep(2000)
      running--
      return ok
    })
    await Promise.all(times(40, s.event))
    const job = s.job()
    job.start()
    await s.pass(30_000, 100)

    expect(s.posts).toHaveLength(40)
    expect(most).toBe(4)
    await job.stop()
  })
})

describe('a result', () => {
  test('that the database refuses is written later, and its message is not sent again', async () => {
    const s = await stage()
    const { settle } = s.w.webhooks
    let isFull = true
    s.ports.webhooks = {
      ...s.w.webhooks,
      async settle(command) {
        if (isFull) throw new Problem('store_unavailable')
        return settle(command)
      },
    }
    const job = s.job()
    job.start()
    await s.event()
    await s.pass(10_000, 100)
    expect(await s.messages()).toMatchObject([{ status: 'waiting', tries: 0 }])
    isFull = false
    await s.pass(2000, 100)

    expect(await s.messages()).toMatchObject([{ status: 'delivered', tries: 1 }])
    expect(s.posts).toHaveLength(1)
    expect(s.events()).toContain('webhook_results_not_written')
    await job.stop()
  })

  test('that was not written before a stop is sent again, with the same id', async () => {
    const s = await stage()
    s.reply(hang)
    const job = s.job()
    job.start()
    await s.event()
    await s.pass(1000, 100)
    const stopped = job.stop()
    await s.pass(6000)
    await stopped
    expect(await s.messages()).toMatchObject([{ status: 'waiting', tries: 0 }])

    s.reply(() => ok)
    const next = s.job()
    next.start()
    await s.pass(2000, 100)
    expect(s.posts.map(({ id }) => id)).toEqual(Array(2).fill(s.posts[0]?.id))
    expect(await s.messages()).toMatchObject([{ status: 'delivered' }])
    await next.stop()
  })

  test('is written with many others in one commit', async () => {
    const s = await stage()
    const sizes: number[] = []
    const { settle } = s.w.webhooks
    s.ports.webhooks = {
      ...s.w.webhooks,
      settle(command) {
        sizes.push(command.webhooks.flatMap(({ results }) => results).length)
        return settle(command)
      },
    }
    await Promise.all(times(1000, s.event))
    const job = s.job()
    job.start()
    await s.pass(5000, 10)

    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1000)
    expect(sizes.length).toBeLessThan(100)
    await job.stop()
  })
})

test('a stop waits five seconds for running posts, and not for a receiver that hangs', async () => {
  const s = await stage()
  s.reply(hang)
  const job = s.job()
  job.start()
  await s.event()
  await s.pass(1000, 100)
  let isStopped = false
  const stopped = job.stop().then(() => {
    isStopped = true
  })
  await s.pass(4900, 100)
  expect(isStopped).toBe(false)
  await s.pass(200, 100)
  await stopped
  expect(isStopped).toBe(true)
})

test('a webhook that was removed is told nothing more', async () => {
  const s = await stage()
  s.reply(() => status(500))
  const job = s.job()
  job.start()
  await s.event()
  await s.pass(1000, 100)
  await removeWebhook(s.w, actor, { appId: s.w.app.id, id: s.webhooks[0]?.id ?? '' })
  await s.event()
  await s.pass(20 * 60_000, 5000)

  expect(s.posts).toHaveLength(1)
  expect(await s.messages()).toEqual([])
  await job.stop()
})

test('tries are counted by their outcome, and waiting messages are a metric', async () => {
  const s = await stage()
  s.reply(() => status(500))
  const job = s.job()
  await s.event()
  job.start()
  await s.pass(2000, 100)
  expect(s.metrics.render()).toContain('otpmint_webhook_tries_total{outcome="failed"} 1')
  expect(s.metrics.render()).toContain('otpmint_webhook_messages{what="waiting"} 1')
  s.reply(() => ok)
  await s.pass(10_000, 100)
  expect(s.metrics.render()).toContain('otpmint_webhook_tries_total{outcome="delivered"} 1')
  await job.stop()
})

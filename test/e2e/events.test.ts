import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  eventually,
  executable,
  killAll,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { adminToken, call, createApp } from './client.ts'
import { type EventReceiver, eventReceiver } from './event-receiver.ts'

setDefaultTimeout(120_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

const env = {
  OTPMINT_EGRESS_ALLOW: '127.0.0.0/8',
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
}

async function serve(name: string) {
  const dataDir = join(folder, name)
  const boot = () => start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...env })
  const server = await boot()
  const token = adminToken(dataDir)
  const app = await createApp(server, token, { port: 25 })
  return { dataDir, boot, server, token, app }
}

type Place = Awaited<ReturnType<typeof serve>>

/** Adds a webhook that is told of what test keys do too. */
async function hook(
  { token, app }: Place,
  { base }: Server,
  receiver: EventReceiver,
  types?: string[],
) {
  const body = { url: receiver.url, test_events: true, ...(types && { types }) }
  const { json } = await call(`${base}/v1/apps/${app.id}/webhooks`, body, { token })
  receiver.use(String(json['secret']))
  return json.id ?? ''
}

/** Starts and cancels a verification; its id once both are acknowledged. */
async function cancelOne({ app }: Place, { base }: Pick<Server, 'base'>, to: string) {
  const started = await call(`${base}/v1/verifications`, { to }, { token: app.testKey })
  const path = `${base}/v1/verifications/${started.json.id}/cancel`
  const canceled = await call(path, {}, { token: app.testKey })
  if (canceled.status !== 200) throw new Error(`not canceled: ${started.text} ${canceled.text}`)
  return started.json.id ?? ''
}

const canceled = ({ received }: EventReceiver) =>
  received.filter(({ type }) => type === 'verification.canceled')

test('every acknowledged event is told at least once under one id, whenever the process is killed', async () => {
  const place = await serve('killed')
  const failed = new Set<string>()
  // A receiver that is slow at times, and refuses some messages at first.
  const receiver = eventReceiver(async ({ id }) => {
    if (Math.random() < 0.5) await Bun.sleep(Math.random() * 30)
    if (failed.has(id) || Math.random() < 0.9) return new Response(null, { status: 204 })
    failed.add(id)
    return new Response(null, { status: 503 })
  })
  let { server } = place
  await hook(place, server, receiver)
  const acknowledged: string[] = []
  let count = 0
  for (let kill = 0; kill < 12; kill++) {
    let isOver = false
    const worker = async () => {
      while (!isOver) {
        const id = await cancelOne(place, server, `u${count++}@example.com`).catch(() => null)
        if (id !== null) acknowledged.push(id)
      }
    }
    const working = Array.from({ length: 4 }, worker)
    const before = acknowledged.length
    await Bun.sleep(Math.random() * 300)
    await eventually(() => acknowledged.length > before + 9)
    await server.kill()
    isOver = true
    await Promise.all(working)
    server = await place.boot()
  }
  const told = () => new Set(canceled(receiver).map(({ verification }) => verification))
  await eventually(() => acknowledged.every((id) => told().has(id)), 60_000)
  expect(await server.stop()).toBe(0)
  await receiver.close()

  expect(acknowledged.length).toBeGreaterThan(100)
  expect(receiver.forged).toEqual([])
  const bodies = new Map<string, Set<string>>()
  const ids = new Map<string, Set<string>>()
  for (const { id, text, type, verification = '' } of receiver.received) {
    bodies.set(id, (bodies.get(id) ?? new Set()).add(text))
    const what = `${type} ${verification}`
    ids.set(what, (ids.get(what) ?? new Set()).add(id))
  }
  expect([...bodies.values()].every(({ size }) => size === 1)).toBe(true)
  const of = (id: string) => ids.get(`verification.canceled ${id}`)?.size
  expect(acknowledged.filter((id) => of(id) !== 1)).toEqual([])
  // Some were told twice: by the kill, or after a refusal.
  expect(receiver.received.length).toBeGreaterThan(bodies.size)
})

test('a receiver that answers 410 is switched off with an alarm, and gets what waits once it is on', async () => {
  const place = await serve('gone')
  const { server, token, app } = place
  const [gone, other] = [eventReceiver(() => new Response(null, { status: 410 })), eventReceiver()]
  const id = await hook(place, server, gone)
  await hook(place, server, other)
  const first = await cancelOne(place, server, 'ada@example.com')
  const all = `${server.base}/v1/apps/${app.id}/webhooks`
  const shown = async () => {
    const { json } = await call(all, undefined, { token })
    return json.items?.find((item) => item.id === id) as Record<string, unknown> | undefined
  }
  await eventually(async () => (await shown())?.['enabled'] === false)
  const alarms = async () => {
    const { json } = await call(`${server.base}/v1/alarms?open=true`, undefined, { token })
    return json.items as unknown as { kind: string; endpoint: string }[]
  }
  expect(await shown()).toMatchObject({ off_cause: 'gone' })
  expect(await alarms()).toMatchObject([{ kind: 'webhook_off', endpoint: id }])
  await eventually(() => other.received.some(({ alarm }) => alarm === 'webhook_off'))

  const refused = gone.received.length
  const second = await cancelOne(place, server, 'bob@example.com')
  await eventually(() => canceled(other).length === 2)
  await Bun.sleep(1500)
  expect(gone.received).toHaveLength(refused)

  gone.answer(() => new Response(null, { status: 204 }))
  gone.received.length = 0
  const on = await call(`${all}/${id}`, { enabled: true }, { token, method: 'PATCH' })
  expect(on.json['enabled']).toBe(true)
  await eventually(() => canceled(gone).length === 2)
  expect(
    canceled(gone)
      .map(({ verification }) => verification)
      .sort(),
  ).toEqual([first, second].sort())
  expect(await alarms()).toEqual([])
  await server.stop()
  await Promise.all([gone.close(), other.close()])
})

/** The most memory that a process has had, in MiB. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

test('receivers that never end, hang or answer 900 MB delay no other, and cost little memory', async () => {
  const place = await serve('hostile')
  const { server, token, app } = place
  const types = ['verification.canceled']
  const endless = eventReceiver(() => new Response(slowly()))
  const huge = eventReceiver(() => new Response(megabytes(900)))
  const silent = eventReceiver(() => new Promise<Response>(() => {}))
  const good = eventReceiver()
  const ids: string[] = []
  for (const receiver of [endless, huge, silent, good]) {
    ids.push(await hook(place, server, receiver, types))
  }
  const before = memoryOf(server.pid)
  const canceledAt = new Map<string, number>()
  for (let count = 0; count < 60; count++) {
    const id = await cancelOne(place, server, `u${count}@example.com`)
    canceledAt.set(id, Date.now())
    await Bun.sleep(100)
  }
  await eventually(() => good.received.length === 60)

  const waits = good.received.map(
    ({ at, verification = '' }) => at - (canceledAt.get(verification) ?? 0),
  )
  expect(Math.max(...waits)).toBeLessThan(1000)
  expect(memoryOf(server.pid) - before).toBeLessThan(80)
  // None of the others has taken a message.
  const waiting = async () => {
    const { json } = await call(`${server.base}/v1/apps/${app.id}/webhooks`, undefined, { token })
    const items = json.items as unknown as { id: string; waiting: number }[]
    return items.map((item) => [ids.indexOf(item.id), item.waiting]).sort()
  }
  // That the last message arrived is written a moment later.
  await eventually(async () => (await waiting()).at(-1)?.[1] === 0)
  expect(await waiting()).toEqual([
    [0, 60],
    [1, 60],
    [2, 60],
    [3, 0],
  ])
  const first = `${server.base}/v1/apps/${app.id}/webhooks/${ids[1]}/messages?limit=100`
  const failed = await call(first, undefined, { token })
  const details = (failed.json.items as unknown as { detail?: string }[]).map(
    ({ detail }) => detail,
  )
  expect(details).toContain('the receiver gave an answer that is too long')
  await server.stop()
  await Promise.all([endless, huge, silent, good].map((receiver) => receiver.close()))
})

/** One byte a second. */
function slowly(): ReadableStream {
  return new ReadableStream({
    async pull(controller) {
      await Bun.sleep(1000)
      controller.enqueue(new Uint8Array(1))
    },
  })
}

function megabytes(count: number): ReadableStream {
  let left = count
  const chunk = new Uint8Array(1024 * 1024)
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(chunk)
      else controller.close()
    },
  })
}

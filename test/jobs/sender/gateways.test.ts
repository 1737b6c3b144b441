import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createChannels } from '../../../src/channels/registry.ts'
import type { App } from '../../../src/domain/app/app.ts'
import { addEndpoint, updateEndpoint } from '../../../src/domain/app/endpoints.ts'
import type { ChannelKind } from '../../../src/domain/delivery/channel.ts'
import type { Channel, Log } from '../../../src/domain/ports.ts'
import { startVerification } from '../../../src/domain/verification/start.ts'
import { createSender, type Sender } from '../../../src/jobs/sender/sender.ts'
import { createMetrics } from '../../../src/metrics.ts'
import { quickTimers } from '../../channels/mail-fixtures.ts'
import { loopbackHttpOut } from '../../support/http.ts'
import { until } from '../../support/smtp.ts'
import { addApp, type World, world } from '../../support/world.ts'

// The sender with the webhook channel, a real store, and gateways on loopback.
setDefaultTimeout(30_000)
const waitMs = 10_000
const actor = { who: 'cli', requestId: null }

let w: World
let channels: Record<ChannelKind, Channel>
let sender: Sender
const lines: string[] = []
const gateways: Bun.Server<undefined>[] = []

beforeEach(async () => {
  const base = await world()
  w = { ...base, httpOut: loopbackHttpOut({}, quickTimers(50)) }
  channels = createChannels({ ...w, connectionsMax: 100, publicUrl: null })
  const write = (event: string, fields: object = {}) =>
    void lines.push(JSON.stringify({ event, ...fields }))
  const log: Log = { debug: write, info: write, warn: write, error: write }
  sender = createSender({ ...w, channels, log, metrics: createMetrics(), lookEveryMs: 20 })
  sender.start()
})
afterEach(async () => {
  await sender.stop(0)
  channels.email.close()
  for (const gateway of gateways.splice(0)) gateway.stop(true)
  await w.store.close()
})

type Seen = { id: string; code: string; to: string }
type Answer = (seen: Seen[]) => Response | Promise<Response>

/** An app whose webhooks, by rank, lead to gateways that answer so; with what each has got. */
async function appOn(...answers: Answer[]): Promise<{ app: App; seen: Seen[][] }> {
  const { app } = await addApp(w)
  const seen: Seen[][] = []
  for (const answer of answers) {
    const own: Seen[] = []
    seen.push(own)
    const gateway = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch(request) {
        own.push((await request.json()) as Seen)
        return answer(own)
      },
    })
    gateways.push(gateway)
    const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    const input = { url: `http://127.0.0.1:${gateway.port}/`, secret }
    await addEndpoint(w, actor, { appId: app.id, kind: 'webhook', input })
  }
  return { app: await again(app), seen }
}

async function again({ id }: App): Promise<App> {
  const app = await w.apps.get(id)
  if (!app) throw new Error('the app is gone')
  return app
}

let people = 0
async function start(app: App) {
  const request = { app, mode: 'live', startedBy: 'v1', channel: 'webhook' } as const
  const to = `person${people++}@example.com`
  const ports = { ...w, outbox: sender }
  const { verification } = await startVerification(ports, { ...request, to })
  const key = { appId: app.id, mode: 'live', id: verification.id } as const
  const only = async () => (await w.deliveries.history(key))[0]
  const tries = async () => (await only())?.history ?? []
  return { id: verification.id, only, tries }
}

const taken = () => new Response(null, { status: 204 })
const gone = () => new Response(null, { status: 410 })
const offOf = async (app: App) =>
  (await again(app)).endpoints.filter(({ channel }) => channel === 'webhook').map(({ off }) => off)

const alarmsOf = async (app: App) =>
  (await w.alarms.list({ appId: app.id, open: true, limit: 9, cursor: null })).items

describe('a gateway that answers 410', () => {
  test('is switched off with an alarm, and the next one takes this message and all others', async () => {
    const { app, seen } = await appOn(gone, taken)

    const first = await start(app)
    expect(await sender.settled(first.id, waitMs)).toMatchObject({ status: 'sent' })
    await until(async () => (await offOf(app))[0] === 'gone')
    const second = await start(await again(app))
    expect(await sender.settled(second.id, waitMs)).toMatchObject({ status: 'sent' })

    expect(seen.map(({ length }) => length)).toEqual([1, 2])
    await until(async () => (await alarmsOf(app)).length > 0)
    const [webhook] = app.endpoints.filter(({ channel }) => channel === 'webhook')
    expect(await alarmsOf(app)).toMatchObject([{ kind: 'endpoint_off', endpointId: webhook?.id }])
    expect(await first.tries()).toMatchObject([
      { status: 'refused', cause: 'gone' },
      { status: 'sent' },
    ])
  })

  test('is asked again once an admin has switched it on', async () => {
    let isGone = true
    const { app, seen } = await appOn(() => (isGone ? gone() : taken()))
    const first = await start(app)
    expect(await sender.settled(first.id, waitMs)).toMatchObject({ status: 'refused' })
    await until(async () => (await offOf(app))[0] === 'gone')
    await until(async () => (await alarmsOf(app)).length > 0)
    await expect(start(await again(app))).rejects.toMatchObject({ code: 'channel_not_configured' })

    isGone = false
    const [webhook] = app.endpoints.filter(({ channel }) => channel === 'webhook')
    await updateEndpoint(w, actor, { appId: app.id, id: webhook?.id ?? '', enabled: true })
    const second = await start(await again(app))

    expect(await sender.settled(second.id, waitMs)).toMatchObject({ status: 'sent' })
    expect(seen[0]).toHaveLength(2)
    expect(await alarmsOf(app)).toEqual([])
  })
})

test('a gateway that is switched off by hand gets nothing, not even what waits for it', async () => {
  let isBusy = true
  const { app, seen } = await appOn(
    () => (isBusy ? new Response(null, { status: 503 }) : taken()),
    () => (isBusy ? new Response(null, { status: 503 }) : taken()),
  )
  const waiting = await start(app)
  await until(async () => (await waiting.tries()).length === 2)
  isBusy = false
  const [webhook] = app.endpoints.filter(({ channel }) => channel === 'webhook')
  await updateEndpoint(w, actor, { appId: app.id, id: webhook?.id ?? '', enabled: false })
  w.clock.advance(30_000)

  await until(async () => (await waiting.only())?.status === 'sent')
  expect(seen.map(({ length }) => length)).toEqual([1, 2])
  expect((await waiting.tries())[2]).toMatchObject({
    status: 'refused',
    detail: 'this endpoint is switched off',
  })
  expect(await alarmsOf(app)).toEqual([])
})

test('a message that a gateway took without an answer is sent once more, a minute later, and said so', async () => {
  const { app, seen } = await appOn(
    () => new Promise<Response>(() => {}),
    () => taken(),
  )
  const { only, tries } = await start(app)

  await until(async () => (await tries()).length === 1)
  expect(await tries()).toMatchObject([{ status: 'deferred', cause: 'network', ambiguous: true }])
  w.clock.advance(59_000)
  await Bun.sleep(200)
  expect(seen.map(({ length }) => length)).toEqual([1, 0])
  w.clock.advance(2_000)
  await until(async () => (await tries()).length === 2)

  // Twice accepted at most: no third try, and the next gateway is not asked.
  w.clock.advance(300_000)
  await Bun.sleep(200)
  expect((await tries()).map(({ ambiguous }) => ambiguous)).toEqual([true, true])
  expect((await only())?.status).toBe('undeliverable')
  expect(seen.map(({ length }) => length)).toEqual([2, 0])
  const [one, two] = seen[0] ?? []
  expect([two?.id, two?.code]).toEqual([one?.id, one?.code])
})

test('neither code nor address reaches the log or what is stored of a try', async () => {
  const { app, seen } = await appOn(
    (own) => new Response(JSON.stringify({ error: own.at(-1) }), { status: 500 }),
    (own) => Response.json({ id: own.at(-1)?.code, ...own.at(-1) }),
  )
  const { id, only } = await start(app)
  expect(await sender.settled(id, waitMs)).toMatchObject({ status: 'sent' })

  const [{ code, to } = { code: '', to: '' }] = seen[1] ?? []
  expect(code).toMatch(/^\d{6}$/)
  const kept = JSON.stringify(await only()) + lines.join('\n')
  expect(kept).not.toContain(code)
  expect(kept).not.toContain(to)
})

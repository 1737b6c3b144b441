import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createEgress } from '../../../src/channels/egress.ts'
import { createEmailChannel } from '../../../src/channels/email/email.ts'
import { createMailer } from '../../../src/channels/email/mailer.ts'
import { createChannels } from '../../../src/channels/registry.ts'
import type { App } from '../../../src/domain/app/app.ts'
import { addEndpoint, updateEndpoint } from '../../../src/domain/app/endpoints.ts'
import type { ChannelKind } from '../../../src/domain/delivery/channel.ts'
import type { Channel, Log, Timers } from '../../../src/domain/ports.ts'
import { startVerification } from '../../../src/domain/verification/start.ts'
import { createSender, type Sender } from '../../../src/jobs/sender/sender.ts'
import { createMetrics } from '../../../src/metrics.ts'
import { quickTimers } from '../../channels/mail-fixtures.ts'
import { dnsOf } from '../../support/dns.ts'
import { type Script, type ScriptedServer, scriptedServer, until } from '../../support/smtp.ts'
import { addApp, type World, world } from '../../support/world.ts'

// The sender with its real channels, a real store and scripted servers, in real time: simulated
// time tells how quick it is, so the waits here are long enough for a busy machine.
setDefaultTimeout(60_000)
const waitMs = 30_000
/** The same for the channels and the sender, as in a server. */
const connectionsMax = 100
/** Less than the wait before anything is tried again. */
const atOnceMs = 10_000

let w: World
let channels: Record<ChannelKind, Channel>
let sender: Sender
const servers: ScriptedServer[] = []
const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

beforeEach(async () => {
  w = await world({ settings: { appStartsPerMinute: 1_000_000 } })
  channels = createChannels({ ...w, connectionsMax, publicUrl: null })
  sender = open({ email: channels.email })
})
afterEach(async () => {
  await sender.stop(0)
  channels.email.close()
  for (const server of servers.splice(0)) server.close()
  await w.store.close()
})

function open({ email, timers = w.timers }: { email: Channel; timers?: Timers }): Sender {
  const metrics = createMetrics()
  return createSender({
    ...{ ...w, channels: { ...channels, email }, timers, log: quiet, metrics, lookEveryMs: 50 },
    connectionsMax,
  })
}

/** An email channel in this thread, with accelerated timers. */
function hurried(times: number): Channel {
  const timers = quickTimers(times)
  const mailer = createMailer({
    egress: createEgress({ dns: dnsOf() }),
    clock: w.clock,
    timers,
    connectionsMax,
  })
  return createEmailChannel(w, mailer)
}

type Servers = (Script | Parameters<typeof scriptedServer>[0])[]

/** An app whose endpoints lead to servers with these scripts, by rank. */
async function appOn(...scripts: Servers): Promise<{ app: App; own: ScriptedServer[] }> {
  const actor = { who: 'cli', requestId: null }
  const { app } = await addApp(w)
  const own: ScriptedServer[] = []
  for (const [index, script] of scripts.entries()) {
    const server = await scriptedServer(script)
    own.push(server)
    const email = { host: '127.0.0.1', port: server.port, security: 'none', user: null }
    const id = app.endpoints[0]?.id ?? ''
    const change = { appId: app.id, input: { ...email, from: 'codes@acme.test' } }
    if (index === 0) await updateEndpoint(w, actor, { ...change, id })
    else await addEndpoint(w, actor, { ...change, kind: 'email' })
  }
  servers.push(...own)
  const ready = await w.apps.get(app.id)
  if (!ready) throw new Error('the app is gone')
  return { app: ready, own }
}

let people = 0
async function start(app: App): Promise<string> {
  const to = `person${people++}@example.com`
  const request = { app, mode: 'live', startedBy: 'v1', to } as const
  const { verification } = await startVerification({ ...w, outbox: sender }, request)
  return verification.id
}

const taken = ({ commands }: ScriptedServer) => commands.filter((line) => line === '.').length

describe('a mail leaves', () => {
  test('at once through the next server where the first refuses the connection', async () => {
    const { app, own } = await appOn({}, {})
    own[0]?.close()
    const begun = w.timers.monotonic()

    const state = await sender.settled(await start(app), waitMs)

    expect(state).toMatchObject({ status: 'sent' })
    expect(w.timers.monotonic() - begun).toBeLessThan(atOnceMs)
    expect(own.map(taken)).toEqual([0, 1])
  })

  test.each(['421 4.7.0 too many connections', '432 4.3.2 Concurrent connections limit exceeded.'])(
    'at once where the server allows one connection only: %s',
    async (greeting) => {
      const { app, own } = await appOn(({ open }) => (open > 1 ? { greeting } : {}))

      const ids = await Promise.all(Array.from({ length: 20 }, () => start(app)))
      const states = await Promise.all(ids.map((id) => sender.settled(id, waitMs)))

      expect(states.map((state) => state?.status)).toEqual(Array(20).fill('sent'))
      expect(own.map(taken)).toEqual([20])
    },
  )

  test('where the server answers 421 to every second connection', async () => {
    const { app, own } = await appOn(({ number }) => {
      return number % 2 === 0 ? { greeting: '421 4.3.2 busy' } : {}
    })

    const ids = await Promise.all(Array.from({ length: 20 }, () => start(app)))
    const states = await Promise.all(ids.map((id) => sender.settled(id, waitMs)))

    expect(states.map((state) => state?.status)).toEqual(Array(20).fill('sent'))
    expect(own.map(taken)).toEqual([20])
  })

  test('a hundred times over few connections that are reused', async () => {
    const { app, own } = await appOn({})

    const ids = await Promise.all(Array.from({ length: 200 }, () => start(app)))
    const states = await Promise.all(ids.map((id) => sender.settled(id, waitMs)))

    expect(states.filter((state) => state?.status !== 'sent')).toEqual([])
    expect(own.map(taken)).toEqual([200])
    expect(own[0]?.connections()).toBeLessThanOrEqual(10)
  })
})

test('a server that accepts and never answers delays no other app', async () => {
  const silent = await appOn({ greeting: 'hang' })
  const working = await appOn({})
  const stuck = await Promise.all(Array.from({ length: 30 }, () => start(silent.app)))
  await until(() => (silent.own[0]?.connections() ?? 0) >= 3)
  const begun = w.timers.monotonic()

  const states = await Promise.all(
    Array.from({ length: 30 }, async () => sender.settled(await start(working.app), waitMs)),
  )

  expect(states.map((state) => state?.status)).toEqual(Array(30).fill('sent'))
  expect(w.timers.monotonic() - begun).toBeLessThan(atOnceMs)
  expect(stuck).toHaveLength(30)
  expect(silent.own[0]?.connections()).toBeLessThanOrEqual(10)
})

describe('a server that', () => {
  test('drops the connection after the message gets two copies at most', async () => {
    const { app, own } = await appOn({ message: 'close' })
    const email = hurried(1)
    sender = open({ email })
    sender.start()
    const id = await start(app)
    expect(await sender.settled(id, waitMs)).toMatchObject({ status: 'deferred', maybeTaken: true })
    w.clock.advance(60_001)
    await until(() => own.map(taken)[0] === 2)

    for (let round = 0; round < 5; round++) {
      w.clock.advance(60_000)
      await Bun.sleep(120)
    }

    expect(own.map(taken)).toEqual([2])
    email.close()
  })

  test('sends its reply byte by byte ends a try after its time', async () => {
    const { app } = await appOn({ 'RCPT TO': 'drip' })
    const email = hurried(100)
    sender = open({ email })

    const state = await sender.settled(await start(app), waitMs)

    expect(state).toMatchObject({ status: 'deferred', maybeTaken: false })
    email.close()
  })

  test('never answers the message ends a try after its time, as ambiguous', async () => {
    const { app } = await appOn({ message: 'hang' })
    const email = hurried(100)
    sender = open({ email })

    const state = await sender.settled(await start(app), waitMs)

    expect(state).toMatchObject({ status: 'deferred', maybeTaken: true })
    email.close()
  })

  test('refuses the login gets few connections, and then none for a minute', async () => {
    const { app, own } = await appOn({
      EHLO: '250-mail.acme.test\r\n250 AUTH PLAIN',
      AUTH: '535 5.7.8 bad credentials',
    })
    const actor = { who: 'cli', requestId: null }
    const id = app.endpoints[0]?.id ?? ''
    const email = { user: 'codes', password: 'wrong' }
    await updateEndpoint(w, actor, { appId: app.id, id, input: email })
    const ready = await w.apps.get(app.id)
    if (!ready) throw new Error('the app is gone')

    const ids = await Promise.all(Array.from({ length: 30 }, () => start(ready)))
    const states = await Promise.all(ids.map((one) => sender.settled(one, waitMs)))

    expect(states.every((state) => state?.status === 'refused')).toBe(true)
    const logins = own[0]?.commands.filter((line) => line.startsWith('AUTH')) ?? []
    expect(logins.length).toBeLessThanOrEqual(3)
  })
})

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createBotReader, createBots } from '../../src/channels/telegram/bots.ts'
import { removeEndpoint, updateEndpoint } from '../../src/domain/app/endpoints.ts'
import type { LogFields } from '../../src/domain/ports.ts'
import { getBinding, startBinding } from '../../src/domain/telegram/bindings.ts'
import type { BotReader } from '../../src/domain/telegram/bot.ts'
import { createBotJob } from '../../src/jobs/bots/bots.ts'
import { systemTimers } from '../../src/system.ts'
import { ada, type BotApi, bob, botApi } from '../support/bot-api.ts'
import { eventually } from '../support/executable.ts'
import { loopbackHttpOut } from '../support/http.ts'
import { addBot, openedBot, payloadOf } from '../support/telegram.ts'
import { world } from '../support/world.ts'

const httpOut = loopbackHttpOut()
const actor = { who: 'cli', requestId: null }
let api: BotApi
let running: { stop(): Promise<void> }[] = []
beforeEach(() => {
  api = botApi()
})
afterEach(async () => {
  await Promise.all(running.map((job) => job.stop()))
  running = []
  await api.stop()
})

/** Pauses that are over soon; how long they would have been is noted. */
function quickTimers() {
  const waits: number[] = []
  const after: typeof systemTimers.after = (ms, callback) => {
    waits.push(ms)
    return systemTimers.after(Math.min(ms, 20), callback)
  }
  return { waits, timers: { ...systemTimers, after } }
}

async function polled(input: Record<string, unknown> = {}, publicUrl: string | null = null) {
  const at = await world()
  const baseUrl = `http://127.0.0.1:${api.port}`
  const bot = await addBot(at, at.app, { baseUrl, ...input })
  const lines: { event: string; fields: LogFields }[] = []
  const write = (event: string, fields: LogFields = {}) => void lines.push({ event, fields })
  const log = { debug: write, info: write, warn: write, error: write }
  const { timers, waits } = quickTimers()
  const bots = createBots({ httpOut, timers: systemTimers })
  const start = (
    change: { node?: string; reader?: Partial<BotReader>; publicUrl?: string } = {},
  ) => {
    const reader = { ...createBotReader({ httpOut }), ...change.reader }
    const own = { bots, timers, log, reader, publicUrl: change.publicUrl ?? publicUrl }
    const job = createBotJob({ ...at, ...own, node: change.node ?? 'a' })
    job.start()
    running.push(job)
    return job
  }
  const make = () => startBinding(at, { app: bot.app, mode: 'live' })
  const status = async (id: string) =>
    (await getBinding(at, { appId: at.app.id, mode: 'live', id })).status
  const next = () => at.bindings.nextUpdate({ appId: at.app.id, bot: bot.number })
  return { at, bot, start, make, status, next, lines, waits }
}

const reads = () => api.calls.filter(({ method }) => method === 'getUpdates')
const offsets = () => reads().map(({ params }) => params['offset'])

test('a bot is polled: its updates are handled in order, and then confirmed', async () => {
  const { start, make, status, next } = await polled()
  const { binding, link } = await make()
  start()
  api.write(ada, `/start ${payloadOf(link)}`)
  await eventually(() => api.question(ada) !== undefined)
  api.press(ada, 'yes')
  await eventually(async () => (await status(binding.id)) === 'answered')
  await eventually(() => api.pending() === 0)

  expect(await next()).toMatchObject({ id: 900_003 })
  expect(api.texts(ada)).toHaveLength(2)
  expect(reads()[0]?.params).toEqual({
    ...{ timeout: 25, limit: 20 },
    allowed_updates: ['message', 'callback_query', 'my_chat_member'],
  })
  expect(offsets().slice(-1)).toEqual([900_003])
})

test('one node at a time reads a bot; another one begins once it has stopped', async () => {
  const { start } = await polled()
  start()
  await eventually(() => reads().length === 1)
  start({ node: 'b' })
  await Bun.sleep(200)
  expect(reads()).toHaveLength(1)

  await running.shift()?.stop()
  await eventually(() => reads().length > 1)
})

test('a node that was killed holds its turn for a minute and a half', async () => {
  const { at, bot, start } = await polled()
  const now = at.clock.now()
  const turn = { job: `bot ${bot.endpoint.id}`, node: 'killed', now, until: now + 90_000 }
  await at.maintenance.takeTurn(turn)
  start()
  await Bun.sleep(200)
  expect(reads()).toEqual([])

  at.clock.advance(90_000)
  await eventually(() => reads().length > 0)
})

test('after a stop in the middle an update is handled again, with no other effect', async () => {
  const { start, make, status, next } = await polled()
  const { binding, link } = await make()
  api.script('sendMessage', { status: 500, body: {}, afterMs: 300 })
  api.write(ada, `/start ${payloadOf(link)}`)
  const job = start()
  await eventually(() => api.texts(ada).length === 1)
  await job.stop()
  expect(await next()).toBe(null)
  expect(await status(binding.id)).toBe('asked')

  start()
  await eventually(() => api.question(ada) !== undefined)
  expect(api.texts(ada)).toHaveLength(2)
  expect(new Set(api.texts(ada)).size).toBe(1)
  await eventually(() => api.pending() === 0)
})

test('a stop does not wait for the long poll', async () => {
  const { start } = await polled()
  const job = start()
  await eventually(() => reads().length === 1)
  const before = performance.now()
  await job.stop()
  expect(performance.now() - before).toBeLessThan(1_000)
})

test('an id that is older than an hour is not asked for, because Telegram may count anew', async () => {
  const { at, bot, start } = await polled()
  const place = { appId: at.app.id, bot: bot.number }
  await at.bindings.setNextUpdate({ ...place, id: 999_999_999, at: at.clock.now() - 3_600_000 })
  const job = start()
  await eventually(() => reads().length === 1)
  expect(offsets()).toEqual([undefined])
  await job.stop()

  await at.bindings.setNextUpdate({ ...place, id: 900_001, at: at.clock.now() - 3_599_999 })
  start()
  await eventually(() => reads().length === 2)
  expect(offsets()[1]).toBe(900_001)
})

function conflict(words: string) {
  return { status: 409, body: { ok: false, error_code: 409, description: `Conflict: ${words}` } }
}

test('a webhook of somebody else is ended, so that the bot can be polled', async () => {
  const { start, lines } = await polled()
  const set = fetch(`http://127.0.0.1:${api.port}/bot${api.token}/setWebhook`, {
    method: 'POST',
    body: JSON.stringify({ url: 'https://127.0.0.1:1/' }),
  })
  await set
  start()
  await eventually(() => api.webhook() === null)
  api.write(ada, '/stop')
  await eventually(() => lines.some(({ event }) => event === 'bot_read'))

  const cause = lines.find(({ event }) => event === 'bot_not_read')?.fields.cause
  expect(cause).toBe('webhook')
})

test('another reader makes it wait longer each time, up to a minute, and says so once', async () => {
  const { start, lines, waits } = await polled()
  api.script('getUpdates', ...Array.from({ length: 8 }, () => conflict('terminated by other')))
  start()
  await eventually(() => lines.some(({ event }) => event === 'bot_read') || reads().length > 8)

  const backOff = waits.filter((ms) => ms >= 1_000 && ms !== 2_000)
  expect(backOff.filter((ms) => ms === 60_000).length).toBeGreaterThan(0)
  for (const ms of [1_000, 4_000, 8_000, 16_000, 32_000]) expect(backOff).toContain(ms)
  expect(lines.filter(({ event }) => event === 'bot_not_read')).toHaveLength(1)
  expect(reads().length).toBeGreaterThan(8)
})

test('the wait that Telegram asks for is kept', async () => {
  const { start, waits } = await polled()
  const parameters = { retry_after: 77 }
  const body = { ok: false, error_code: 429, description: 'Too Many Requests', parameters }
  api.script('getUpdates', { status: 429, body })
  start()
  await eventually(() => reads().length > 1)
  expect(waits).toContain(77_000)
})

test('a refused token raises the alarm of the endpoint until it is taken again', async () => {
  const { at, bot, start } = await polled()
  const body = { ok: false, error_code: 401, description: 'Unauthorized' }
  api.script('getUpdates', { status: 401, body }, { status: 401, body, afterMs: 300 })
  start()
  const open = async () => {
    const query = { appId: at.app.id, open: true, limit: 9, cursor: null }
    return (await at.alarms.list(query)).items
  }
  await eventually(async () => (await open()).length === 1)
  expect(await open()).toMatchObject([{ kind: 'login_refused', endpointId: bot.endpoint.id }])
  api.write(ada, '/stop')
  await eventually(async () => (await open()).length === 0)
})

test('an answer that is too long is read one by one, and an update that is too long passed over', async () => {
  const { start, next } = await polled()
  const huge = 'x'.repeat(40_000)
  api.write(bob, '/stop')
  for (let count = 0; count < 2; count++) api.write(ada, huge)
  api.write(ada, huge + huge)
  api.write(ada, '/stop')
  start()
  await eventually(() => api.texts(ada).length === 1, 20_000)
  await eventually(async () => (await next())?.id === 900_006)

  expect(api.texts(bob)).toHaveLength(1)
})

test('an update that cannot be handled is passed over after five tries, and the next one is not lost', async () => {
  const { start, lines } = await polled()
  const failing = { status: 500, body: {} }
  api.script('sendMessage', failing, failing, failing, failing, failing)
  api.write(ada, '/stop')
  api.write(bob, '/stop')
  const { at } = { at: start() }
  await eventually(() => api.texts(bob).length === 1)

  expect(api.texts(ada)).toHaveLength(5)
  expect(lines.filter(({ event }) => event === 'bot_update_passed_over')).toHaveLength(1)
  await at.stop()
})

test('a bot that is changed or removed is not read any more', async () => {
  const { at, bot, start } = await polled()
  start()
  await eventually(() => reads().length === 1)
  await removeEndpoint(at, actor, { appId: at.app.id, id: bot.endpoint.id })
  api.write(ada, '/stop')
  await eventually(() => reads().length >= 1 && api.texts(ada).length === 1)
  await Bun.sleep(100)
  const { length } = reads()
  await Bun.sleep(200)
  expect(reads()).toHaveLength(length)
})

test('with a public URL the webhook is set by one node, once, and again when the bot changes', async () => {
  const { at, bot, start, lines } = await polled({ updates: 'webhook' }, 'https://otp.example.com')
  start()
  start({ node: 'b' })
  await eventually(() => api.webhook() !== null)
  await Bun.sleep(200)
  const sets = () => api.calls.filter(({ method }) => method === 'setWebhook')

  expect(sets()).toHaveLength(1)
  expect(sets()[0]?.params).toEqual({
    url: `https://otp.example.com/v1/inbound/${bot.endpoint.id}`,
    secret_token: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    allowed_updates: ['message', 'callback_query', 'my_chat_member'],
  })
  expect(reads()).toEqual([])
  at.clock.advance(1)
  await updateEndpoint(at, actor, {
    appId: at.app.id,
    id: bot.endpoint.id,
    input: { token: api.token },
  })
  await eventually(() => sets().length === 2)
  expect(JSON.stringify(lines)).not.toContain(api.token)
})

test('without a public URL such a bot is polled, and a bot that goes back to polling is too', async () => {
  const { at, bot, start } = await polled({ updates: 'webhook' })
  const job = start()
  await eventually(() => reads().length === 1)
  await job.stop()
  start({ publicUrl: 'https://otp.example.com' })
  await eventually(() => api.webhook() !== null)

  const change = { appId: at.app.id, id: bot.endpoint.id, input: { updates: 'polling' } }
  await updateEndpoint(at, actor, change)
  await eventually(() => api.webhook() === null)
  api.write(ada, '/stop')
  await eventually(() => api.texts(ada).length === 1)
  expect((await openedBot(at, at.app.id)).endpoint.settings).toMatchObject({ updates: 'polling' })
})

test('a database that fails loses no update', async () => {
  const { at, start } = await polled()
  api.write(ada, '/stop')
  let failures = 3
  const { setNextUpdate } = at.bindings
  at.bindings.setNextUpdate = async (command) => {
    if (failures-- > 0) throw new Error('the disk is full')
    return setNextUpdate(command)
  }
  start()
  await eventually(() => api.pending() === 0)
  expect(api.texts(ada).length).toBe(4)
})

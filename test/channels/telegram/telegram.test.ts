import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createBots } from '../../../src/channels/telegram/bots.ts'
import { probeBot } from '../../../src/channels/telegram/probe.ts'
import { createTelegramChannel } from '../../../src/channels/telegram/telegram.ts'
import type { DeliveryOutcome, Handover } from '../../../src/domain/delivery/delivery.ts'
import type { Lease } from '../../../src/domain/delivery/lease.ts'
import { confirmBinding, startBinding } from '../../../src/domain/telegram/bindings.ts'
import { handleUpdate } from '../../../src/domain/telegram/updates.ts'
import { systemTimers } from '../../../src/system.ts'
import { ada, type BotApi, bob, botApi, failure } from '../../support/bot-api.ts'
import { loopbackHttpOut } from '../../support/http.ts'
import { adaPerson, addBot, otherToken, payloadOf } from '../../support/telegram.ts'
import { world } from '../../support/world.ts'

const httpOut = loopbackHttpOut()
let api: BotApi
beforeEach(() => {
  api = botApi()
})
afterEach(() => api.stop())

/** An app whose bot speaks to the scripted server, and an active binding of Ada's. */
async function bound(input: Record<string, unknown> = {}) {
  const at = await world()
  const bots = createBots({ httpOut, timers: systemTimers })
  const ports = { ...at, bots }
  const bot = await addBot(at, at.app, { ...input, baseUrl: baseUrl() })
  const { app } = bot
  const { binding, link } = await startBinding(at, { app, mode: 'live' })
  const update = { id: 1, chat: String(ada), person: adaPerson }
  api.write(ada, '/start')
  await handleUpdate(at, bot, { ...update, kind: 'start', payload: payloadOf(link) })
  const press = { binding: binding.id, agrees: true, callback: 'c', message: null } as const
  await handleUpdate(at, bot, { ...update, kind: 'answer', ...press })
  await confirmBinding(at, { appId: app.id, mode: 'live', id: binding.id })
  const channel = createTelegramChannel({ ...ports, httpOut })
  const deliver = (change: Partial<Handover> = {}, lease?: Lease) =>
    channel.deliver(
      { ...handoverOf(bot.app, binding.id), endpoint: bot.endpoint, ...change },
      new AbortController().signal,
      lease,
    )
  const isBound = async () =>
    (await at.bindings.get({ appId: app.id, mode: 'live', id: binding.id })) !== null
  return { at, bot, bots, app, binding, deliver, isBound }
}

const baseUrl = () => `http://127.0.0.1:${api.port}`
const code = '493021'

function handoverOf(app: Handover['app'], address: string): Omit<Handover, 'endpoint'> {
  return {
    ...{ deliveryId: 'd', app, verificationId: 'v', mode: 'live', code, codeFormat: 'numeric' },
    ...{ reference: 'AB12', locale: 'de', variables: null, channel: 'telegram', route: [] },
    recipient: { kind: 'telegram', address },
    createdAt: Date.UTC(2026, 5, 15, 12),
    expiresAt: Date.UTC(2026, 5, 15, 12, 10),
  }
}

const sentTo = () => api.calls.filter(({ method }) => method === 'sendMessage')

test('a code goes to the chat as plain text that cannot be forwarded', async () => {
  const { deliver } = await bound()
  const outcome = await deliver()

  expect(outcome).toEqual({ status: 'sent', code: null, detail: null, remoteId: '2' })
  const [{ params } = { params: {} }] = sentTo()
  expect(params).toEqual({
    chat_id: ada,
    text: expect.stringMatching(/^493021 ist Ihr Code für .*Acme.*10 Minuten/),
    protect_content: true,
    link_preview_options: { is_disabled: true },
  })
})

test('a code that another node has taken over is not sent', async () => {
  const { deliver } = await bound()

  const outcome = await deliver({}, { sureUntil: 0, isHeld: async () => false })

  expect(outcome).toMatchObject({ status: 'deferred', ambiguous: false })
  expect(sentTo()).toEqual([])
})

const gone = [
  [403, 'Forbidden: bot was blocked by the user'],
  [403, 'Forbidden: user is deactivated'],
  [403, "Forbidden: bot can't initiate conversation with a user"],
  [400, 'Bad Request: chat not found'],
] as const

test.each(gone)('%d %s is final, and ends the binding', async (status, words) => {
  const { deliver, isBound } = await bound()
  api.script('sendMessage', scripted(status, words))

  expect(await deliver()).toEqual({
    ...{ status: 'refused', cause: 'recipient', code: null, detail: words },
  })
  expect(await isBound()).toBe(false)
  expect(await deliver()).toMatchObject({
    cause: 'recipient',
    detail: expect.stringMatching(/no such/),
  })
  expect(sentTo()).toHaveLength(1)
})

function scripted(status: number, words: string, parameters?: object) {
  const body = {
    ok: false,
    error_code: status,
    description: words,
    ...(parameters && { parameters }),
  }
  return { status, body }
}

test.each<[string, { status: number; body?: unknown }, Partial<DeliveryOutcome>]>([
  [
    'a wait of a day',
    scripted(429, 'Too Many Requests: retry after 86400', { retry_after: 86_400 }),
    { status: 'deferred', cause: 'busy', retryAfterMs: 86_400_000, ambiguous: false, code: '429' },
  ],
  ['a refused token', scripted(401, 'Unauthorized'), { status: 'refused', cause: 'login' }],
  ['a malformed token', scripted(404, 'Not Found'), { status: 'refused', cause: 'login' }],
  [
    'a refused message',
    scripted(400, 'Bad Request: message is too long'),
    { status: 'refused', cause: 'message', code: '400' },
  ],
  [
    'an error of the server',
    scripted(500, 'Internal Server Error'),
    { status: 'deferred', cause: 'busy', ambiguous: false, retryAfterMs: null },
  ],
  ['a page of a proxy', { status: 502, body: '<html>' }, { status: 'deferred', cause: 'busy' }],
  ['a redirect', { status: 302, body: '' }, { status: 'refused', cause: 'server', code: '302' }],
  ['an answer that is none', { status: 200, body: [] }, { status: 'refused', cause: 'server' }],
])('%s is not the person’s fault, and ends no binding', async (_, answer, outcome) => {
  const { deliver, isBound } = await bound()
  api.script('sendMessage', answer)

  expect(await deliver()).toMatchObject(outcome)
  expect(await isBound()).toBe(true)
})

test('what is sent and not answered is ambiguous; a server that is away is not', async () => {
  const { at, bot, binding, deliver } = await bound()
  api.script('sendMessage', 'hang')
  const controller = new AbortController()
  const channel = createTelegramChannel({ ...at, httpOut })
  const handover = { ...handoverOf(bot.app, binding.id), endpoint: bot.endpoint }
  const hanging = channel.deliver(handover, controller.signal)
  while (sentTo().length < 1) await Bun.sleep(5)
  controller.abort()

  expect(await hanging).toMatchObject({ status: 'deferred', cause: 'network', ambiguous: true })
  await api.stop()
  expect(await deliver()).toMatchObject({ status: 'deferred', cause: 'network', ambiguous: false })
})

test('nothing is sent to a binding of another app, mode or bot, nor to one that is not active', async () => {
  const { at, app, bot, binding, deliver } = await bound()
  const waiting = await startBinding(at, { app, mode: 'live' })
  const to = (address: string) => ({ recipient: { kind: 'telegram', address } as const })
  const foreign = { ...bot, number: '7002' }
  const { link } = await startBinding(at, { app, mode: 'live' })

  for (const change of [
    { mode: 'test' } as const,
    { app: { ...app, id: 'other' } },
    to(waiting.binding.id),
    to('0'.repeat(30)),
    to(payloadOf(link)),
    to(String(ada)),
  ]) {
    const outcome = await deliver(change)
    expect([outcome.status, 'cause' in outcome && outcome.cause]).toEqual([
      'refused',
      'app' in change ? 'server' : 'recipient',
    ])
  }
  expect(foreign.number).not.toBe(bot.number)
  expect(binding.bot).toBe('7001')
  expect(sentTo()).toEqual([])
})

test('the token is in no outcome, even where the server says it, and neither is the code', async () => {
  const { deliver } = await bound()
  const words = `Bad Request: no bot${api.token} for\n ${code} ${'x'.repeat(300)}`
  api.script('sendMessage', scripted(400, words))
  const outcome = await deliver()

  expect(JSON.stringify(outcome)).not.toContain(api.token)
  expect(outcome.detail).toStartWith('Bad Request: no bot<token> for <code> xxx')
  expect(outcome.detail?.length).toBeLessThanOrEqual(210)
})

test('a bot asks in the person’s language, with a button for each answer', async () => {
  const { bot, bots } = await bound()
  api.write(bob, '/start')
  const said = { chat: String(bob), sentence: 'question', language: 'de', binding: 'b1' } as const
  expect(await bots.say(bot, said)).toBe('said')

  expect(api.question(bob)).toMatchObject({ yes: 'yb1', no: 'nb1' })
  expect(api.question(bob)?.text).toMatch(/^Acme möchte Ihnen hier Codes senden/)
  const { params } = sentTo()[0] ?? {}
  expect(params).toMatchObject({
    reply_markup: { inline_keyboard: [[{ text: 'Ich stimme zu' }, { text: 'Nein' }]] },
  })
  expect(JSON.stringify(params)).not.toContain('parse_mode')
})

test('what a bot could not say may be said later, unless the person is gone', async () => {
  const { bot, bots } = await bound()
  const say = () => bots.say(bot, { chat: String(ada), sentence: 'stopped', language: null })
  api.script('sendMessage', scripted(429, 'Too Many Requests'), scripted(500, 'x'))
  api.script('sendMessage', scripted(401, 'Unauthorized'), scripted(403, 'Forbidden: blocked'))
  api.script('sendMessage', scripted(400, 'Bad Request: strange'))

  expect(await Promise.all([say(), say(), say()])).toEqual(['later', 'later', 'later'])
  expect([await say(), await say(), await say()]).toEqual(['gone', 'said', 'said'])
  await api.stop()
  expect(await say()).toBe('later')
})

test('an answered question is replaced, and its buttons go', async () => {
  const { bot, bots } = await bound()
  const place = { chat: String(ada), callback: 'q', language: 'en', sentence: 'thanks' } as const
  await bots.replace(bot, { ...place, message: 5 })
  await bots.replace(bot, { ...place, message: null })

  const methods = api.calls.map(({ method }) => method).sort()
  expect(methods.filter((method) => method === 'answerCallbackQuery')).toHaveLength(2)
  const edit = api.calls.find(({ method }) => method === 'editMessageText')
  expect(edit?.params).toEqual({ chat_id: ada, message_id: 5, text: expect.any(String) })
  expect(sentTo()).toHaveLength(1)
})

test('the name of a bot is asked for once an hour, and a refused token is said without it', async () => {
  const { bot, bots } = await bound()
  expect(await bots.username(bot)).toMatchObject({ username: 'acme_codes_bot' })
  expect(await bots.username(bot)).toMatchObject({ username: 'acme_codes_bot' })
  expect(api.calls.filter(({ method }) => method === 'getMe')).toHaveLength(1)

  const wrong = { ...bot, token: otherToken, endpoint: { ...bot.endpoint, updatedAt: 1 } }
  expect(await bots.username(wrong)).toEqual({
    fault: 'the Bot API refuses the token of the bot',
  })
})

test('a probe says who the bot is and how its updates come', async () => {
  const { at, bot } = await bound()
  const probe = (change = {}) => {
    const settings = { ...bot.endpoint.settings, ...change } as typeof bot.endpoint.settings
    return probeBot({ keyring: at.keyring, httpOut }, bot.app, { ...bot.endpoint, settings })
  }
  expect(await probe()).toEqual([
    { name: 'bot', ok: true, detail: 'It is @acme_codes_bot.' },
    { name: 'updates', ok: true, detail: 'They are polled.' },
  ])
  const info = (change: object) => {
    const result = { url: '', pending_update_count: 0, ...change }
    api.script('getWebhookInfo', { status: 200, body: { ok: true, result } })
  }
  const updates = { updates: 'webhook' }
  const url = `https://otp.example.com/v1/inbound/${bot.endpoint.id}`
  const ofStep = async () => (await probe(updates))[1]
  info({ url })
  expect(await ofStep()).toMatchObject({ ok: true, detail: 'They come by webhook.' })
  info({ url, last_error_message: 'Connection refused' })
  expect(await ofStep()).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/fails: Connection refused/),
  })
  info({ url: 'https://evil.example/' })
  expect(await ofStep()).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/somebody else/),
  })
  api.script('getMe', { status: 401, body: await failure(401, 'Unauthorized').json() })
  expect(await probe()).toEqual([
    { name: 'bot', ok: false, detail: 'the Bot API refuses the token of the bot.' },
  ])
})

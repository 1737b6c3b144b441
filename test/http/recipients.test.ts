import { expect, test } from 'bun:test'
import { webhookSecret } from '../../src/domain/telegram/bot.ts'
import { addBot, otherToken, payloadOf } from '../support/telegram.ts'
import { addApp } from '../support/world.ts'
import { adminToken, type CallOptions, type Site, site } from './fixture.ts'

const ada = { id: 1001, is_bot: false, first_name: 'Ada', language_code: 'de' }
const chat = { id: 1001, type: 'private' }
const place = '/v1/recipients/telegram'

/** A site whose app has a bot with a webhook, and what Telegram sends to it. */
async function withBot() {
  const at = await site()
  const bot = await addBot(at, at.app, { updates: 'webhook' })
  const secret = webhookSecret(at.keyring, bot.endpoint)
  let id = 1
  const send = (content: object, options: CallOptions & { secret?: string | null } = {}) => {
    const shown = options.secret === undefined ? secret : options.secret
    const headers = shown === null ? {} : { 'x-telegram-bot-api-secret-token': shown }
    return at.call('POST', `/v1/inbound/${bot.endpoint.id}`, {
      ...{ token: null, body: { update_id: id++, ...content }, headers },
      ...options,
    })
  }
  const start = (link: string, message: object = {}, options = {}) => {
    const text = `/start ${payloadOf(link)}`
    return send({ message: { message_id: 1, from: ada, chat, text, ...message } }, options)
  }
  const press = (binding: string, letter = 'y') =>
    send({
      callback_query: {
        id: 'q',
        from: ada,
        message: { message_id: 2, chat },
        data: letter + binding,
      },
    })
  const made = async () => (await at.call('POST', place)).json
  const status = async (id: string) => (await at.call('GET', `${place}/${id}`)).json.status
  return { at, bot, secret, send, start, press, made, status }
}

test('a person is bound by a link, their answer and the app, and is then a recipient', async () => {
  const { at, start, press } = await withBot()
  const made = await at.call('POST', place)
  const { id, link } = made.json
  expect([made.status, made.json]).toEqual([
    201,
    {
      id: expect.stringMatching(/^[0-9A-Za-z]{30}$/),
      ...{ status: 'waiting', mode: 'live', link: expect.stringContaining('https://t.me/') },
      created_at: '2026-06-15T12:00:00.000Z',
      expires_at: '2026-06-15T12:10:00.000Z',
    },
  ])
  expect((await start(link)).status).toBe(204)
  const early = await at.call('POST', `${place}/${id}/confirm`)
  expect([early.status, early.json.code]).toEqual([409, 'recipient_not_answered'])
  expect((await press(id)).status).toBe(204)
  const shown = await at.call('GET', `${place}/${id}`)
  expect(shown.json).toMatchObject({ status: 'answered', name: 'A***' })
  const active = await at.call('POST', `${place}/${id}/confirm`)
  expect(active.json).toMatchObject({ id, status: 'active', name: 'A***' })
  expect(active.json).not.toHaveProperty('expires_at')

  const started = await at.call('POST', '/v1/verifications', {
    body: { to: id, channel: 'telegram' },
  })
  expect([started.status, started.json.to]).toEqual([201, `${id.slice(0, 4)}***`])
  expect(at.sent.at(-1)?.handover.recipient).toEqual({ kind: 'telegram', address: id })
  expect((await at.call('DELETE', `${place}/${id}`)).status).toBe(204)
  expect((await at.call('GET', `${place}/${id}`)).json.code).toBe('recipient_not_found')
})

test('an update without the right secret is 401 without a body, and changes nothing', async () => {
  const { at, secret, start, made, status, bot } = await withBot()
  const { id, link } = await made()
  const wrong = [null, '', 'x', secret.slice(0, -1), `${secret}x`, secret.toLowerCase(), bot.token]
  for (const shown of wrong) {
    const answer = await start(link, {}, { secret: shown })
    expect([shown, answer.status, answer.text]).toEqual([shown, 401, ''])
    at.clock.advance(7_000)
  }
  const right = await start(link, {}, { secret })
  expect(right.status).toBe(204)
  expect(at.bots.said).toHaveLength(1)
  expect(await status(id)).toBe('waiting')
})

test('an update for another bot, for an endpoint that is none, or for one that is polled is 401', async () => {
  const { at, secret } = await withBot()
  const other = await addApp(at, { name: 'Other' })
  const polled = await addBot(at, other.app, { token: otherToken })
  const [mail] = at.app.endpoints
  const header = { 'x-telegram-bot-api-secret-token': secret }
  const own = { 'x-telegram-bot-api-secret-token': webhookSecret(at.keyring, polled.endpoint) }
  const cases = [
    ['0'.repeat(22), header],
    ['x', header],
    [mail?.id ?? '', header],
    [polled.endpoint.id, header],
    [polled.endpoint.id, own],
  ] as const
  for (const [id, headers] of cases) {
    const answer = await at.call('POST', `/v1/inbound/${id}`, { body: {}, token: null, headers })
    expect([id, answer.status, answer.text]).toEqual([id, 401, ''])
    at.clock.advance(7_000)
  }
})

test('forged updates count as unknown credentials, and signed ones are never limited by them', async () => {
  const { send } = await withBot()
  const stop = { message: { message_id: 1, from: ada, chat, text: '/stop' } }
  const statuses: number[] = []
  for (let count = 0; count < 12; count++) {
    statuses.push((await send(stop, { secret: 'x', from: '198.51.100.7' })).status)
  }
  expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401))
  expect(statuses.slice(10)).toEqual([429, 429])
  expect((await send(stop, { from: '198.51.100.7' })).status).toBe(204)
})

test('a start in a group, a forwarded one and whatever else is signed is taken and does nothing', async () => {
  const { at, start, send, made, status, secret, bot } = await withBot()
  const { id, link } = await made()
  await start(link, { chat: { id: -5, type: 'group' } })
  await start(link, { forward_origin: { type: 'user' } })
  await start(link, { from: { ...ada, is_bot: true } })
  await send({ edited_message: { text: 'x' } })
  const headers = { 'x-telegram-bot-api-secret-token': secret }
  for (const raw of ['', 'no json', '[]', '{"update_id":"x"}', '"x"']) {
    const options = { token: null, raw, headers }
    expect((await at.call('POST', `/v1/inbound/${bot.endpoint.id}`, options)).status).toBe(204)
  }
  expect(at.bots.said).toEqual([])
  expect(await status(id)).toBe('waiting')
  await start(link)
  expect(at.bots.said).toHaveLength(1)
})

test('updates beyond thirty a second are put off with 429, for Telegram to send again', async () => {
  const { send } = await withBot()
  const stop = (id: number) => ({
    message: { message_id: 1, from: { ...ada, id }, chat: { ...chat, id }, text: '/stop' },
  })
  const answers = []
  for (let id = 1; id <= 31; id++) answers.push(await send(stop(id)))

  expect(answers.slice(0, 30).map(({ status }) => status)).toEqual(
    Array.from({ length: 30 }, () => 204),
  )
  const last = answers[30]
  expect([last?.status, last?.json.limit]).toEqual([429, 'bot_updates'])
  expect(last?.headers.get('retry-after')).toBe('1')
})

test('a message that the bot cannot send now puts the update off, and is said when it comes again', async () => {
  const { at, send } = await withBot()
  const stop = { update_id: 5, message: { message_id: 1, from: ada, chat, text: '/stop' } }
  at.bots.outcomes.push('later')
  expect((await send(stop)).status).toBe(429)
  expect((await send(stop)).status).toBe(204)
  expect(at.bots.said.map(({ language }) => language)).toEqual(['de', 'de'])
})

test('a body of more than 256 KiB is refused, and a long update is not', async () => {
  const { send } = await withBot()
  const message = { message_id: 1, from: ada, chat, text: 'x'.repeat(200_000) }
  expect((await send({ message })).status).toBe(204)
  expect((await send({ message: { ...message, text: 'x'.repeat(300_000) } })).status).toBe(413)
})

test('a test key’s recipient has agreed at once, and a live key does not see it', async () => {
  const at = await site()
  const test = { token: at.testKey }
  const made = await at.call('POST', place, test)
  const { id } = made.json
  expect([made.status, made.json]).toMatchObject([
    201,
    { status: 'answered', mode: 'test', link: null, name: 'T*** P*** (@t***)' },
  ])
  expect((await at.call('GET', `${place}/${id}`)).status).toBe(404)
  const active = await at.call('POST', `${place}/${id}/confirm`, test)
  expect(active.json).toMatchObject({ status: 'active', expires_at: '2026-06-15T13:00:00.000Z' })
  const body = { to: id, channel: 'telegram' }
  const started = await at.call('POST', '/v1/verifications', { ...test, body })
  expect([started.status, started.json.channel]).toEqual([201, 'inbox'])
})

test('without a bot there is no link, and a bot that does not answer says why', async () => {
  const at = await site()
  expect((await at.call('POST', place)).json.code).toBe('channel_not_configured')
  await addBot(at, at.app)
  at.bots.name = { fault: 'the Bot API refuses the token of the bot' }
  const answer = await at.call('POST', place)
  expect([answer.status, answer.json.code, answer.json.detail]).toEqual([
    ...[503, 'bot_unavailable', at.bots.name.fault],
  ])
})

test('a telegram recipient is an id of this form, and nothing else', async () => {
  const { at } = await withBot()
  for (const to of ['1001', 'ada@example.com', '@ada', 'x'.repeat(29), `${'x'.repeat(30)} `]) {
    const body = { to, channel: 'telegram' }
    const answer = await at.call('POST', '/v1/verifications', { body })
    expect([to, answer.status, answer.json.errors?.[0]?.field]).toEqual([to, 422, 'to'])
  }
})

const admin = (at: Site, method: string, path: string, body?: unknown) =>
  at.call(method, path, { token: adminToken, ...(body !== undefined && { body }) })

test('the admin lists and removes recipients, and an app has one bot', async () => {
  const { at, bot, made } = await withBot()
  const list = `/v1/apps/${at.app.id}/recipients/telegram`
  const first = await made()
  at.clock.advance(1)
  const second = await made()
  const page = await admin(at, 'GET', `${list}?limit=1`)
  expect(page.json).toMatchObject({ items: [{ id: second.id }], next_cursor: second.id })
  const rest = await admin(at, 'GET', `${list}?limit=1&cursor=${second.id}`)
  expect(rest.json).toMatchObject({ items: [{ id: first.id, mode: 'live' }], next_cursor: null })
  expect((await admin(at, 'DELETE', `${list}/${first.id}`)).status).toBe(204)
  expect((await admin(at, 'DELETE', `${list}/${first.id}`)).json.code).toBe('recipient_not_found')
  expect((await admin(at, 'GET', '/v1/apps/x/recipients/telegram')).json.code).toBe('app_not_found')

  const another = { channel: 'telegram', telegram: { token: otherToken } }
  const added = await admin(at, 'POST', `/v1/apps/${at.app.id}/endpoints`, another)
  expect([added.status, added.json.code]).toEqual([409, 'too_many_endpoints'])
  expect(bot.number).toBe('7001')
})

test('a token is never shown, and a change of the base URL needs it again', async () => {
  const { at, bot } = await withBot()
  const path = `/v1/apps/${at.app.id}/endpoints`
  const shown = await admin(at, 'GET', path)
  const ours = shown.json.items.find(({ id }: { id: string }) => id === bot.endpoint.id)
  expect(ours.telegram).toEqual({
    ...{ base_url: 'https://api.telegram.org', updates: 'webhook', has_secret: true },
    ...{ connections_max: null, rate_per_minute: null, cost: null },
  })
  expect(shown.text + at.logged()).not.toContain(bot.token)
  const change = (telegram: object) =>
    admin(at, 'PATCH', `${path}/${bot.endpoint.id}`, { telegram })
  const moved = { base_url: 'https://bots.example.com/api/' }
  expect((await change(moved)).json.code).toBe('secret_required')
  expect((await change({ ...moved, token: bot.token })).json.telegram).toMatchObject({
    base_url: 'https://bots.example.com/api',
  })
  const mistakes = await change({ token: 'no token', base_url: 'https://a.b/?c', updates: 'push' })
  expect(mistakes.json.errors.map(({ field }: { field: string }) => field).sort()).toEqual([
    ...['telegram.base_url', 'telegram.token', 'telegram.updates'],
  ])
  expect(mistakes.text).not.toContain('no token')
})

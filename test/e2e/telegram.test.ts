import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { ada, type BotApi, bob, botApi, failure } from '../support/bot-api.ts'
import {
  type Environment,
  eventually,
  executable,
  killAll,
  run,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { mailServer } from '../support/smtp.ts'
import { payloadOf } from '../support/telegram.ts'
import { adminToken, call, codeOf } from './client.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
const apis: BotApi[] = []
afterEach(async () => {
  await killAll()
  await Promise.all(apis.splice(0).map((api) => api.stop()))
})
afterAll(remove)

type Options = { env?: Environment; updates?: string; api?: Parameters<typeof botApi>[0] }

/** A server with an app whose bot is one of the scripted Bot API. */
async function install(name: string, { env = {}, updates = 'polling', ...options }: Options = {}) {
  const api = botApi(options.api)
  apis.push(api)
  const dataDir = `${folder}/${name}`
  const own = { OTPMINT_DATA_DIR: dataDir, OTPMINT_EGRESS_ALLOW: '127.0.0.0/8', ...env }
  const server = { now: await start(['serve'], own) }
  const token = adminToken(dataDir)
  const app = await call(`${server.now.base}/v1/apps`, { name: 'Acme' }, { token })
  const key = String(app.json.live_key)
  const telegram = { token: api.token, base_url: `http://127.0.0.1:${api.port}`, updates }
  const path = `${server.now.base}/v1/apps/${app.json.id}/endpoints`
  const added = await call(path, { channel: 'telegram', telegram }, { token })
  if (added.status !== 201) throw new Error(`no bot: ${added.text}`)
  const ask = (method: string, path: string, body?: unknown) =>
    call(`${server.now.base}${path}`, body, { token: key, method, headers: { prefer: 'wait=10' } })
  const restart = async () => {
    server.now = await start(['serve'], own)
  }
  const place = { appId: String(app.json.id), endpointId: String(added.json.id), token, own }
  return { api, server, ask, restart, place }
}

type Place = Awaited<ReturnType<typeof install>>
const recipients = '/v1/recipients/telegram'

async function made({ ask }: Pick<Place, 'ask'>): Promise<{ id: string; link: string }> {
  const { status, json, text } = await ask('POST', recipients)
  if (status !== 201) throw new Error(`no link: ${text}`)
  return { id: String(json.id), link: String(json['link']) }
}

const statusOf = async ({ ask }: Pick<Place, 'ask'>, id: string) =>
  (await ask('GET', `${recipients}/${id}`)).json.status

/** Takes a person through the whole way. */
async function bind(place: Place, chat = ada): Promise<{ id: string; link: string }> {
  const { api, ask } = place
  const { id, link } = await made(place)
  api.write(chat, `/start ${payloadOf(link)}`)
  await eventually(() => api.question(chat)?.yes === `y${id}`)
  api.press(chat, 'yes')
  await eventually(async () => (await statusOf(place, id)) === 'answered')
  const active = await ask('POST', `${recipients}/${id}/confirm`)
  expect(active.json.status).toBe('active')
  return { id, link }
}

const startFor = ({ ask }: Place, to: string) =>
  ask('POST', '/v1/verifications', { to, channel: 'telegram' })

const secretsOf = (server: Server) => server.stdout() + server.stderr()

test('a person is bound by polling; a code arrives, and is approved; after a block the chat is forgotten', async () => {
  const env = { OTPMINT_LIMIT_RECIPIENT_SPACING_SECONDS: '1' }
  const place = await install('polling', { env })
  const { api, ask, server } = place
  const { id, link } = await bind(place)
  const shown = await ask('GET', `${recipients}/${id}`)
  expect(shown.json['name']).toBe('A*** L*** (@a***)')

  const started = await startFor(place, id)
  expect([started.status, started.json.delivery?.status]).toEqual([201, 'sent'])
  const message = api.calls.findLast(({ method }) => method === 'sendMessage')?.params ?? {}
  const code = /^(\d{6}) /.exec(String(message['text']))?.[1] ?? ''
  expect(message).toMatchObject({ chat_id: ada, protect_content: true })
  expect(message).not.toHaveProperty('parse_mode')
  const path = `/v1/verifications/${started.json.id}`
  expect((await ask('POST', `${path}/check`, { code })).json.valid).toBe(true)
  const details = await ask('GET', path)
  expect(details.json.deliveries).toMatchObject([{ channel: 'telegram', status: 'sent' }])

  // The same link again, by the same person and by another one.
  const { length } = api.texts(ada)
  api.write(ada, `/start ${payloadOf(link)}`)
  api.write(bob, `/start ${payloadOf(link)}`)
  await eventually(() => api.texts(bob).length === 1)
  expect(api.texts(ada).slice(length)).toEqual([expect.stringContaining('not valid any more')])
  expect(api.texts(bob)).toEqual([expect.stringContaining('nicht mehr gültig')])
  expect(await statusOf(place, id)).toBe('active')

  api.block(ada)
  const second = await bind(place, bob)
  await Bun.sleep(1_000)
  const refused = await startFor(place, id)
  expect(refused.json.delivery).toMatchObject({
    ...{ status: 'refused', detail: 'Forbidden: bot was blocked by the user' },
  })
  expect((await ask('GET', `${recipients}/${id}`)).status).toBe(404)
  expect(await statusOf(place, second.id)).toBe('active')

  const logged = secretsOf(server.now)
  for (const secret of [api.token, String(ada), 'Lovelace', payloadOf(link), code]) {
    expect(logged).not.toContain(secret)
  }
})

test('the code that a blocked bot could not deliver comes by mail, and is approved once', async () => {
  const place = await install('next-channel')
  const { api, ask, server } = place
  const mail = await mailServer()
  const { appId, token } = place.place
  const smtp = { host: '127.0.0.1', port: mail.port, security: 'none', user: null }
  const email = { ...smtp, from: 'no-reply@acme.test' }
  await call(
    `${server.now.base}/v1/apps/${appId}/endpoints`,
    { channel: 'email', email },
    { token },
  )
  const { id } = await bind(place)
  api.block(ada)
  const to = { telegram: id, email: 'ada@example.com' }
  const started = await ask('POST', '/v1/verifications', { to, channel: ['telegram', 'email'] })
  await eventually(() => mail.arrived.length === 1)
  const code = codeOf(mail.arrived[0]?.raw ?? '')
  const refused = api.calls.findLast(({ method }) => method === 'sendMessage')?.params['text']
  expect(String(refused)).toStartWith(`${code} `)

  const check = () => ask('POST', `/v1/verifications/${started.json.id}/check`, { code })
  expect((await check()).json.valid).toBe(true)
  expect((await check()).status).toBe(409)
  const { json } = await ask('GET', `/v1/verifications/${started.json.id}`)
  expect(json.deliveries).toMatchObject([
    { channel: 'telegram', status: 'refused' },
    { channel: 'email', status: 'sent' },
  ])
  await mail.close()
})

test('a webhook is set, its updates are taken, and forged ones, groups and forwarded starts are not', async () => {
  let base = ''
  const push = async (url: string, secret: string, update: unknown) => {
    const path = new URL(url).pathname
    const headers = {
      'content-type': 'application/json',
      'x-telegram-bot-api-secret-token': secret,
    }
    const answer = await fetch(base + path, {
      method: 'POST',
      headers,
      body: JSON.stringify(update),
    })
    return answer.status
  }
  const env = { OTPMINT_PUBLIC_URL: 'https://otp.example.com' }
  const place = await install('webhook', { env, updates: 'webhook', api: { push } })
  const { api, server } = place
  base = server.now.base
  await eventually(() => api.webhook() !== null)
  const { url, secret_token: secret } = api.webhook() ?? { url: '', secret_token: '' }
  expect(url).toBe(`https://otp.example.com/v1/inbound/${place.place.endpointId}`)

  const { id, link } = await made(place)
  const text = `/start ${payloadOf(link)}`
  const person = { id: ada, is_bot: false, first_name: 'Ada' }
  const message = { message_id: 1, date: 1, from: person, chat: { id: ada, type: 'private' }, text }
  const path = `${base}/v1/inbound/${place.place.endpointId}`
  for (const forged of ['', 'x', secret.slice(1)]) {
    const headers = { 'x-telegram-bot-api-secret-token': forged }
    const answer = await call(path, { update_id: 1, message }, { headers })
    expect([answer.status, answer.text]).toEqual([401, ''])
  }
  api.write(ada, text, { chat: { id: -100, type: 'group', title: 'All' } })
  api.write(ada, text, { forward_origin: { type: 'user', date: 1 } })
  await eventually(() => api.pending() === 0)
  expect([api.texts(ada), api.texts(-100)]).toEqual([[], []])
  expect(await statusOf(place, id)).toBe('waiting')

  api.write(ada, text)
  await eventually(() => api.question(ada) !== undefined)
  api.press(ada, 'yes')
  await eventually(async () => (await statusOf(place, id)) === 'answered')
  expect(api.calls.some(({ method }) => method === 'getUpdates')).toBe(false)
  expect(new Set(api.pushed)).toEqual(new Set([204]))

  api.write(ada, '/stop')
  await eventually(async () => (await statusOf(place, id)) === 404)
  expect(secretsOf(server.now)).not.toContain(secret)
})

test('a wait of a day gives the message up, and the binding stays', async () => {
  const place = await install('retry-after')
  const { api, ask } = place
  const { id } = await bind(place)
  const words = 'Too Many Requests: retry after 86400'
  const limited = { status: 429, body: await failure(429, words, { retry_after: 86_400 }).json() }
  api.script('sendMessage', limited, limited)
  const started = await startFor(place, id)

  expect(started.json.delivery).toMatchObject({ status: 'undeliverable', detail: words })
  expect(await statusOf(place, id)).toBe('active')
  const { json } = await ask('GET', `/v1/verifications/${started.json.id}`)
  expect(json.deliveries?.[0]?.tries).toMatchObject([
    { status: 'deferred', cause: 'busy', code: '429', ambiguous: false },
  ])
})

test('kill -9 while an update is handled loses none, and doubles no effect', async () => {
  const place = await install('killed')
  const { api, server, restart } = place
  const first = await made(place)
  const second = await made(place)
  api.script('sendMessage', 'hang')
  api.write(ada, `/start ${payloadOf(first.link)}`)
  api.write(bob, `/start ${payloadOf(second.link)}`)
  await eventually(() => api.calls.some(({ method }) => method === 'sendMessage'))
  await server.now.kill()
  expect([api.pending(), api.question(ada)]).toEqual([2, undefined])

  await restart()
  // Over PostgreSQL this is another node, which takes over once the first was silent for 15 s.
  await eventually(() => api.question(ada) !== undefined && api.question(bob) !== undefined, 40_000)
  for (const chat of [ada, bob]) api.press(chat, 'yes')
  for (const { id } of [first, second]) {
    await eventually(async () => (await statusOf(place, id)) === 'answered')
  }
  await eventually(() => api.pending() === 0)
  // Asked twice, because it is not known whether the first question arrived; answered once.
  expect([api.texts(ada).length, api.texts(bob).length]).toEqual([3, 2])
  const before = performance.now()
  expect(await server.now.stop()).toBe(0)
  expect(performance.now() - before).toBeLessThan(10_000)
})

test('the admin sets a bot up with a token of a file, tries it, and lists and removes recipients', async () => {
  const place = await install('commands')
  const { api } = place
  const { own, appId, endpointId } = place.place
  const otpmint = (args: string[], stdin = '') => run(args, own, { stdin })
  const { id } = await bind(place)

  const list = await otpmint(['telegram', 'list', appId])
  expect(list.stdout).toMatch(
    new RegExp(`^${id}\tlive\tactive\tA\\*\\*\\* L\\*\\*\\* \\(@a\\*\\*\\*\\)\t`),
  )
  const tested = await otpmint(['endpoint', 'test', appId, endpointId, '--send-to', id])
  expect([tested.exitCode, tested.stdout]).toEqual([0, expect.stringContaining('@acme_codes_bot')])
  expect(api.texts(ada).at(-1)).toMatch(/^000000 /)
  const doctor = await otpmint(['doctor', '--app', appId, '--json'])
  const { findings } = JSON.parse(doctor.stdout)
  const own_bot = findings.filter(({ check }: { check: string }) => check.includes('Telegram bot'))
  expect(own_bot.map(({ status }: { status: string }) => status)).toEqual(['ok', 'ok'])

  const removed = await otpmint(['telegram', 'remove', appId, id])
  expect([removed.exitCode, removed.stdout]).toEqual([0, 'removed\n'])
  expect((await otpmint(['telegram', 'list', appId])).stdout).toBe('')
  await otpmint(['endpoint', 'remove', appId, endpointId])
  const base = ['--telegram-base-url', `http://127.0.0.1:${api.port}`]
  const add = ['endpoint', 'add', appId, '--telegram-token-file', '-', ...base, '--json']
  const added = await otpmint(add, `${api.token}\n`)
  expect([added.exitCode, JSON.parse(added.stdout).telegram?.has_secret]).toEqual([0, true])
  for (const { stdout, stderr } of [list, tested, doctor, added]) {
    expect(stdout + stderr).not.toContain(api.token)
  }
  await bind(place)
})

import { expect, test } from 'bun:test'
import { createReach } from '../../src/channels/http-egress.ts'
import { alarmChange } from '../../src/domain/alarm.ts'
import { isWebhook, secretsOf } from '../../src/domain/app/endpoint-rotation.ts'
import { readWebhookSecret } from '../../src/domain/app/webhook-fields.ts'
import { verifyAudit } from '../../src/domain/audit.ts'
import type { HttpPorts } from '../../src/http/ports.ts'
import { smtpOf } from '../support/commands.ts'
import { makeCertificate } from '../support/smtp.ts'
import { type Answer, adminToken, type CallOptions, type Site, site } from './fixture.ts'

const email = {
  host: 'smtp.example.com',
  port: 587,
  from: 'codes@example.com',
  password: 'hunter2',
}
const newEndpoint = { channel: 'email', email: email }

const admin = (at: Site, method: string, path: string, options: CallOptions = {}) =>
  at.call(method, path, { token: adminToken, ...options })

/** An app without endpoints, and the path of its endpoints. */
async function bare(ports?: Partial<HttpPorts>) {
  const at = await site(ports ? { ports } : {})
  const { json } = await admin(at, 'POST', '/v1/apps', { body: { name: 'Acme' } })
  const base = `/v1/apps/${json.id}/endpoints`
  return {
    at,
    appId: String(json.id),
    add: (body: unknown = newEndpoint) => admin(at, 'POST', base, { body }),
    patch: (id: string, body: unknown) => admin(at, 'PATCH', `${base}/${id}`, { body }),
    remove: (id: string) => admin(at, 'DELETE', `${base}/${id}`),
    rotate: (id: string, body: unknown) => admin(at, 'POST', `${base}/${id}/rotate`, { body }),
    list: () => admin(at, 'GET', base),
  }
}

const hosts = ({ json }: Answer) =>
  json.items.map(({ rank, email }: { rank: number; email: { host: string } }) => [rank, email.host])

test('endpoints have the given ranks, and those behind a removed one move up', async () => {
  const { add, patch, remove, list } = await bare()
  const named = (host: string, rank?: number) =>
    add({ channel: 'email', email: { ...email, host }, ...(rank && { rank }) })

  await named('one.example.com')
  const two = await named('two.example.com')
  await named('zero.example.com', 1)
  expect(hosts(await list())).toEqual([
    [1, 'zero.example.com'],
    [2, 'one.example.com'],
    [3, 'two.example.com'],
  ])

  const moved = await patch(two.json.id, { rank: 1 })
  expect(moved.json).toMatchObject({ id: two.json.id, rank: 1 })
  expect((await remove(two.json.id)).status).toBe(204)
  expect(hosts(await list())).toEqual([
    [1, 'zero.example.com'],
    [2, 'one.example.com'],
  ])
})

test('a password is never shown', async () => {
  const { at, appId, add, list } = await bare()

  const added = await add()
  const shown = [added, await list(), await admin(at, 'GET', `/v1/apps/${appId}`)]

  expect(added.status).toBe(201)
  expect(added.json.email).toMatchObject({ has_secret: true, security: 'starttls' })
  for (const { text } of shown) expect(text).not.toContain('hunter2')
  expect(shown.every(({ text }) => text.includes('"has_secret":true'))).toBe(true)
})

test('a change of an endpoint’s destination needs its password again', async () => {
  const { add, patch } = await bare()
  const { json } = await add()

  const changes = [{ host: 'evil.example' }, { port: 465 }, { user: 'x' }, { security: 'none' }]
  for (const change of changes) {
    const answer = await patch(json.id, { email: change })
    expect(answer).toMatchObject({ status: 409, json: { code: 'secret_required' } })
  }
  const renamed = await patch(json.id, { email: { from_name: 'Acme', host: 'SMTP.example.com' } })
  const moved = await patch(json.id, { email: { host: 'mx.example.net', password: 'hunter3' } })

  expect(renamed.json.email).toMatchObject({ from_name: 'Acme', has_secret: true })
  expect(moved.json.email.host).toBe('mx.example.net')
})

test('an endpoint of another kind has its own settings, and its secret goes nowhere else', async () => {
  const { add, patch } = await bare()
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const url = 'https://gateway.example.com/otp'
  const { status, json, text } = await add({ channel: 'webhook', webhook: { url, secret } })
  expect([status, json.channel, json.webhook.url]).toEqual([201, 'webhook', url])
  expect(json.webhook.has_secret).toBe(true)
  expect(text).not.toContain(secret)

  const moved = await patch(json.id, { webhook: { url: 'https://evil.example/' } })
  expect(moved).toMatchObject({ status: 409, json: { code: 'secret_required' } })
  const slowed = await patch(json.id, { webhook: { rate_per_minute: 60 } })
  expect(slowed.json.webhook).toMatchObject({ url, rate_per_minute: 60, has_secret: true })

  const wrong = [
    [{ channel: 'webhook' }, 'webhook'],
    [{ channel: 'webhook', email: newEndpoint.email }, 'email,webhook'],
    [{ channel: 'webhook', webhook: { url: 'ftp://a.example/', secret } }, 'webhook.url'],
    [{ channel: 'webhook', webhook: { url: 'https://u:p@a.example/', secret } }, 'webhook.url'],
    [{ channel: 'webhook', webhook: { url, secret: 'whsec_short' } }, 'webhook.secret'],
    [{ channel: 'webhook', webhook: { url } }, 'webhook.secret'],
  ] as const
  for (const [body, named] of wrong) {
    const { status, json } = await add(body as never)
    const fields = json.errors.map(({ field }: { field: string }) => field)
    expect([status, fields.sort().join()]).toEqual([422, named])
  }
  const other = await patch(json.id, { email: { host: 'mx.example.net' } })
  expect(other.json.errors).toEqual([{ field: 'email', reason: 'is not for this endpoint' }])
})

test('numbers of an endpoint are within their bounds, and null takes them back', async () => {
  const { add, patch } = await bare()
  const numbers = { connections_max: 50, rate_per_minute: 10_000 }
  const { json } = await add({ ...newEndpoint, email: { ...newEndpoint.email, ...numbers } })
  expect(json.email).toMatchObject(numbers)

  const over = await patch(json.id, { email: { connections_max: 51, rate_per_minute: 0 } })
  const none = { connections_max: null, rate_per_minute: null }
  const back = await patch(json.id, { email: none })

  expect(over.json.errors.map(({ field }: { field: string }) => field)).toEqual([
    'email.connections_max',
    'email.rate_per_minute',
  ])
  expect(back.json.email).toMatchObject(none)
})

test('an endpoint’s ca is certificates and nothing else, up to 8,192 characters', async () => {
  const { add, patch } = await bare()
  const certificate = makeCertificate()
  const { ca, key } = certificate
  certificate.remove()
  const many = `${ca}\n`.repeat(Math.floor(8_192 / (ca.length + 1)))
  const added = await add({ ...newEndpoint, email: { ...email, ca: many } })
  expect(added).toMatchObject({ status: 201, json: { email: { ca: many } } })

  const broken = ca.replace(/[A-Za-z0-9]{20}/, 'A'.repeat(20))
  for (const wrong of ['', 'x', key, `${ca}${key}`, broken, `${many}${ca}`, 7, ['x']]) {
    const { status, json } = await patch(added.json.id, { email: { ca: wrong } })
    expect([status, json.errors[0].field]).toEqual([422, 'email.ca'])
  }
  // Who may name another authority may read what is sent to the server.
  const other = await patch(added.json.id, { email: { ca: null } })
  expect(other.json.code).toBe('secret_required')
  const none = await patch(added.json.id, { email: { ca: null, password: 'hunter2' } })
  expect(none.json.email.ca).toBeNull()
})

test('every mistake of an endpoint is named at once, by its path in the body', async () => {
  const { add, patch } = await bare()

  const odd = await add({ channel: 'pigeon', rank: 11, email: { host: 'x y', secure: true }, x: 1 })
  const absent = await add({})
  const text = await add({ channel: 'email', email: 'smtp.example.com' })
  const { json } = await add()
  const change = await patch(json.id, { channel: 'email', rank: 0, email: { password: null } })

  const fields = ({ json: { errors } }: Answer) =>
    errors.map(({ field }: { field: string }) => field).sort()
  expect(fields(odd)).toEqual([
    ...['channel', 'email.from', 'email.host', 'email.port', 'email.secure', 'rank', 'x'],
  ])
  expect(fields(absent)).toEqual(['channel', 'email'])
  expect(fields(text)).toContain('email')
  expect(fields(change)).toEqual(['channel', 'email.password', 'rank'])
})

test('an app has ten endpoints of a channel at most', async () => {
  const { add } = await bare()
  for (let i = 0; i < 10; i++) expect((await add()).status).toBe(201)

  expect(await add()).toMatchObject({ status: 409, json: { code: 'too_many_endpoints' } })
})

test('another app and an unknown endpoint are 404', async () => {
  const { at, add, patch, remove } = await bare()
  const { json } = await add()
  const [foreign] = at.app.endpoints

  for (const id of [foreign?.id ?? '', 'x'.repeat(22)]) {
    expect((await patch(id, { rank: 1 })).json.code).toBe('endpoint_not_found')
    expect((await remove(id)).json.code).toBe('endpoint_not_found')
  }
  const elsewhere = `/v1/apps/${'x'.repeat(22)}/endpoints`
  expect((await admin(at, 'GET', elsewhere)).json.code).toBe('app_not_found')
  const post = await admin(at, 'POST', elsewhere, { body: newEndpoint })
  expect(post.json.code).toBe('app_not_found')
  const gone = await admin(at, 'DELETE', `${elsewhere}/${json.id}`)
  expect(gone.json.code).toBe('app_not_found')
})

test('every change of an endpoint is in the audit log', async () => {
  const { at, appId, add, patch, remove } = await bare()
  const { json } = await add()
  await patch(json.id, { email: { from_name: 'Acme' } })
  await remove(json.id)

  const audit = await admin(at, 'GET', '/v1/audit?limit=3')

  const actions = audit.json.items.map(({ action }: { action: string }) => action)
  expect(actions).toEqual(['endpoint.remove', 'endpoint.update', 'endpoint.add'])
  expect(audit.json.items[0]).toMatchObject({ who: 'admin', object: appId })
  expect(audit.text).not.toContain('hunter2')
})

test('a test message goes to one address, through the first endpoint or the named one', async () => {
  const used: string[] = []
  const { at, appId, add } = await bare({
    testDelivery: async (_app, endpoint, message) => {
      used.push(`${smtpOf(endpoint).host} ${message?.recipient.address}`)
      if (!message) return { status: null, detail: null, steps: [] }
      return { status: 'sent', detail: '250 ok', steps: [{ name: 'send', ok: true, detail: null }] }
    },
  })
  const send = (body: object) =>
    admin(at, 'POST', `/v1/apps/${appId}/test-delivery`, { body: { to: 'a@b.test', ...body } })

  const none = await send({})
  await add()
  const second = await add({ channel: 'email', email: { ...email, host: 'two.example.com' } })
  const first = await send({})
  await send({ endpoint: second.json.id })
  const unknown = await send({ endpoint: 'x'.repeat(22) })
  const two = await send({ to: 'a@b.test, c@d.test' })
  const tested = await send({ to: undefined })

  expect(none).toMatchObject({ status: 409, json: { code: 'channel_not_configured' } })
  expect(first.json).toMatchObject({ status: 'sent', detail: '250 ok' })
  expect(tested.json).toEqual({ status: null, detail: null, steps: [] })
  expect(used).toEqual([
    'smtp.example.com a@b.test',
    'two.example.com a@b.test',
    'smtp.example.com undefined',
  ])
  expect(unknown.json.code).toBe('endpoint_not_found')
  expect(two.json.errors[0].field).toBe('to')
})

const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`
const gateway = {
  channel: 'webhook',
  webhook: { url: 'https://gateway.example.com/otp', secret: secretOf(1) },
}

/** The secrets that sign a message of the only endpoint of the app now. */
async function signing({ at, appId }: Awaited<ReturnType<typeof bare>>): Promise<string[] | null> {
  const app = await at.apps.get(appId)
  const [endpoint] = app?.endpoints.filter(isWebhook) ?? []
  if (!app || !endpoint) throw new Error('there is no webhook')
  return secretsOf(at, app, endpoint, at.clock.now())
}

test('a rotated secret signs beside the one before it for a day, or as long as is given', async () => {
  const made = await bare()
  const { at, add, rotate } = made
  const { json } = await add(gateway)
  expect(await signing(made)).toEqual([secretOf(1)])

  const given = await rotate(json.id, { secret: secretOf(2) })
  const until = new Date(at.clock.now() + 86_400_000).toISOString()
  expect(given.json).toEqual({ endpoint: json.id, former_secret_until: until })
  expect(await signing(made)).toEqual([secretOf(2), secretOf(1)])
  at.clock.advance(86_400_000)
  expect(await signing(made)).toEqual([secretOf(2)])

  const fresh = await rotate(json.id, { keep_former_seconds: 60 })
  expect(readWebhookSecret(fresh.json.secret)).toBe(fresh.json.secret)
  expect(await signing(made)).toEqual([fresh.json.secret, secretOf(2)])
  const shown = [await made.list(), await admin(at, 'GET', `/v1/apps/${made.appId}`)]
  for (const { text } of shown) expect(text).not.toContain('whsec_')

  await rotate(json.id, { secret: secretOf(3), keep_former_seconds: 0 })
  expect(await signing(made)).toEqual([secretOf(3)])
  expect(await verifyAudit(at, { now: at.clock.now(), keptMs: 1 })).toMatchObject({ ok: true })
})

test('a former secret outlives other changes, and ends with another destination or secret', async () => {
  const made = await bare()
  const { add, patch, rotate } = made
  const { json } = await add(gateway)
  const twice = () => rotate(json.id, { secret: secretOf(2) })

  await twice()
  await patch(json.id, { webhook: { rate_per_minute: 60 }, rank: 1 })
  expect(await signing(made)).toEqual([secretOf(2), secretOf(1)])
  await patch(json.id, { webhook: { secret: secretOf(2) } })
  expect(await signing(made)).toEqual([secretOf(2)])

  await twice()
  const moved = { url: 'https://other.example.com/', secret: secretOf(4) }
  await patch(json.id, { webhook: moved })
  expect(await signing(made)).toEqual([secretOf(4)])
})

test('a rotation that is wrong is refused by name, and changes nothing', async () => {
  const made = await bare()
  const { add, rotate } = made
  const { json } = await add(gateway)
  const { json: mail } = await add()
  const wrong = [
    [json.id, { secret: 'whsec_short' }, 422, 'secret'],
    [json.id, { secret: null }, 422, 'secret'],
    [json.id, { keep_former_seconds: -1 }, 422, 'keep_former_seconds'],
    [json.id, { keep_former_seconds: 604_801 }, 422, 'keep_former_seconds'],
    [json.id, { keep_former: 1 }, 422, 'keep_former'],
    [mail.id, {}, 422, 'endpoint_id'],
    ['unknown', {}, 404, undefined],
  ] as const
  for (const [id, body, status, field] of wrong) {
    const answer = await rotate(id, body)
    expect([answer.status, answer.json.errors?.[0]?.field]).toEqual([status, field])
  }
  expect(await signing(made)).toEqual([secretOf(1)])
})

test('an endpoint can be switched off and on, and the channel without any is not there', async () => {
  const made = await bare()
  const { at, appId, add, patch } = made
  const { json: key } = await admin(at, 'POST', `/v1/apps/${appId}/keys`, {
    body: { mode: 'live' },
  })
  const start = async (channel: unknown) => {
    const body = { to: `ada${Math.random()}@example.com`, channel }
    const answer = await at.call('POST', '/v1/verifications', { token: key.key, body })
    return [answer.status, answer.json.code ?? answer.json.channel]
  }
  await add()
  const { json } = await add({ ...gateway, enabled: false })
  expect(json.off).toBe('admin')

  expect(await start('webhook')).toEqual([409, 'channel_not_configured'])
  expect(await start(['webhook', 'email'])).toEqual([201, 'email'])
  expect((await patch(json.id, { enabled: true })).json.off).toBeNull()
  expect(await start(['webhook', 'email'])).toEqual([201, 'webhook'])
  expect((await patch(json.id, { enabled: false })).json.off).toBe('admin')

  // As after the gateway has answered 410.
  await patch(json.id, { enabled: true })
  const place = { kind: 'endpoint_off', appId, endpointId: json.id } as const
  await at.apps.switchOff({ appId, endpointId: json.id, now: at.clock.now() })
  await at.alarms.raise(alarmChange('raised', place, at.clock.now()))
  const open = async () => (await admin(at, 'GET', '/v1/alarms?open=true')).json.items
  expect(await open()).toMatchObject([{ kind: 'endpoint_off', endpoint: json.id }])
  expect((await patch(json.id, { rank: 1 })).json.off).toBe('gone')
  expect((await patch(json.id, { enabled: true })).json.off).toBeNull()
  expect(await open()).toEqual([])
  const wrong = await patch(json.id, { enabled: 'yes' })
  expect(wrong).toMatchObject({ status: 422, json: { errors: [{ field: 'enabled' }] } })
})

test('a URL that leads nowhere is refused when it is set, by name, and nothing is looked up', async () => {
  const mayReach = createReach(['10.1.2.3/32'])
  const { add, patch, list } = await bare({ mayReach })
  const { secret } = gateway.webhook
  const named = (url: string) => add({ channel: 'webhook', webhook: { url, secret } })
  const inside = [
    ...['http://127.0.0.1/', 'https://2130706433/', 'https://0x7f.1/', 'https://[::ffff:7f00:1]/'],
    ...['https://169.254.169.254/latest/meta-data', 'https://[fd00:ec2::254]/', 'http://8.8.8.8/'],
    ...['https://api.acme.test./', 'http://10.1.2.4/', 'https://①②⑦.⓪.⓪.①/'],
  ]
  for (const url of inside) {
    const { status, json } = await named(url)
    expect([url, status, json.errors?.[0]?.field]).toEqual([url, 422, 'webhook.url'])
    expect(json.errors[0].reason).toContain('OTPMINT_EGRESS_ALLOW')
  }
  expect((await list()).json.items).toEqual([])

  const { json } = await named('http://10.1.2.3:8080/')
  const moved = await patch(json.id, { webhook: { url: 'http://10.9.9.9/', secret } })
  expect(moved).toMatchObject({ status: 422, json: { errors: [{ field: 'webhook.url' }] } })
  expect((await patch(json.id, { webhook: { rate_per_minute: 5 } })).status).toBe(200)
})

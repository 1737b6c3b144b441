import { afterAll, describe, expect, test } from 'bun:test'
import { Webhook } from 'standardwebhooks'
import { createWebhookChannel, probeWebhook } from '../../src/channels/webhook.ts'
import type { App } from '../../src/domain/app/app.ts'
import { type Endpoint, sealSecret } from '../../src/domain/app/endpoint.ts'
import type { WebhookSettings } from '../../src/domain/app/webhook-fields.ts'
import type { Handover } from '../../src/domain/delivery/delivery.ts'
import { systemClock } from '../../src/system.ts'
import { loopbackHttpOut } from '../support/http.ts'
import { appWith, handoverOf, keyring, quickTimers } from './mail-fixtures.ts'

const [one, two] = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`) as [
  string,
  string,
]
const closers: (() => unknown)[] = []
afterAll(() => {
  for (const close of closers) close()
})

type Got = { body: string; headers: Record<string, string> }

/** A gateway of the admin; what it has got is as it came. */
function gateway(answer: (number: number) => Response | Promise<Response>) {
  const got: Got[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      got.push({ body: await request.text(), headers: Object.fromEntries(request.headers) })
      return answer(got.length)
    },
  })
  closers.push(() => server.stop(true))
  return { url: `http://127.0.0.1:${server.port}/otp`, got, stop: () => server.stop(true) }
}

type Secrets = { secret: string; former?: string; formerUntil?: number }

/** An app whose first endpoint leads to this gateway. */
function appTo(url: string, { secret, former, formerUntil }: Secrets = { secret: one }): App {
  const app = appWith({ policy: { origin: 'https://acme.test' } })
  const pace = { connectionsMax: null, ratePerMinute: null, cost: null }
  const settings: WebhookSettings = {
    ...{ kind: 'webhook', url, ...pace, formerUntil: formerUntil ?? null },
  }
  const set = JSON.stringify({ secret, ...(former !== undefined && { former }) })
  const place = { id: 'endpoint-1', settings }
  const sealing = { secret: { set }, current: null }
  const times = { createdAt: 0, updatedAt: 0 }
  const endpoint: Endpoint = {
    ...place,
    ...{ appId: app.id, channel: 'webhook', rank: 1, off: null, ...times },
    secretSealed: sealSecret({ keyring }, app, place, sealing),
  }
  return { ...app, endpoints: [endpoint] }
}

const httpOut = loopbackHttpOut()
const ports = { keyring, clock: systemClock, httpOut }
const channel = createWebhookChannel(ports)

function send(app: App, parts: Parameters<typeof handoverOf>[1] = {}) {
  const now = systemClock.now()
  const message = { createdAt: now, expiresAt: now + 600_000, ...parts }
  return channel.deliver(handoverOf(app, message), new AbortController().signal)
}

describe('a message', () => {
  test('is posted with everything a gateway needs, signed as Standard Webhooks says', async () => {
    const { url, got } = gateway(() => new Response(null, { status: 204 }))
    const expiresAt = systemClock.now() + 300_000
    const message: Partial<Handover> & { to: string } = {
      ...{ deliveryId: 'delivery-7', to: 'ada@example.com', locale: 'de-AT', code: '483920' },
      ...{ reference: 'KX47', variables: { device: 'Pixel' }, expiresAt },
    }

    expect(await send(appTo(url), message)).toEqual({
      ...{ status: 'sent', code: '204', detail: 'the gateway answered 204', remoteId: null },
    })
    const [{ body, headers } = { body: '', headers: {} }] = got
    expect(new Webhook(one).verify(body, headers)).toEqual({
      ...{ type: 'message', id: 'delivery-7', app: 'app-1', app_name: 'Acme' },
      ...{ verification: 'verification-1', to: 'ada@example.com', to_kind: 'email' },
      ...{ channel: 'webhook', code: '483920', code_format: 'numeric', locale: 'de' },
      text: expect.stringMatching(/^483920 [^\n]* [45] Minuten [^\n]*\n\n@acme\.test #483920$/),
      ...{ reference: 'KX47', variables: { device: 'Pixel' } },
      expires_at: new Date(expiresAt).toISOString(),
    })
    expect(headers).toMatchObject({
      ...{ 'webhook-id': 'delivery-7', 'content-type': 'application/json' },
    })
    expect(() => new Webhook(two).verify(body, headers)).toThrow('No matching signature')
    expect(() => new Webhook(one).verify(body.replace('ada', 'eve'), headers)).toThrow()
  })

  test('has the same id in every try', async () => {
    const { url, got } = gateway(() => new Response(null, { status: 503 }))
    for (let times = 0; times < 2; times++) await send(appTo(url), { deliveryId: 'delivery-8' })

    expect(got.map(({ headers }) => headers['webhook-id'])).toEqual(['delivery-8', 'delivery-8'])
  })

  test('is signed by the former secret too, after the new one and until its time is over', async () => {
    const { url, got } = gateway(() => new Response(null, { status: 204 }))
    const now = systemClock.now()
    const secrets = { secret: two, former: one }

    await send(appTo(url, { ...secrets, formerUntil: now + 60_000 }))
    await send(appTo(url, { ...secrets, formerUntil: now - 1 }))

    const [both, last] = got
    for (const secret of [one, two]) {
      expect(new Webhook(secret).verify(both?.body ?? '', both?.headers ?? {})).toBeObject()
    }
    const signatures = both?.headers['webhook-signature']?.split(' ') ?? []
    const alone = { ...both?.headers, 'webhook-signature': signatures[0] ?? '' }
    expect(new Webhook(two).verify(both?.body ?? '', alone)).toBeObject()
    expect(() => new Webhook(one).verify(last?.body ?? '', last?.headers ?? {})).toThrow()
    expect(last?.headers['webhook-signature']?.split(' ')).toHaveLength(1)
  })

  test('whose secret does not open is not posted', async () => {
    const { url, got } = gateway(() => new Response(null, { status: 204 }))
    const app = appTo(url)
    const [endpoint] = app.endpoints as [Endpoint]
    // As the database has it after somebody wrote another URL into it.
    const settings = { ...endpoint.settings, url: `${url}/evil` } as WebhookSettings
    const edited = { ...app, endpoints: [{ ...endpoint, settings }] }

    expect(await send(edited)).toMatchObject({ status: 'refused', cause: 'login' })
    expect(got).toEqual([])
  })
})

describe('an answer', () => {
  const cases: [number, Record<string, unknown>][] = [
    ...[200, 201, 202, 204, 299].map((status): [number, Record<string, unknown>] => [
      status,
      { status: 'sent' },
    ]),
    ...[408, 425, 429, 500, 502, 503, 504].map((status): [number, Record<string, unknown>] => [
      status,
      { status: 'deferred', cause: 'busy', ambiguous: false, retryAfterMs: null },
    ]),
    ...[401, 403].map((status): [number, Record<string, unknown>] => [
      status,
      { status: 'refused', cause: 'login' },
    ]),
    ...[301, 302, 307, 400, 404, 405, 409, 413, 421, 422].map(
      (status): [number, Record<string, unknown>] => [
        status,
        { status: 'refused', cause: 'server' },
      ],
    ),
    [410, { status: 'refused', cause: 'gone' }],
  ]

  test.each(cases)('of %p decides by its status', async (status, outcome) => {
    const { url } = gateway(() => new Response(null, { status, headers: { location: '/else' } }))

    expect(await send(appTo(url))).toMatchObject({ ...outcome, code: String(status) })
  })

  test('that asks for a wait, in seconds or until a time, gets it', async () => {
    const { url } = gateway((number) => {
      const later = new Date(Date.now() + 60_000).toUTCString()
      const headers = { date: new Date().toUTCString(), 'retry-after': number === 1 ? '7' : later }
      return new Response(null, { status: 503, headers })
    })

    expect(await send(appTo(url))).toMatchObject({ retryAfterMs: 7_000 })
    const { retryAfterMs } = (await send(appTo(url))) as { retryAfterMs: number }
    expect(Math.abs(retryAfterMs - 60_000)).toBeLessThanOrEqual(1_000)
  })

  test('may say that it is the recipient or the message that is refused', async () => {
    for (const cause of ['recipient', 'message', 'unsupported']) {
      const { url } = gateway(() => Response.json({ cause }, { status: 422 }))
      expect(await send(appTo(url))).toMatchObject({ status: 'refused', cause })
    }
    for (const cause of ['login', 'gone', 'x', 7, null]) {
      const { url } = gateway(() => Response.json({ cause }, { status: 422 }))
      expect(await send(appTo(url))).toMatchObject({ status: 'refused', cause: 'server' })
    }
  })

  test('may name the message; nothing else of its body is kept, and never the code', async () => {
    const bodies = [
      ['{"id":"sms-77:a"}', 'sms-77:a'],
      ['{"id":"483920"}', null],
      ['{"id":"x483920y"}', null],
      [`{"id":"${'x'.repeat(129)}"}`, null],
      ['{"id":"a b"}', null],
      ['{"id":7}', null],
      ['sent 483920 to ada@example.com', null],
      ['null', null],
    ] as const
    for (const [body, remoteId] of bodies) {
      const { url } = gateway(() => new Response(body))
      const outcome = await send(appTo(url))
      expect(outcome).toMatchObject({ status: 'sent', remoteId })
      expect(JSON.stringify(outcome)).not.toContain('483920')
    }
    const { url } = gateway(() => new Response('no: 483920, ada@example.com', { status: 400 }))
    expect(JSON.stringify(await send(appTo(url)))).not.toMatch(/483920|ada/)
  })
})

describe('without an answer', () => {
  test('a message that was sent may have been taken', async () => {
    const { url, got } = gateway(() => new Promise<Response>(() => {}))
    const late = createWebhookChannel({ ...ports, httpOut: loopbackHttpOut({}, quickTimers(100)) })
    const handover = handoverOf(appTo(url))

    const outcome = await late.deliver(handover, new AbortController().signal)

    expect(outcome).toMatchObject({ status: 'deferred', cause: 'network', ambiguous: true })
    expect(got).toHaveLength(1)
  })

  test('a message that could not be sent was not taken', async () => {
    const { url, stop } = gateway(() => new Response())
    await stop()

    const outcome = await send(appTo(url))
    expect(outcome).toMatchObject({ status: 'deferred', cause: 'network', ambiguous: false })
  })

  test('because the address is not allowed, nothing is tried again', async () => {
    const outcome = await send(appTo('http://169.254.169.254/latest/meta-data'))

    expect(outcome).toMatchObject({ status: 'refused', cause: 'server' })
    expect(outcome.detail).toContain('OTPMINT_EGRESS_ALLOW')
  })
})

describe('a test', () => {
  test('is a signed request that is no message', async () => {
    const { url, got } = gateway(() => new Response(null, { status: 204 }))
    const app = appTo(url)
    const [endpoint] = app.endpoints as [Endpoint]

    const step = await probeWebhook(ports, app, endpoint)

    expect(step).toEqual({ name: 'request', ok: true, detail: 'The gateway answered 204.' })
    const [{ body, headers } = { body: '', headers: {} }] = got
    const id = headers['webhook-id']
    expect(id).toStartWith('test_')
    expect(new Webhook(one).verify(body, headers)).toEqual({
      ...{ type: 'test', id, app: 'app-1', app_name: 'Acme' },
    })
  })

  test.each([
    [401, 'The gateway answered 401; check that it has the same secret, and its clock.'],
    [404, 'The gateway answered 404; check the path of the URL.'],
    [302, 'The gateway answered 302; redirects are not followed; read its log.'],
    [500, 'The gateway answered 500; read its log.'],
  ])('of a gateway that answers %p says what to do', async (status, detail) => {
    const { url } = gateway(() => new Response(null, { status }))
    const app = appTo(url)
    const [endpoint] = app.endpoints as [Endpoint]

    expect(await probeWebhook(ports, app, endpoint)).toEqual({ name: 'request', ok: false, detail })
  })
})

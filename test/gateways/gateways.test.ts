import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createHash, createHmac } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { adminToken, call, type Json } from '../e2e/client.ts'
import { type Namespace, openNamespace } from '../mail/namespace.ts'
import { eventually, killAll, scratch, start } from '../support/executable.ts'
import { type Asked, hosts, json, type Peer, type Peers, startPeers } from './peers.ts'

// The gateways of telephone numbers at their own names, in a network of its own.

setDefaultTimeout(120_000)

const publicUrl = 'https://otp.acme.test'
const kinds = {
  twilio: { account_sid: `AC${'1'.repeat(32)}`, auth_token: 'twilio-auth-token', from: 'Acme' },
  vonage: {
    ...{ api_key: 'abc123', api_secret: 'vonage-secret', from: 'Acme' },
    signature_secret: 'vonage-signature-secret',
  },
  sns: {
    ...{ region: 'eu-central-1', access_key_id: 'AKIAIOSFODNN7EXAMPLE' },
    secret_access_key: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  },
  whatsapp: {
    ...{ phone_number_id: '105954558954427', access_token: 'meta-token', template: 'codes' },
    ...{ app_secret: 'meta-app-secret', verify_token: 'typed-in' },
  },
  telegram_gateway: { access_token: 'telegram-gateway-token' },
} as const
const channelOf = (peer: Peer) =>
  peer === 'whatsapp' || peer === 'telegram_gateway' ? peer : ('sms' as const)

let namespace: Namespace
let peers: Peers

beforeAll(async () => {
  peers = await startPeers()
  namespace = await openNamespace(Object.values(hosts))
  for (const peer of Object.keys(hosts) as Peer[]) {
    await namespace.lead(hosts[peer], 443, peers.port(peer))
  }
})
afterEach(async () => {
  await killAll()
  peers.reset()
})
afterAll(async () => {
  await namespace?.close()
  await peers?.close()
})

type Setup = {
  kinds: Peer[]
  policy?: Record<string, unknown>
  costs?: Partial<Record<Peer, number>>
}

/** A running server inside, with an app that has these gateways. */
async function open({ kinds: wanted, policy = {}, costs = {} }: Setup) {
  const { folder, remove } = scratch()
  const dataDir = join(folder, 'data')
  const env = {
    OTPMINT_DATA_DIR: dataDir,
    OTPMINT_PUBLIC_URL: publicUrl,
    OTPMINT_LOG_LEVEL: 'debug',
    NODE_EXTRA_CA_CERTS: peers.certificate.caFile,
  }
  const server = await start(['serve'], env, { through: namespace.through })
  const base = `http://127.0.0.1:${await namespace.reach(Number(new URL(server.base).port))}`
  const token = adminToken(dataDir)
  const admin = async (path: string, body?: unknown) => {
    const answer = await call(`${base}${path}`, body, { token })
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`)
    return answer.json
  }
  const app = await admin('/v1/apps', {
    ...{ name: 'Acme', policy: { phone_countries: ['DE', 'AT'], ...policy } },
  })
  const endpoints = new Map<Peer, string>()
  for (const peer of wanted) {
    const cost = costs[peer] === undefined ? {} : { cost: costs[peer] }
    const body = { channel: channelOf(peer), [peer]: { ...kinds[peer], ...cost } }
    const { id } = await admin(`/v1/apps/${app.id}/endpoints`, body)
    endpoints.set(peer, String(id))
  }
  const key = String(app.live_key)
  return {
    ...{ admin, app, remove, server, dataDir },
    endpointId: (peer: Peer) => endpoints.get(peer) ?? '',
    begin: (to: string, channel: unknown, more: object = {}) => {
      const body = { to, channel, ...more }
      return call(`${base}/v1/verifications`, body, { token: key, headers: { Prefer: 'wait=25' } })
    },
    shown: async (id: unknown): Promise<Json> =>
      (await call(`${base}/v1/verifications/${id}`, undefined, { token: key })).json,
    check: async (id: unknown, code: string) =>
      (await call(`${base}/v1/verifications/${id}/check`, { code }, { token: key })).json,
    report: (peer: Peer, post: Posted) => {
      const path = `/v1/inbound/${endpoints.get(peer)}${post.query ?? ''}`
      return fetch(base + path, { method: 'POST', headers: post.headers, body: post.body })
    },
  }
}
type At = Awaited<ReturnType<typeof open>>
type Posted = { query?: string; headers: Record<string, string>; body: string }

async function opened(setup: Setup, work: (at: At) => Promise<void>): Promise<void> {
  const at = await open(setup)
  try {
    await work(at)
    expect(at.server.stdout()).toContain('"event":"listening"')
    const files = readdirSync(at.dataDir, { withFileTypes: true }).filter((file) => file.isFile())
    const kept = files.map(({ name }) => readFileSync(join(at.dataDir, name), 'latin1'))
    expect(kept.length).toBeGreaterThan(1)
    for (const text of [at.server.stdout(), at.server.stderr(), ...kept]) {
      for (const secret of secrets) expect(text.includes(secret)).toBe(false)
      expect(/\+?49170\d{4}/.test(text)).toBe(false)
    }
  } finally {
    await killAll()
    at.remove()
  }
}

const secrets = Object.values(kinds).flatMap((fields) =>
  Object.entries(fields).flatMap(([name, value]) => (/token|secret/.test(name) ? [value] : [])),
)

let people = 0
/** A German mobile number of a block of its own. */
const somebody = () => `+49170${String(1000 + people++)}123`

const last = (peer: Peer): Asked => {
  const asked = peers.asked[peer].at(-1)
  if (!asked) throw new Error(`${peer} was not asked`)
  return asked
}
const formOf = (body: string): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(body))

/** The code and our id, as each gateway was given them. */
const read: Record<Peer, () => { code: string; to: string; delivery: string }> = {
  twilio: () => {
    const { Body = '', To = '', StatusCallback = '' } = formOf(last('twilio').body)
    const { searchParams } = new URL(StatusCallback)
    return { code: codeIn(Body), to: To, delivery: searchParams.get('delivery') ?? '' }
  },
  vonage: () => {
    const fields = formOf(last('vonage').body)
    const delivery = fields['client-ref'] ?? ''
    return { code: codeIn(fields['text'] ?? ''), to: `+${fields['to']}`, delivery }
  },
  sns: () => {
    const { Message = '', PhoneNumber = '' } = formOf(last('sns').body)
    return { code: codeIn(Message), to: PhoneNumber, delivery: '' }
  },
  whatsapp: () => {
    const { to, template, biz_opaque_callback_data } = JSON.parse(last('whatsapp').body)
    const [body, button] = template.components
    expect(button.parameters).toEqual(body.parameters)
    const code = body.parameters[0].text
    return { code, to: `+${to}`, delivery: biz_opaque_callback_data }
  },
  telegram_gateway: () => {
    const { code, phone_number, payload } = JSON.parse(last('telegram_gateway').body)
    return { code, to: phone_number, delivery: payload }
  },
}
const codeIn = (text: string) => /\b\d{6,10}\b/.exec(text)?.[0] ?? ''

const now = () => String(Math.floor(Date.now() / 1000))
const hmac = (algorithm: string, key: string | Buffer, text: string) =>
  createHmac(algorithm, key).update(text)

/** A report as each gateway makes it, signed with its secret. */
type State = 'delivered' | 'failed'
const reports: Record<
  Exclude<Peer, 'sns'>,
  (at: At, delivery: string, state: State, forged?: string) => Posted
> = {
  twilio: (at, delivery, state, forged = '') => {
    const query = `?delivery=${delivery}`
    const fields = { ...(state === 'failed' && { ErrorCode: '30005' }), MessageStatus: state }
    const url = `${publicUrl}/v1/inbound/${at.endpointId('twilio')}${query}`
    const key = kinds.twilio.auth_token + forged
    const signature = hmac('sha1', key, url + Object.entries(fields).flat().join(''))
    return {
      query,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-twilio-signature': signature.digest('base64'),
      },
      body: new URLSearchParams(fields).toString(),
    }
  },
  vonage: (_, delivery, state, forged = '') => {
    const fields: Record<string, string> = {
      ...{ 'client-ref': delivery, status: state, timestamp: now() },
      ...(state === 'failed' && { 'err-code': '9' }),
    }
    const names = Object.keys(fields).sort()
    const text = names.map((name) => `&${name}=${fields[name]}`).join('')
    const sig = hmac('sha256', kinds.vonage.signature_secret + forged, text).digest('hex')
    const headers = { 'content-type': 'application/json' }
    return { headers, body: JSON.stringify({ ...fields, sig }) }
  },
  whatsapp: (_, delivery, state, forged = '') => {
    const errors = state === 'failed' ? [{ code: 131026, title: 'Message undeliverable' }] : []
    const status = { id: 'wamid.1', status: state, biz_opaque_callback_data: delivery, errors }
    const metadata = { phone_number_id: kinds.whatsapp.phone_number_id }
    const changes = [{ field: 'messages', value: { metadata, statuses: [status] } }]
    const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ changes }] })
    const signature = hmac('sha256', kinds.whatsapp.app_secret + forged, body).digest('hex')
    const headers = { 'x-hub-signature-256': `sha256=${signature}` }
    return { headers: { 'content-type': 'application/json', ...headers }, body }
  },
  telegram_gateway: (_, delivery, state, forged = '') => {
    const status = state === 'failed' ? 'expired' : state
    const body = JSON.stringify({ payload: delivery, delivery_status: { status } })
    const key = createHash('sha256')
      .update(kinds.telegram_gateway.access_token + forged)
      .digest()
    const at = now()
    const signature = hmac('sha256', key, `${at}\n${body}`).digest('hex')
    const headers = { 'x-request-timestamp': at, 'x-request-signature': signature }
    return { headers: { 'content-type': 'application/json', ...headers }, body }
  },
}

test.each(Object.keys(hosts) as Peer[])(
  'a code goes through %s at its own name, and what it reports is believed only when signed',
  async (peer) => {
    await opened({ kinds: [peer] }, async (at) => {
      const to = somebody()

      const { status, json: begun } = await at.begin(to, channelOf(peer))

      expect([status, begun.delivery?.status]).toEqual([201, 'sent'])
      const { code, to: reached, delivery } = read[peer]()
      expect(reached).toBe(to)
      if (peer !== 'sns') {
        const forged = await at.report(peer, reports[peer](at, delivery, 'failed', 'forged'))
        expect([forged.status, await forged.text()]).toEqual([401, ''])
        expect((await at.shown(begun.id)).delivery?.status).toBe('sent')
        const told = await at.report(peer, reports[peer](at, delivery, 'delivered'))
        expect([told.status, await told.text()]).toEqual([204, ''])
        expect((await at.shown(begun.id)).delivery?.status).toBe('delivered')
      }
      expect(await at.check(begun.id, code)).toMatchObject({ valid: true, status: 'approved' })
    })
  },
)

test('each gateway is tried without a message, and a wrong login is told', async () => {
  await opened({ kinds: Object.keys(hosts) as Peer[] }, async (at) => {
    peers.script('telegram_gateway', () => json(200, { ok: false, error: 'REQUEST_ID_INVALID' }))
    peers.script('vonage', () => json(200, { value: 10.5 }))
    const probe = async (peer: Peer) => {
      const endpoint = at.endpointId(peer)
      return at.admin(`/v1/apps/${at.app.id}/test-delivery`, { endpoint })
    }

    for (const peer of Object.keys(hosts) as Peer[]) {
      expect([peer, await probe(peer)]).toMatchObject([peer, { steps: [{ ok: true }] }])
    }
    expect(last('sns').body).toContain('Action=GetSMSAttributes')
    expect(last('twilio')).toMatchObject({ method: 'GET' })

    const wrong = { ok: false, error: 'ACCESS_TOKEN_INVALID' }
    peers.script('telegram_gateway', () => json(200, wrong))
    peers.script('twilio', () => json(401, { code: 20003, message: 'Authenticate' }))
    for (const peer of ['telegram_gateway', 'twilio'] as const) {
      const { steps } = await probe(peer)
      expect(steps).toMatchObject([
        { ok: false, detail: expect.stringMatching(/answered (200|401)/) },
      ])
    }
  })
})

describe('the route goes on, with the same code,', () => {
  test('after a failure that the gateway reported, and is approved once', async () => {
    await opened({ kinds: ['twilio', 'whatsapp'] }, async (at) => {
      const { json: begun } = await at.begin(somebody(), ['sms', 'whatsapp'])
      const first = read.twilio()

      await at.report('twilio', reports.twilio(at, first.delivery, 'failed'))
      await eventually(() => peers.asked.whatsapp.length > 0)
      const second = read.whatsapp()

      expect(second.code).toBe(first.code)
      const { deliveries } = await at.shown(begun.id)
      const [failed, next] = deliveries ?? []
      expect([failed?.channel, failed?.status, next?.channel]).toEqual([
        'sms',
        'failed',
        'whatsapp',
      ])
      expect(await at.check(begun.id, second.code)).toMatchObject({ status: 'approved' })
      expect((await at.check(begun.id, second.code)).valid).toBeUndefined()
    })
  })

  test('where Telegram’s Gateway cannot carry it', async () => {
    await opened({ kinds: ['telegram_gateway', 'vonage'] }, async (at) => {
      const route = ['telegram_gateway', 'sms']
      const { json: begun } = await at.begin(somebody(), route, { code_length: 10 })

      expect(begun.delivery?.status).toBe('sent')
      expect(peers.asked.telegram_gateway).toEqual([])
      expect(read.vonage().code).toMatch(/^\d{10}$/)
      const [first] = (await at.shown(begun.id)).deliveries ?? []
      expect(first).toMatchObject({ status: 'refused', tries: [{ cause: 'unsupported' }] })
    })
  })

  test('to the next account when Vonage refuses inside a 200, with an alarm', async () => {
    await opened({ kinds: ['vonage', 'twilio'] }, async (at) => {
      const messages = [{ status: '4', 'error-text': 'Bad Credentials' }]
      peers.script('vonage', () => json(200, { 'message-count': '1', messages }))

      const { json: begun } = await at.begin(somebody(), 'sms')

      expect(begun.delivery?.status).toBe('sent')
      const [delivery] = (await at.shown(begun.id)).deliveries ?? []
      expect(delivery?.tries).toMatchObject([
        { status: 'refused', cause: 'login', code: '4', detail: 'Vonage: Bad Credentials' },
        { status: 'sent' },
      ])
      await eventually(async () => (await alarms(at)).includes('login_refused'))
    })
  })
})

async function alarms(at: At): Promise<unknown[]> {
  const { items = [] } = await at.admin('/v1/alarms?open=true')
  return items.map((item) => (item as Record<string, unknown>)['kind'])
}

test('a gateway that takes a message and does not answer is ambiguous, and its report settles it', async () => {
  await opened({ kinds: ['vonage'] }, async (at) => {
    peers.script('vonage', () => 'never')

    const { json: begun } = await at.begin(somebody(), 'sms')

    const [delivery] = (await at.shown(begun.id)).deliveries ?? []
    expect(delivery).toMatchObject({
      status: 'deferred',
      tries: [{ status: 'deferred', cause: 'network', ambiguous: true }],
    })
    await at.report('vonage', reports.vonage(at, read.vonage().delivery, 'delivered'))
    const { delivery: settled } = await at.shown(begun.id)
    expect(settled?.status).toBe('delivered')
    expect(peers.asked.vonage).toHaveLength(1)
  })
})

test('a gateway that is busy is asked again later, because it has not taken the message', async () => {
  await opened({ kinds: ['twilio'] }, async (at) => {
    peers.script('twilio', () => json(429, { code: 20429, message: 'Too Many Requests' }))

    const { json: begun } = await at.begin(somebody(), 'sms')

    const [delivery] = (await at.shown(begun.id)).deliveries ?? []
    expect(delivery?.tries).toMatchObject([
      { status: 'deferred', cause: 'busy', code: '20429', ambiguous: false },
    ])
  })
})

describe('what may be sent is bounded:', () => {
  test('a day’s cost stops paid gateways with an alarm, and what was refused costs nothing', async () => {
    const policy = { cost_per_day: 150_000 }
    const setup: Setup = { kinds: ['twilio'], policy, costs: { twilio: 75_000 } }
    await opened(setup, async (at) => {
      peers.script('twilio', () => json(400, { code: 21614, message: 'not a mobile number' }))
      expect((await at.begin(somebody(), 'sms')).json.delivery?.status).toBe('refused')
      peers.reset()

      const begun = []
      for (let count = 0; count < 3; count++) begun.push(await at.begin(somebody(), 'sms'))

      const states = begun.map(({ json: { delivery } }) => delivery?.status)
      expect(states).toEqual(['sent', 'sent', 'refused'])
      expect(peers.asked.twilio).toHaveLength(2)
      const [third] = (await at.shown(begun[2]?.json.id)).deliveries ?? []
      expect(third?.tries).toMatchObject([
        { cause: 'cost', detail: 'cost_per_day of the app is used up' },
      ])
      await eventually(async () => (await alarms(at)).includes('cost_capped'))
    })
  })

  test('numbers of one block get their limit and no more, whatever the gateway', async () => {
    const policy = { phone_prefix_per_hour: 2 }
    await opened({ kinds: ['twilio', 'vonage', 'whatsapp'], policy }, async (at) => {
      const states: unknown[] = []
      for (let count = 0; count < 4; count++) {
        const { json: begun } = await at.begin(`+4917099990${count}1`, ['sms', 'whatsapp'])
        states.push(begun.delivery?.status)
      }

      expect(states).toEqual(['sent', 'sent', 'refused', 'refused'])
      expect(peers.asked.twilio).toHaveLength(2)
      expect([peers.asked.vonage.length, peers.asked.whatsapp.length]).toEqual([0, 0])
      expect((await at.begin(somebody(), 'sms')).json.delivery?.status).toBe('sent')
    })
  })
})

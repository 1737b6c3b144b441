import { describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { takeCallback } from '../../src/channels/callbacks.ts'
import { tryOf } from '../support/commands.ts'
import { type Answer, adminToken, type Site, site } from './fixture.ts'

const account = { account_sid: `AC${'1'.repeat(32)}`, auth_token: 'twilio-token', from: 'Acme' }
const publicUrl = 'https://otp.example.com'

/** An app with a Twilio account, whose policy allows numbers of Germany. */
async function phoneSite(policy: Record<string, unknown> = { phone_countries: ['DE'] }) {
  const at = await site()
  const options = { token: adminToken }
  const body = { channel: 'sms', twilio: account }
  const path = `/v1/apps/${at.app.id}`
  const added = await at.call('POST', `${path}/endpoints`, { ...options, body })
  expect(added.status).toBe(201)
  const patched = await at.call('PATCH', path, { ...options, body: { policy } })
  expect(patched.status).toBe(200)
  return { at, endpointId: String(added.json.id) }
}

const start = (at: Site, to: string, more: object = {}): Promise<Answer> =>
  at.call('POST', '/v1/verifications', { body: { to, channel: 'sms', ...more } })

/** Starts a verification that Twilio accepts; its id and the delivery's. */
async function sent(at: Site, more: object = {}) {
  const begun = await handedOver(at, more)
  await begun.accepted()
  return begun
}

async function handedOver(at: Site, more: object = {}) {
  const { json } = await start(at, '+4917012345678', more)
  const { delivery } = at.sent.at(-1) ?? {}
  if (!delivery) throw new Error('nothing was handed over')
  const made = tryOf({ endpointId: delivery.endpointId })
  const accepted = () =>
    at.ports.deliveries.settle({
      ...{ delivery, made, status: 'sent', detail: null },
      ...{ event: 'delivery.sent', now: at.clock.now(), counted: null, suppress: null },
      ...{ again: null, follow: null },
    })
  return { id: String(json.id), deliveryId: delivery.id, accepted }
}

type Told = { deliveryId: string; status?: string; code?: string; key?: string }

/** As Twilio reports it, signed with this key. */
function report(at: Site, endpointId: string, told: Told): Promise<Answer> {
  const { deliveryId, status = 'delivered', code, key = account.auth_token } = told
  const path = `/v1/inbound/${endpointId}?delivery=${deliveryId}`
  const fields = { MessageSid: 'SM1', MessageStatus: status, ...(code && { ErrorCode: code }) }
  const text = Object.entries(fields).sort().flat().join('')
  const signature = createHmac('sha1', key)
    .update(publicUrl + path + text)
    .digest('base64')
  return at.call('POST', path, {
    raw: new URLSearchParams(fields).toString(),
    token: null,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(key && { 'x-twilio-signature': signature }),
    },
  })
}

const shown = async (at: Site, id: string) => (await at.call('GET', `/v1/verifications/${id}`)).json

describe('a telephone number', () => {
  test('is refused by every app until the admin names its country', async () => {
    const { at } = await phoneSite({})

    const { status, json } = await start(at, '+4917012345678')

    expect([status, json.code]).toEqual([422, 'invalid_request'])
    const reason = 'is refused: the app’s policy allows no phone_countries'
    expect(json.errors).toEqual([{ field: 'to', reason }])
  })

  test('is masked, and is taken in the form that people write', async () => {
    const { at } = await phoneSite()

    const { status, json } = await start(at, '+49 (0)170 1234-5678')

    expect([status, json.to, json.channel]).toEqual([201, '+49 *** **** 78', 'sms'])
    expect(at.sent.at(-1)?.handover.recipient).toEqual({ kind: 'phone', address: '+4917012345678' })
    expect(JSON.stringify(json)).not.toContain('1701234')
    const path = '/v1/verifications/search'
    const found = await at.call('POST', path, { body: { to: '+4917012345678' } })
    expect(found.json.items).toHaveLength(1)
  })

  test.each([
    ['with an extension', '+4917012345678 ext 5'],
    ['with an extension as a parameter', '+4917012345678;ext=5'],
    ['of a premium range', '+49 900 1 234567'],
    ['of a country that is not allowed', '+43 664 1234567'],
    ['of no country', '+883510012345'],
    ['of a fixed line', '+49 30 901820'],
    ['that does not exist', '+49 170 1'],
    ['without its country code', '0170 12345678'],
    ['that is an e-mail address', 'ada@example.com'],
  ])('%s is refused by name, and echoed nowhere', async (_, to) => {
    const { at } = await phoneSite()

    const { status, json, text } = await start(at, to)

    expect([status, json.code, json.errors?.[0]?.field]).toEqual([422, 'invalid_request', 'to'])
    expect(text).not.toContain(to)
    expect(at.sent).toEqual([])
  })

  test('of a test key follows the same rules, and never leaves the machine', async () => {
    const { at } = await phoneSite()
    const body = (to: string) => ({ token: at.testKey, body: { to, channel: 'sms' } })

    const taken = await at.call('POST', '/v1/verifications', body('+4917012345678'))
    expect([taken.status, taken.json.channel]).toEqual([201, 'inbox'])
    const refused = await at.call('POST', '/v1/verifications', body('+436641234567'))
    expect(refused.status).toBe(422)
  })
})

describe('a report of a gateway', () => {
  test('ends the delivery, whenever and however often it comes', async () => {
    const { at, endpointId } = await phoneSite()
    const { id, deliveryId } = await sent(at)

    expect((await report(at, endpointId, { deliveryId, status: 'sent' })).status).toBe(204)
    expect((await shown(at, id)).delivery.status).toBe('sent')
    const failed = { deliveryId, status: 'undelivered', code: '30005' }
    const { status, text } = await report(at, endpointId, failed)
    expect([status, text]).toEqual([204, ''])
    expect((await shown(at, id)).delivery).toEqual({
      status: 'failed',
      detail: 'Twilio: undelivered',
    })
    for (const told of [{ deliveryId }, failed, { deliveryId }]) {
      expect((await report(at, endpointId, told)).status).toBe(204)
      expect((await shown(at, id)).delivery.status).toBe('delivered')
    }
    expect((await shown(at, id)).status).toBe('pending')
  })

  test('that is forged, unsigned or for another endpoint is 401 without a body and changes nothing', async () => {
    const { at, endpointId } = await phoneSite()
    const { id, deliveryId } = await sent(at)
    const other = 'A'.repeat(22)
    const email = at.app.endpoints[0]?.id ?? ''

    const answers = [
      await report(at, endpointId, { deliveryId, key: 'forged' }),
      await report(at, endpointId, { deliveryId, key: '' }),
      await report(at, other, { deliveryId }),
      await report(at, email, { deliveryId }),
    ]

    expect(answers.map(({ status, text }) => [status, text])).toEqual(answers.map(() => [401, '']))
    expect((await shown(at, id)).delivery.status).toBe('sent')
  })

  test('that comes before the outcome of its hand-over is stored waits for it', async () => {
    const { at, endpointId } = await phoneSite()
    const { id, deliveryId, accepted } = await handedOver(at)

    const reported = report(at, endpointId, { deliveryId })
    await at.ports.timers.sleep(50)
    expect((await shown(at, id)).delivery.status).toBe('queued')
    await accepted()

    expect((await reported).status).toBe(204)
    expect((await shown(at, id)).delivery.status).toBe('delivered')
  })

  test('is not taken where the server has no public URL to be called at', async () => {
    const { at } = await phoneSite()
    const whatsapp = {
      ...{ phone_number_id: '105954558954427', access_token: 'meta', template: 'codes' },
      app_secret: 'app-secret',
    }
    const path = `/v1/apps/${at.app.id}/endpoints`
    const body = { channel: 'whatsapp', whatsapp }
    const { json } = await at.call('POST', path, { token: adminToken, body })
    const signature = createHmac('sha256', 'app-secret').update('{}').digest('hex')
    const headers = new Headers({ 'x-hub-signature-256': `sha256=${signature}` })
    const url = `${publicUrl}/v1/inbound/${json.id}`
    const callback = { endpointId: String(json.id), url, headers, body: Buffer.from('{}') }
    const take = (own: string | null) => takeCallback({ ...at.ports, publicUrl: own }, callback)

    expect(await take(publicUrl)).toEqual({ outcome: 'taken' })
    expect(await take(null)).toEqual({ outcome: 'unsigned' })
  })

  test('of another app’s delivery changes nothing, though it is signed', async () => {
    const { at, endpointId } = await phoneSite()
    await sent(at)
    const { status } = await report(at, endpointId, { deliveryId: '0'.repeat(30) })
    expect(status).toBe(204)
  })

  test('without a signature is limited as an unknown key is, and with one it is not', async () => {
    const { at, endpointId } = await phoneSite()
    const { deliveryId } = await sent(at)
    const statuses: number[] = []
    for (let count = 0; count < 12; count++) {
      statuses.push((await report(at, endpointId, { deliveryId, key: 'forged' })).status)
    }

    // The first use of the admin token has counted as one of ten.
    expect(statuses.filter((status) => status === 401)).toHaveLength(9)
    expect(statuses.slice(9)).toEqual([429, 429, 429])
    expect((await report(at, endpointId, { deliveryId })).status).toBe(204)
  })

  test('of a failure moves the route on, with the same code', async () => {
    const { at, endpointId } = await phoneSite()
    const channel = ['sms', 'email']
    const to = { sms: '+4917012345678', email: 'ada@example.com' }
    const { id, deliveryId } = await sent(at, { channel, to })

    await report(at, endpointId, { deliveryId, status: 'failed', code: '30008' })

    const json = await shown(at, id)
    expect([json.channel, json.to, json.delivery.status]).toEqual([
      'email',
      'a***@example.com',
      'queued',
    ])
    const states = json.deliveries.map(({ status }: { status: string }) => status)
    expect(states.sort()).toEqual(['failed', 'queued'])
  })
})

test('WhatsApp gets its challenge back in plain text for the token that was typed in', async () => {
  const at = await site()
  const token = 'typed-in'
  const whatsapp = {
    ...{ phone_number_id: '105954558954427', access_token: 'meta', template: 'codes' },
    ...{ app_secret: 'app-secret', verify_token: token },
  }
  const { json } = await at.call('POST', `/v1/apps/${at.app.id}/endpoints`, {
    token: adminToken,
    body: { channel: 'whatsapp', whatsapp },
  })
  expect(JSON.stringify(json)).not.toMatch(/meta|app-secret|typed-in/)
  const ask = (verify: string) => {
    const query = new URLSearchParams({
      ...{ 'hub.mode': 'subscribe', 'hub.challenge': '1158201444', 'hub.verify_token': verify },
    })
    return at.call('GET', `/v1/inbound/${json.id}?${query}`, { token: null })
  }

  const right = await ask(token)
  expect([right.status, right.text, right.headers.get('content-type')]).toEqual([
    200,
    '1158201444',
    'text/plain; charset=utf-8',
  ])
  const wrong = await ask('guessed')
  expect([wrong.status, wrong.text]).toEqual([401, ''])
})

test('a gateway is set up without its secrets being shown, and moved only with them', async () => {
  const { at, endpointId } = await phoneSite()
  const path = `/v1/apps/${at.app.id}/endpoints/${endpointId}`
  const patch = (twilio: object) => at.call('PATCH', path, { token: adminToken, body: { twilio } })

  const costly = await patch({ cost: 75_000, from: `MG${'a'.repeat(32)}` })
  expect(costly.json.twilio).toEqual({
    ...{ account_sid: account.account_sid, from: `MG${'a'.repeat(32)}`, has_secret: true },
    ...{ connections_max: null, rate_per_minute: null, cost: 75_000 },
  })
  const other = `AC${'2'.repeat(32)}`
  expect((await patch({ account_sid: other })).json.code).toBe('secret_required')
  expect((await patch({ account_sid: other, auth_token: 'x' })).status).toBe(200)
  for (const wrong of [{ account_sid: 'AC1' }, { from: '+' }, { from: '<b>' }, { cost: -1 }]) {
    const { status, json } = await patch(wrong)
    const field = `twilio.${Object.keys(wrong)[0]}`
    expect([status, json.errors?.[0]?.field]).toEqual([422, field])
  }
})

import { describe, expect, test } from 'bun:test'
import { createHash, createHmac } from 'node:crypto'
import type { Posted } from '../../../src/channels/phone/gateway.ts'
import { telegramGateway } from '../../../src/channels/phone/telegram-gateway.ts'
import { twilio } from '../../../src/channels/phone/twilio.ts'
import { vonage } from '../../../src/channels/phone/vonage.ts'
import { whatsapp } from '../../../src/channels/phone/whatsapp.ts'
import {
  callbackUrl,
  deliveryId,
  noon,
  telegramGatewayAccount,
  twilioAccount,
  vonageAccount,
  whatsappAccount,
} from './fixture.ts'

const hmac = (algorithm: string, key: string | Buffer, text: string) =>
  createHmac(algorithm, key).update(text)

type Own = Partial<Omit<Posted, 'headers'>> & { headers?: Record<string, string> }
const callback = ({ headers = {}, ...own }: Own): Posted => ({
  ...{ url: callbackUrl, body: '', now: noon, ...own },
  headers: new Headers(headers),
})
const delivered = { deliveryId, status: 'delivered', cause: null, code: null, detail: null }

describe('Twilio', () => {
  const url = `${callbackUrl}?delivery=${deliveryId}`
  const fields = {
    ...{ SmsSid: 'SM1', SmsStatus: 'delivered', MessageStatus: 'delivered', To: '+4917012345678' },
    ...{ MessageSid: 'SM1', AccountSid: twilioAccount.settings.accountSid, From: 'A&c=me ö' },
  }
  const sign = (signedUrl: string, form: Record<string, string>, key = 'twilio-auth-token') => {
    const names = Object.keys(form).sort()
    return hmac('sha1', key, signedUrl + names.map((name) => name + form[name]).join('')).digest(
      'base64',
    )
  }
  const made = (form: Record<string, string>, signature = sign(url, form), at = url) =>
    callback({
      url: at,
      body: new URLSearchParams(form).toString(),
      headers: { 'x-twilio-signature': signature },
    })
  const isGenuine = (what: Posted) =>
    twilio.callbacks?.isGenuine(what, twilioAccount.settings, twilioAccount.secrets)

  test('is believed when it has signed the URL and the form, with its port or without', () => {
    expect(isGenuine(made(fields))).toBe(true)
    const withPort = url.replace('example.com', 'example.com:443')
    expect(isGenuine(made(fields, sign(withPort, fields)))).toBe(true)
    // The vector of Twilio's documentation.
    const vector = {
      ...{ CallSid: 'CA1234567890ABCDE', Caller: '+14158675309', Digits: '1234' },
      ...{ From: '+14158675309', To: '+18005551212' },
    }
    const documented = made(
      vector,
      'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
      'https://mycompany.com/myapp.php?foo=1&bar=2',
    )
    const secrets = { authToken: '12345' }
    expect(twilio.callbacks?.isGenuine(documented, twilioAccount.settings, secrets)).toBe(true)
  })

  test('is not believed with another form, URL, key or without a signature', () => {
    const signature = sign(url, fields)
    const forged = [
      made({ ...fields, MessageStatus: 'failed' }, signature),
      made({ ...fields, ErrorCode: '1' }, signature),
      made(fields, signature, `${callbackUrl}?delivery=${deliveryId.replace('0', '1')}`),
      made(fields, sign(url, fields, 'another')),
      made(fields, ''),
      made(fields, 'x'.repeat(100_000)),
      callback({ url, body: new URLSearchParams(fields).toString() }),
    ]
    for (const each of forged) expect(isGenuine(each)).toBe(false)
  })

  test('reports ends, with its code, and nothing in between', () => {
    const read = (own: Record<string, string>) =>
      twilio.callbacks?.read(made({ ...fields, ...own }), twilioAccount.settings)
    expect(read({})).toEqual([delivered] as never)
    expect(read({ MessageStatus: 'undelivered', ErrorCode: '30005' })).toEqual([
      {
        ...{ deliveryId, status: 'failed', cause: 'recipient', code: '30005' },
        detail: 'Twilio: undelivered',
      },
    ])
    expect(read({ MessageStatus: 'failed', ErrorCode: '+4917012345678' })).toMatchObject([
      { code: null, cause: null },
    ])
    for (const MessageStatus of ['queued', 'sending', 'sent', 'x', '']) {
      expect(read({ MessageStatus })).toEqual([])
    }
    const nameless = callback({ url: callbackUrl, body: 'MessageStatus=delivered' })
    expect(twilio.callbacks?.read(nameless, twilioAccount.settings)).toEqual([])
  })
})

describe('Vonage', () => {
  const fields: Record<string, string> = {
    ...{ msisdn: '4917012345678', to: 'Acme', 'network-code': '26201', messageId: '0A1' },
    ...{ price: '0.0333', status: 'delivered', scts: '2606151200', 'err-code': '0' },
    ...{
      'api-key': 'abc123',
      'client-ref': deliveryId,
      'message-timestamp': '2026-06-15 12:00:00',
    },
    ...{ timestamp: String(noon / 1000), nonce: 'a&b=c' },
  }
  const sign = (
    own: Record<string, string>,
    method = 'sha256',
    key = 'vonage-signature-secret',
  ) => {
    const names = Object.keys(own).sort()
    const text = names.map((name) => `&${name}=${own[name]?.replace(/[&=]/g, '_')}`).join('')
    return hmac(method, key, text).digest('hex')
  }
  const made = (own: Record<string, string>, sig: string | null = sign(own)) => {
    const body = JSON.stringify({ ...own, ...(sig !== null && { sig }) })
    return callback({ body, headers: { 'content-type': 'application/json' } })
  }
  const { settings, secrets } = vonageAccount
  const isGenuine = (what: Posted, own: Partial<typeof secrets> = secrets, method = 'sha256') =>
    vonage.callbacks?.isGenuine(
      what,
      { ...settings, signatureMethod: method as 'sha256' },
      { apiSecret: 'vonage-secret', ...own },
    )

  test('is believed when it has signed the fields a moment ago, as JSON or as a form', () => {
    expect(isGenuine(made(fields))).toBe(true)
    expect(isGenuine(made(fields, sign(fields).toUpperCase()))).toBe(true)
    expect(isGenuine(made(fields, sign(fields, 'sha512')), secrets, 'sha512')).toBe(true)
    const body = new URLSearchParams({ ...fields, sig: sign(fields) }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect(isGenuine(callback({ body, headers }))).toBe(true)
  })

  test('is not believed unsigned, changed, later, by another method or without a secret here', () => {
    const later = { ...fields, timestamp: String(noon / 1000 - 301) }
    const timeless: Record<string, string> = { ...fields }
    delete timeless['timestamp']
    const forged = [
      made(fields, null),
      made({ ...fields, status: 'failed' }, sign(fields)),
      made({ ...fields, more: '1' }, sign(fields)),
      made(later),
      made(timeless),
      made(fields, sign(fields, 'sha256', 'another')),
      made(fields, sign(fields, 'sha512')),
      made(fields, sign(fields, 'md5')),
      callback({ body: 'x', headers: { 'content-type': 'application/json' } }),
    ]
    for (const each of forged) expect(isGenuine(each)).toBe(false)
    expect(isGenuine(made(fields), {})).toBe(false)
  })

  test('reports ends, with its code, and nothing in between', () => {
    const read = (own: Record<string, string>) =>
      vonage.callbacks?.read(made({ ...fields, ...own }), settings)
    expect(read({})).toEqual([delivered] as never)
    expect(read({ status: 'rejected', 'err-code': '9' })).toEqual([
      ...[{ deliveryId, status: 'failed' as const, cause: 'recipient' as const, code: '9' }].map(
        (report) => ({ ...report, detail: 'Vonage: rejected' }),
      ),
    ])
    expect(read({ status: 'expired', 'err-code': '1' })).toMatchObject([{ cause: null }])
    for (const status of ['accepted', 'buffered', 'unknown', ''])
      expect(read({ status })).toEqual([])
    expect(read({ 'client-ref': '' })).toEqual([])
  })
})

describe('WhatsApp', () => {
  const { settings, secrets } = whatsappAccount
  const status = (own: object) => ({
    ...{ id: 'wamid.1', status: 'delivered', timestamp: '1781524800' },
    ...{ recipient_id: '4917012345678', biz_opaque_callback_data: deliveryId, ...own },
  })
  const bodyOf = (statuses: object[], phoneNumberId: string = settings.phoneNumberId) =>
    JSON.stringify({
      object: 'whatsapp_business_account',
      entry: [
        {
          id: '1',
          changes: [
            {
              field: 'messages',
              value: {
                messaging_product: 'whatsapp',
                metadata: { display_phone_number: '49', phone_number_id: phoneNumberId },
                statuses,
              },
            },
          ],
        },
      ],
    })
  const sign = (body: string, key = 'meta-app-secret') =>
    `sha256=${hmac('sha256', key, body).digest('hex')}`
  const made = (body: string, signature = sign(body)) =>
    callback({ body, headers: { 'x-hub-signature-256': signature } })
  const isGenuine = (what: Posted, own: object = secrets) =>
    whatsapp.callbacks?.isGenuine(what, settings, { accessToken: 'meta-token', ...own })

  test('is believed when it has signed the body', () => {
    expect(isGenuine(made(bodyOf([status({})])))).toBe(true)
  })

  test('is not believed with another body or key, unsigned, or without the app’s secret here', () => {
    const body = bodyOf([status({})])
    const forged = [
      made(`${body} `, sign(body)),
      made(body, sign(body, 'another')),
      made(body, sign(body).replace('sha256=', '')),
      made(body, sign(body).replace('sha256=', 'sha1=')),
      made(body, ''),
      callback({ body }),
    ]
    for (const each of forged) expect(isGenuine(each)).toBe(false)
    expect(isGenuine(made(body), {})).toBe(false)
  })

  test('reports ends of messages of this number, of whatever else there is in a body', () => {
    const read = (body: string) => whatsapp.callbacks?.read(made(body), settings)
    const failed = status({ status: 'failed', errors: [{ code: 131026, title: 'x' }] })
    expect(read(bodyOf([status({}), status({ status: 'read' }), failed]))).toEqual([
      delivered,
      delivered,
      {
        ...{ deliveryId, status: 'failed', cause: 'unsupported', code: '131026' },
        detail: 'WhatsApp: failed',
      },
    ] as never)
    expect(read(bodyOf([status({ status: 'sent' })]))).toEqual([])
    expect(read(bodyOf([status({})], '1'))).toEqual([])
    expect(read(bodyOf([status({ biz_opaque_callback_data: undefined })]))).toEqual([])
    for (const odd of ['[]', '{}', 'x', '{"entry":[null,1,{"changes":[{"value":[]}]}]}', 'null']) {
      expect(read(odd)).toEqual([])
    }
  })

  test('gets its challenge back for the token that was typed in, and for no other', () => {
    const asked = (own: Record<string, string>) =>
      whatsapp.callbacks?.challenge?.(
        new URLSearchParams({
          ...{ 'hub.mode': 'subscribe', 'hub.verify_token': 'typed-in', 'hub.challenge': '1158' },
          ...own,
        }),
        secrets,
      )
    expect(asked({})).toBe('1158')
    expect(asked({ 'hub.verify_token': 'typed-in-' })).toBeNull()
    expect(asked({ 'hub.mode': 'unsubscribe' })).toBeNull()
    expect(asked({ 'hub.challenge': '<script>' })).toBeNull()
    expect(asked({ 'hub.challenge': '' })).toBeNull()
    const query = new URLSearchParams({ 'hub.mode': 'subscribe', 'hub.challenge': '1' })
    expect(whatsapp.callbacks?.challenge?.(query, { accessToken: 'x' })).toBeNull()
  })
})

describe('Telegram’s Gateway', () => {
  const { settings, secrets } = telegramGatewayAccount
  const bodyOf = (status: string, payload: unknown = deliveryId) =>
    JSON.stringify({
      ...{ request_id: 'r-1', phone_number: '4917012345678', request_cost: 0.01, payload },
      delivery_status: { status, updated_at: noon / 1000 },
    })
  const sign = (at: string, body: string, token = 'telegram-gateway-token') =>
    hmac('sha256', createHash('sha256').update(token).digest(), `${at}\n${body}`).digest('hex')
  const made = (body: string, at = String(noon / 1000), signature = sign(at, body)) =>
    callback({ body, headers: { 'x-request-timestamp': at, 'x-request-signature': signature } })
  const isGenuine = (what: Posted) => telegramGateway.callbacks?.isGenuine(what, settings, secrets)

  test('is believed when it has signed time and body a moment ago', () => {
    expect(isGenuine(made(bodyOf('delivered')))).toBe(true)
    expect(isGenuine(made(bodyOf('delivered'), String(noon / 1000 - 300)))).toBe(true)
  })

  test('is not believed later, with another body, time or token, or unsigned', () => {
    const body = bodyOf('delivered')
    const at = String(noon / 1000)
    const forged = [
      made(body, String(noon / 1000 - 301)),
      made(body, String(noon / 1000 + 301)),
      made(body, String(noon / 1000 - 1), sign(at, body)),
      made(bodyOf('expired'), at, sign(at, body)),
      made(body, at, sign(at, body, 'another')),
      made(body, at, createHmac('sha256', secrets.accessToken).update(body).digest('hex')),
      made(body, 'x'),
      made(body, at, ''),
      callback({ body }),
    ]
    for (const each of forged) expect(isGenuine(each)).toBe(false)
  })

  test('reports ends, and nothing in between', () => {
    const read = (body: string) => telegramGateway.callbacks?.read(made(body), settings)
    expect(read(bodyOf('delivered'))).toEqual([delivered] as never)
    expect(read(bodyOf('read'))).toEqual([delivered] as never)
    expect(read(bodyOf('expired'))).toEqual([
      {
        ...{ deliveryId, status: 'failed', cause: null, code: 'expired' },
        detail: 'Telegram Gateway: expired',
      },
    ])
    for (const odd of [bodyOf('sent'), bodyOf('x'), bodyOf('delivered', null), '[]', 'x']) {
      expect(read(odd)).toEqual([])
    }
  })
})

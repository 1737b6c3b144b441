import { describe, expect, test } from 'bun:test'
import { sayings } from '../../../src/channels/phone/gateway.ts'
import { sns } from '../../../src/channels/phone/sns.ts'
import { telegramGateway } from '../../../src/channels/phone/telegram-gateway.ts'
import { twilio } from '../../../src/channels/phone/twilio.ts'
import { vonage } from '../../../src/channels/phone/vonage.ts'
import { whatsapp } from '../../../src/channels/phone/whatsapp.ts'
import {
  answer,
  callbackUrl,
  deliveryId,
  formOf,
  message,
  noon,
  snsAccount,
  telegramGatewayAccount,
  twilioAccount,
  vonageAccount,
  whatsappAccount,
} from './fixture.ts'

const request = <S, K>(
  gateway: { send(m: typeof message, s: S, k: K): unknown },
  account: { settings: S; secrets: K },
  own: Partial<typeof message> = {},
) => {
  const made = gateway.send({ ...message, ...own }, account.settings, account.secrets)
  return made as { url: string; method: string; headers: Record<string, string>; body: string }
}

describe('a message is handed over', () => {
  test('to Twilio with its life, and the delivery in the callback', () => {
    const { url, headers, body } = request(twilio, twilioAccount)

    const sid = twilioAccount.settings.accountSid
    expect(url).toBe(`https://api.twilio.com/2010-04-01/Accounts/${sid}/Messages.json`)
    expect(headers['authorization']).toBe(`Basic ${btoa(`${sid}:twilio-auth-token`)}`)
    expect(formOf(body)).toEqual({
      ...{ To: '+4917012345678', From: 'Acme', Body: message.text, ValidityPeriod: '600' },
      StatusCallback: `${callbackUrl}?delivery=${deliveryId}`,
    })
    const service = { ...twilioAccount.settings, from: `MG${'a'.repeat(32)}` }
    const other = request(twilio, { ...twilioAccount, settings: service }, { callbackUrl: null })
    expect(formOf(other.body)).toEqual({
      ...{ To: '+4917012345678', MessagingServiceSid: service.from },
      ...{ Body: message.text, ValidityPeriod: '600' },
    })
  })

  test('to Vonage without the plus, as Unicode where the text needs it', () => {
    const { url, body } = request(vonage, vonageAccount)

    expect(url).toBe('https://rest.nexmo.com/sms/json')
    expect(formOf(body)).toEqual({
      ...{ api_key: 'abc123', api_secret: 'vonage-secret', from: 'Acme', to: '4917012345678' },
      ...{ text: message.text, type: 'text', ttl: '600000', 'client-ref': deliveryId },
      ...{ 'status-report-req': '1', callback: callbackUrl },
    })
    const arabic = request(vonage, vonageAccount, { text: 'رمز 123456', callbackUrl: null })
    expect(formOf(arabic.body)).toMatchObject({ type: 'unicode' })
    expect(formOf(arabic.body)).not.toHaveProperty('callback')
  })

  test('to SNS as a transactional message, signed for its region', () => {
    const { url, headers, body } = request(sns, snsAccount)

    expect(url).toBe('https://sns.eu-central-1.amazonaws.com/')
    expect(formOf(body)).toMatchObject({
      ...{ Action: 'Publish', PhoneNumber: '+4917012345678', Message: message.text },
      'MessageAttributes.entry.1.Name': 'AWS.SNS.SMS.SMSType',
      'MessageAttributes.entry.1.Value.StringValue': 'Transactional',
      'MessageAttributes.entry.2.Value.StringValue': 'Acme',
    })
    expect(headers['authorization']).toStartWith(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260615/eu-central-1/sns/aws4_request, ',
    )
    expect(headers['x-amz-date']).toBe('20260615T120000Z')
    expect(JSON.stringify({ url, headers, body })).not.toContain('wJalr')
  })

  test('to WhatsApp as a template that has the code twice', () => {
    const { url, headers, body } = request(whatsapp, whatsappAccount)

    expect(url).toBe('https://graph.facebook.com/v23.0/105954558954427/messages')
    expect(headers['authorization']).toBe('Bearer meta-token')
    const { template, ...rest } = JSON.parse(body)
    const parameters = [{ type: 'text', text: '123456' }]
    expect(template).toEqual({
      ...{ name: 'codes', language: { code: 'en' } },
      components: [
        { type: 'body', parameters },
        { type: 'button', sub_type: 'url', index: '0', parameters },
      ],
    })
    expect(rest).toMatchObject({ to: '4917012345678', biz_opaque_callback_data: deliveryId })
  })

  test('to Telegram’s Gateway with the life that is left, within its bounds', () => {
    const { url, body } = request(telegramGateway, telegramGatewayAccount)

    expect(url).toBe('https://gatewayapi.telegram.org/sendVerificationMessage')
    expect(JSON.parse(body)).toEqual({
      ...{ phone_number: '+4917012345678', code: '123456', ttl: 600 },
      ...{ payload: deliveryId, callback_url: callbackUrl },
    })
    const ttl = (lifeMs: number) => {
      return JSON.parse(request(telegramGateway, telegramGatewayAccount, { lifeMs }).body).ttl
    }
    expect([ttl(1), ttl(29_000), ttl(86_400_000)]).toEqual([30, 30, 3600])
  })

  test('not at all where the gateway cannot carry the code', () => {
    const long = { code: '7H2K9QW4TXP8M', codeFormat: 'crockford' } as const
    for (const own of [long, { code: '123456789' }, { code: '1234567890' }]) {
      expect(request(telegramGateway, telegramGatewayAccount, own)).toBe('unsupported' as never)
    }
    expect(request(whatsapp, whatsappAccount, long)).toMatchObject({ method: 'POST' })
    const longer = { code: '1'.repeat(16) }
    expect(request(whatsapp, whatsappAccount, longer)).toBe('unsupported' as never)
  })
})

type Expected = [status: number, body: unknown, outcome: Record<string, unknown>]

const twilioError = (code: number) => ({ code, message: 'x', status: 400 })
const vonageParts = (...statuses: string[]) => ({
  'message-count': String(statuses.length),
  messages: statuses.map((status) => ({
    ...{ to: '4917012345678', status, 'message-id': '0A0000000123ABCD1' },
    'error-text': 'x',
  })),
})
const snsError = (code: string, words = 'x') =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${words}</Message></Error>` +
  '<RequestId>1</RequestId></ErrorResponse>'
const metaError = (code: number) => ({ error: { message: 'x', type: 'OAuthException', code } })
const telegramError = (error: string) => ({ ok: false, error })

const sent = (remoteId: string) => ({ status: 'sent', remoteId })
const refused = (cause: string, code?: string) => ({
  status: 'refused',
  cause,
  ...(code && { code }),
})
const busy = (ambiguous = false) => ({ status: 'deferred', cause: 'busy', ambiguous })

const tables: Record<string, { outcome: (typeof twilio)['outcome']; rows: Expected[] }> = {
  Twilio: {
    outcome: twilio.outcome,
    rows: [
      [201, { sid: 'SM1', status: 'queued' }, sent('SM1')],
      [400, twilioError(21211), refused('recipient', '21211')],
      [400, twilioError(21610), refused('recipient', '21610')],
      [400, twilioError(21614), refused('recipient')],
      [400, twilioError(21612), refused('unsupported')],
      [400, twilioError(21408), refused('policy')],
      [400, twilioError(21608), refused('policy')],
      [400, twilioError(21606), refused('server')],
      [400, twilioError(21617), refused('message')],
      [400, twilioError(99999), refused('server', '400')],
      [401, twilioError(20003), refused('login', '20003')],
      [404, twilioError(20404), refused('login')],
      [429, twilioError(20429), busy()],
      [400, twilioError(21611), busy()],
      [429, 'not JSON', busy()],
      [503, '', busy()],
      [500, '', busy(true)],
      [502, '<html>', busy(true)],
      [301, '', refused('server')],
      [403, '{"code":[]}', refused('login')],
    ],
  },
  Vonage: {
    outcome: vonage.outcome,
    rows: [
      [200, vonageParts('0'), sent('0A0000000123ABCD1')],
      [200, vonageParts('0', '0'), sent('0A0000000123ABCD1')],
      [200, vonageParts('0', '1'), busy(true)],
      ...['1', '5', '10'].map((status): Expected => [200, vonageParts(status), busy()]),
      ...['4', '8', '11', '14'].map(
        (status): Expected => [200, vonageParts(status), refused('login', status)],
      ),
      ...['6', '7', '33'].map(
        (status): Expected => [200, vonageParts(status), refused('recipient', status)],
      ),
      ...['2', '3', '12'].map((status): Expected => [200, vonageParts(status), refused('message')]),
      [200, vonageParts('9'), refused('policy')],
      [200, vonageParts('29'), refused('policy')],
      [200, vonageParts('15'), refused('server')],
      [200, vonageParts('77'), refused('server', '77')],
      [200, 'not JSON', busy(true)],
      [200, { messages: [] }, busy(true)],
      [401, '', refused('login')],
      [429, '', busy()],
      [500, '', busy(true)],
    ],
  },
  'Amazon SNS': {
    outcome: sns.outcome,
    rows: [
      [200, '<PublishResult><MessageId>m-1</MessageId></PublishResult>', sent('m-1')],
      [
        400,
        snsError('InvalidParameter', 'Invalid parameter: PhoneNumber Reason: +4 is not valid'),
        refused('recipient', 'InvalidParameter'),
      ],
      [400, snsError('InvalidParameter', 'Invalid parameter: Attributes'), refused('server')],
      [400, snsError('OptedOut'), refused('recipient')],
      [400, snsError('Throttling'), busy()],
      [429, snsError('Throttled'), busy()],
      [403, snsError('SignatureDoesNotMatch'), refused('login')],
      [403, snsError('InvalidClientTokenId'), refused('login')],
      [403, snsError('AuthorizationError'), refused('login')],
      [400, snsError('Whatever'), refused('server', '400')],
      [500, snsError('InternalError'), busy(true)],
      [503, '', busy()],
    ],
  },
  WhatsApp: {
    outcome: whatsapp.outcome,
    rows: [
      [200, { messages: [{ id: 'wamid.1' }] }, sent('wamid.1')],
      [400, metaError(131026), refused('unsupported', '131026')],
      [400, metaError(131021), refused('recipient')],
      [400, metaError(130429), busy()],
      [400, metaError(131056), busy()],
      [400, metaError(80007), busy()],
      [401, metaError(190), refused('login', '190')],
      [403, metaError(200), refused('login', '200')],
      [403, metaError(10), refused('login')],
      [400, metaError(131042), refused('policy')],
      [400, metaError(131048), refused('policy')],
      [404, metaError(132001), refused('message')],
      [400, metaError(132000), refused('message')],
      [400, metaError(100), refused('server')],
      [500, metaError(131000), busy()],
      [500, 'x', busy(true)],
      [400, metaError(999999), refused('server', '400')],
    ],
  },
  'Telegram Gateway': {
    outcome: telegramGateway.outcome,
    rows: [
      [200, { ok: true, result: { request_id: 'r-1' } }, sent('r-1')],
      [200, telegramError('ACCESS_TOKEN_INVALID'), refused('login', 'ACCESS_TOKEN_INVALID')],
      [200, telegramError('PHONE_NUMBER_INVALID'), refused('recipient')],
      [200, telegramError('PHONE_NUMBER_NOT_AVAILABLE'), refused('unsupported')],
      [200, telegramError('PHONE_NUMBER_NOT_FOUND'), refused('unsupported')],
      [200, telegramError('CODE_INVALID'), refused('unsupported')],
      [200, telegramError('BALANCE_NOT_ENOUGH'), refused('policy')],
      [200, telegramError('SENDER_NOT_VERIFIED'), refused('server')],
      [200, telegramError('FLOOD_WAIT_30'), { ...busy(), retryAfterMs: 30_000 }],
      [429, telegramError('FLOOD_WAIT'), busy()],
      [200, telegramError('<b>+4917012345678</b>'), refused('server', '200')],
      [500, '', busy(true)],
    ],
  },
}

describe.each(Object.entries(tables))('an answer of %s', (name, { outcome, rows }) => {
  test.each(rows)('%p %p becomes %p', (status, body, expected) => {
    const found = outcome(answer(status, body), message)
    expect(found).toMatchObject(expected)
    if (found.status !== 'sent') expect(found.detail).toStartWith(name)
  })

  test('keeps the wait that it asks for', () => {
    expect(outcome(answer(429, 'x', 7_000), message)).toMatchObject({ retryAfterMs: 7_000 })
  })
})

test('words of a gateway are kept without the code and without any number', () => {
  const words = "The 'To' number +49 170 12345678 and 4917012345678 are no 123456 (see 21211)"
  expect(sayings(words, message)).toBe(
    "The 'To' number <number> and <number> are no <code> (see 21211)",
  )
  expect(sayings({ a: 1 }, message)).toBe('')
  expect(sayings('x'.repeat(100_000), message)).toHaveLength(200)
})

test('settings are tried by a request that sends nothing', () => {
  const probes = [
    twilio.probe(twilioAccount.settings, twilioAccount.secrets, noon),
    vonage.probe(vonageAccount.settings, vonageAccount.secrets, noon),
    sns.probe(snsAccount.settings, snsAccount.secrets, noon),
    whatsapp.probe(whatsappAccount.settings, whatsappAccount.secrets, noon),
    telegramGateway.probe(telegramGatewayAccount.settings, telegramGatewayAccount.secrets, noon),
  ]
  expect(probes.map(({ method, url }) => `${method} ${url.replace(/\?.*/, '')}`)).toEqual([
    `GET https://api.twilio.com/2010-04-01/Accounts/${twilioAccount.settings.accountSid}.json`,
    'GET https://rest.nexmo.com/account/get-balance',
    'POST https://sns.eu-central-1.amazonaws.com/',
    'GET https://graph.facebook.com/v23.0/105954558954427',
    'POST https://gatewayapi.telegram.org/checkVerificationStatus',
  ])
  expect(formOf(probes[2]?.body)).toMatchObject({ Action: 'GetSMSAttributes' })
  expect(twilio.probeFault(answer(200, { status: 'active' }))).toBeNull()
  expect(twilio.probeFault(answer(200, { status: 'suspended' }))).toContain('suspended')
  expect(twilio.probeFault(answer(401, {}))).toContain('401')
  expect(telegramGateway.probeFault(answer(200, telegramError('REQUEST_ID_INVALID')))).toBeNull()
  expect(telegramGateway.probeFault(answer(200, telegramError('ACCESS_TOKEN_INVALID')))).toContain(
    'ACCESS_TOKEN_INVALID',
  )
  expect(whatsapp.probeFault(answer(401, metaError(190)))).toContain('190')
  expect(sns.probeFault(answer(403, snsError('InvalidClientTokenId')))).toContain(
    'InvalidClientTokenId',
  )
  expect(vonage.probeFault(answer(401, {}))).toContain('401')
})

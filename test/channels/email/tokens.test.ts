import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createVerify } from 'node:crypto'
import { createTokens, entriesMax, type Refused } from '../../../src/channels/email/tokens.ts'
import { type App, mailServersOf } from '../../../src/domain/app/app.ts'
import { secretPlace } from '../../../src/domain/app/endpoint.ts'
import type { SmtpSettings } from '../../../src/domain/app/smtp-fields.ts'
import type { SecretRenewal } from '../../../src/domain/stores.ts'
import { keyring, movableTimers, noon } from '../mail-fixtures.ts'
import { grant, serviceKey, tenant, tokenApp, tokenServer } from './token-fixtures.ts'

let server: ReturnType<typeof tokenServer>
beforeEach(() => {
  server = tokenServer()
})
afterEach(() => server.stop())

function open(renewSecret: (renewal: SecretRenewal) => Promise<boolean> = async () => true) {
  const timers = movableTimers()
  const clock = { now: () => noon }
  const { httpOut } = server
  const tokens = createTokens({ keyring, clock, timers, apps: { renewSecret }, httpOut })
  const get = async (app: App) => tokens.get(app, only(app))
  return { tokens, get, advance: timers.advance }
}

function only(app: App) {
  const [endpoint] = mailServersOf(app)
  if (!endpoint) throw new Error('an app without an endpoint')
  return endpoint
}

const loginRefused: Refused = { status: 'refused', cause: 'login', code: '535', detail: 'no' }
const google = tokenApp('google')

describe('a token is asked for', () => {
  const microsoft = `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`
  test.each([
    [
      'google',
      'https://oauth2.googleapis.com/token',
      {
        ...{ grant_type: 'refresh_token', refresh_token: '1//old' },
        ...{ client_id: 'client-1', client_secret: 's3cret' },
      },
    ],
    [
      'microsoft',
      microsoft,
      {
        ...{ grant_type: 'refresh_token', refresh_token: '0.old', client_id: 'client-1' },
        scope: 'https://outlook.office.com/SMTP.Send offline_access',
      },
    ],
    [
      'microsoft_app',
      microsoft,
      {
        ...{ grant_type: 'client_credentials', client_id: 'client-1', client_secret: 's3cret' },
        scope: 'https://outlook.office365.com/.default',
      },
    ],
  ] as const)('by the rules of the provider: %s', async (auth, url, form) => {
    expect(await open().get(tokenApp(auth))).toEqual({ credential: 'token-1' })
    expect(server.asked).toEqual([{ url, form }])
  })

  test('with an assertion that the key of the service account has signed', async () => {
    expect(await open().get(tokenApp('google_service_account'))).toEqual({ credential: 'token-1' })

    const [{ url, form } = { url: '', form: {} }] = server.asked
    const [header = '', claims = '', signature = ''] = form['assertion']?.split('.') ?? []
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
    expect(url).toBe('https://oauth2.googleapis.com/token')
    expect(form['grant_type']).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    expect(read(header)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'key-1' })
    expect(read(claims)).toEqual({
      iss: 'mailer@project.iam.gserviceaccount.com',
      sub: 'codes@acme.test',
      scope: 'https://mail.google.com/',
      aud: 'https://oauth2.googleapis.com/token',
      iat: noon / 1000,
      exp: noon / 1000 + 3600,
    })
    const verify = createVerify('RSA-SHA256').update(`${header}.${claims}`)
    expect(verify.verify(serviceKey.publicKey, signature, 'base64url')).toBe(true)
  })

  test('at no other place, where the database names a tenant that is none', async () => {
    const { get } = open()
    for (const other of ['a/../..', 'evil.test/x?', '@evil.test', 'a b', '', 'common#']) {
      const settings: Partial<SmtpSettings> = { tenant: other }
      expect(await get(tokenApp('microsoft_app', settings))).toMatchObject({
        outcome: { status: 'refused', cause: 'server' },
      })
    }
    expect(server.asked).toEqual([])
  })

  test('once, however many messages want one at the same time', async () => {
    const { get } = open()

    const found = await Promise.all(Array.from({ length: 50 }, () => get(google)))

    expect(new Set(found.map((token) => JSON.stringify(token))).size).toBe(1)
    expect(server.asked).toHaveLength(1)
  })

  test('for each endpoint by itself, and again where the secret was replaced', async () => {
    const { get } = open()
    await get(google)
    await get(tokenApp('google', {}, { id: 'other' }))
    // Sealed anew, as by a change of the admin.
    const { endpoints, ...next } = tokenApp('google', {}, { version: 2 })
    const updatedAt = noon + 1
    const changed = { ...next, endpoints: endpoints.map((one) => ({ ...one, updatedAt })) }
    expect(await get(changed)).toEqual({ credential: 'token-3' })

    // Messages that were read before the change.
    expect(await get(google)).toEqual({ credential: 'token-3' })
    expect(await get(changed)).toEqual({ credential: 'token-3' })
    expect(server.asked).toHaveLength(3)
  })

  test('never where the secret does not open at this destination', async () => {
    const endpoint = { ...only(google), settings: { ...only(google).settings, host: 'evil.test' } }
    const found = await open().get({ ...google, endpoints: [endpoint] })

    expect(found).toMatchObject({ outcome: { status: 'refused', cause: 'server' } })
    expect(server.asked).toEqual([])
  })
})

describe('a token is kept', () => {
  test('for its life, and renewed a minute before its end while the old one is used', async () => {
    const { tokens, get, advance } = open()
    await get(google)
    advance(3_539_000)
    await get(google)
    expect(server.asked).toHaveLength(1)

    advance(2_000)
    expect(tokens.get(google, only(google))).toEqual({ credential: 'token-1' })
    await until(() => server.asked.length === 2)
    await until(() => 'credential' in peek() && peek().credential === 'token-2')
    function peek() {
      return tokens.get(google, only(google)) as { credential: string }
    }
  })

  test('where its renewal fails, as long as it lives', async () => {
    const { get, advance } = open()
    await get(google)
    server.reply = () => new Response('', { status: 503 })
    advance(3_541_000)
    expect(await get(google)).toEqual({ credential: 'token-1' })
    await until(() => server.asked.length === 2)
    // No more than one request a second.
    expect(await get(google)).toEqual({ credential: 'token-1' })
    expect(server.asked).toHaveLength(2)

    advance(60_000)
    expect(await get(google)).toMatchObject({ outcome: { cause: 'busy' } })
  })

  test('half of its life, where that is short', async () => {
    server.reply = (number) => Response.json(grant(`token-${number}`, { expires_in: 20 }))
    const { get, advance } = open()
    await get(google)
    advance(9_000)
    await get(google)
    expect(server.asked).toHaveLength(1)
    advance(2_000)
    await get(google)
    await until(() => server.asked.length === 2)
  })

  test('for so many endpoints at most, the oldest are forgotten', async () => {
    const { get } = open()
    const apps = Array.from({ length: entriesMax + 1 }, (_, index) => {
      return tokenApp('google', {}, { id: `app-${index}` })
    })
    for (const app of apps) await get(app)
    for (const app of apps.slice(1)) await get(app)
    expect(server.asked).toHaveLength(entriesMax + 1)

    await get(apps[0] ?? google)
    expect(server.asked).toHaveLength(entriesMax + 2)
  })
})

describe('a login that is refused', () => {
  test('is tried again once with a fresh token, then not for a minute', async () => {
    const { tokens, get, advance } = open()
    const id = only(google).id
    await get(google)
    expect(tokens.refused(id, 'token-1', loginRefused)).toBe('again')
    expect(await get(google)).toEqual({ credential: 'token-2' })
    // A message that had the old one is tried with the new one.
    expect(tokens.refused(id, 'token-1', loginRefused)).toBe('again')
    expect(tokens.refused(id, 'token-2', loginRefused)).toBe('final')

    advance(59_000)
    expect(await get(google)).toEqual({ outcome: loginRefused })
    expect(server.asked).toHaveLength(2)
    advance(2_000)
    // What the admin has changed at the provider shows in a new token only.
    expect(await get(google)).toEqual({ credential: 'token-3' })
    expect(tokens.refused(id, 'token-3', loginRefused)).toBe('final')
  })

  test('is a stale token again, where one was accepted meanwhile', async () => {
    const { tokens, get } = open()
    const id = only(google).id
    await get(google)
    tokens.refused(id, 'token-1', loginRefused)
    await get(google)
    tokens.accepted(id, 'token-2')

    expect(tokens.refused(id, 'token-2', loginRefused)).toBe('again')
  })
})

describe('a token server', () => {
  const json = (status: number, body: unknown, headers = {}) => {
    return () => Response.json(body, { status, headers })
  }
  const error = (error: string, text = '') => json(400, { error, error_description: text })
  const busy = { status: 'deferred', cause: 'busy', ambiguous: false }
  const network = { status: 'deferred', cause: 'network', ambiguous: false }
  const login = { status: 'refused', cause: 'login' }
  test.each([
    ['500', json(500, {}), busy],
    ['503 with a wait', json(503, {}, { 'retry-after': '30' }), { ...busy, retryAfterMs: 30_000 }],
    ['429 with a wait', json(429, {}, { 'retry-after': '9' }), { ...busy, retryAfterMs: 9_000 }],
    ['temporarily_unavailable', error('temporarily_unavailable'), busy],
    ['redirect', json(302, {}, { location: 'https://evil.test' }), network],
    ['no JSON', () => new Response('<html>'), network],
    ['wrong JSON', json(200, ['x']), network],
    ['null', json(200, null), network],
    ['no token', json(200, { token_type: 'bearer' }), network],
    ['another type of token', json(200, grant('t', { token_type: 'mac' })), network],
    ['a token with a line break', json(200, grant('a\r\nMAIL FROM:<x>')), network],
    ['a long token', json(200, grant('x'.repeat(16_385))), network],
    ['10 MB', () => new Response('x'.repeat(10_000_000)), network],
    ['400 without an error', json(400, {}), network],
    ['invalid_grant', error('invalid_grant'), login],
    ['invalid_client', json(401, { error: 'invalid_client' }), login],
    ['unauthorized_client', error('unauthorized_client'), login],
    ['an error of its own', error('evil <b>\r\n'), login],
  ] as const)('that answers %s: what follows', async (_what, reply, expected) => {
    server.reply = reply
    const found = await open().get(google)

    expect(found).toMatchObject({ outcome: expected })
    const { detail } = 'outcome' in found ? found.outcome : { detail: '' }
    expect(detail).toMatch(/^[\x20-\x7e]{10,300}$/)
    for (const secret of ['s3cret', '1//old', 'evil']) expect(detail).not.toContain(secret)
  })

  test('that is down is asked once a second, and no sooner than it says', async () => {
    server.reply = json(503, {})
    const { get, advance } = open()
    for (let count = 0; count < 10; count++) await get(google)
    expect(server.asked).toHaveLength(1)
    server.reply = json(429, {}, { 'retry-after': '30' })
    advance(1_001)
    await get(google)
    advance(29_000)
    await get(google)
    expect(server.asked).toHaveLength(2)

    server.reply = json(200, grant('token-x'))
    advance(2_000)
    expect(await get(google)).toEqual({ credential: 'token-x' })
  })

  test('that refuses the login is not asked again for a minute', async () => {
    server.reply = error('invalid_grant')
    const { get, advance } = open()
    await get(google)
    advance(59_000)
    await get(google)
    expect(server.asked).toHaveLength(1)
    advance(2_000)
    await get(google)
    expect(server.asked).toHaveLength(2)
  })

  const words: [Exclude<SmtpSettings['auth'], 'password'>, string, string, string][] = [
    ['google', 'invalid_grant', '', 'consent screen'],
    ['google', 'invalid_client', '', 'check client id and client secret'],
    ['google_service_account', 'unauthorized_client', '', 'domain-wide delegation'],
    ['google_service_account', 'invalid_grant', '', 'the mailbox exists'],
    ['microsoft', 'invalid_grant', 'AADSTS700082: expired', 'AADSTS700082'],
    ['microsoft_app', 'invalid_client', 'AADSTS7000222: x', 'secret has expired'],
    ['microsoft_app', 'invalid_request', 'AADSTS90002: Tenant', 'no such tenant'],
    ['microsoft_app', 'unauthorized_client', 'AADSTS700016: x', 'check client id and tenant'],
  ]
  test.each(words)('tells the admin what to do: %s %s %s', async (auth, code, text, expected) => {
    server.reply = error(code, text)
    const found = await open().get(tokenApp(auth))

    expect(found).toMatchObject({ outcome: { detail: expect.stringContaining(expected) } })
  })
})

describe('a new refresh token', () => {
  const renewed = () => Response.json(grant('token', { refresh_token: '0.new' }))

  test('takes the place of the one used, sealed at the same place', async () => {
    server.reply = renewed
    const stored: SecretRenewal[] = []
    const app = tokenApp('microsoft')
    const { get, advance } = open(async (renewal) => stored.push(renewal) > 0)
    await get(app)

    const [{ from, to, ...place } = { from: null, to: new Uint8Array() }] = stored
    expect(place).toEqual({ appId: app.id, endpointId: only(app).id })
    expect(from).toEqual(only(app).secretSealed)
    const opened = keyring.open(app.id, app.dataKey, secretPlace(only(app)), to)
    expect(JSON.parse(opened)).toMatchObject({ refreshToken: '0.new', clientSecret: null })

    // The token serves messages with either secret, and the next request has the new one.
    const endpoint = { ...only(app), secretSealed: to }
    const next = { ...app, version: 2, endpoints: [endpoint] }
    for (const one of [app, next, app, next]) await get(one)
    expect(server.asked).toHaveLength(1)
    advance(3_700_000)
    await get(next)
    expect(server.asked.at(-1)?.form['refresh_token']).toBe('0.new')
    expect(stored).toHaveLength(1)
  })

  test('that one node stores is used by the others with their next request, and no sooner', async () => {
    server.reply = (number) =>
      Response.json(grant(`token-${number}`, { refresh_token: `0.${number}` }))
    let stored = tokenApp('microsoft')
    const renewSecret = async ({ from, to }: SecretRenewal) => {
      const endpoint = only(stored)
      if (endpoint.secretSealed !== from) return false
      const endpoints = [{ ...endpoint, secretSealed: to }]
      stored = { ...stored, version: stored.version + 1, endpoints }
      return true
    }
    const nodes = [open(renewSecret), open(renewSecret)]
    const each = async () => {
      const found = []
      for (const { get } of nodes) found.push(await get(stored))
      return found
    }

    const first = await each()
    for (const _ of Array.from({ length: 5 })) expect(await each()).toEqual(first)
    expect(server.asked).toHaveLength(2)
    for (const { advance } of nodes) advance(3_700_000)
    await each()

    const used = server.asked.map(({ form }) => form['refresh_token'])
    expect(used).toEqual(['0.old', '0.1', '0.2', '0.3'])
  })

  test('that cannot be stored is forgotten, and the token is used', async () => {
    server.reply = renewed
    for (const renewSecret of [async () => false, () => Promise.reject(new Error('full'))]) {
      const { get } = open(renewSecret)
      const app = tokenApp('microsoft')
      expect(await get(app)).toEqual({ credential: 'token' })
      expect(await get(app)).toEqual({ credential: 'token' })
    }
    expect(server.asked).toHaveLength(2)
  })
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(2)
}

import { expect, setDefaultTimeout, test } from 'bun:test'
import { board, password } from './fixture.ts'

setDefaultTimeout(60_000)

const url = 'https://otp-admin.example.com'

test.each([
  'evil.example.com',
  'evil.example.com:5001',
  '192.0.2.1:5001',
  'localhost.evil.example.com',
  '127.0.0.1.evil.example.com',
  'localhost:5001, evil.example.com',
])('a request for another host is refused: %p', async (host) => {
  const at = await board({ url })
  const { status, json } = await at.browser().call('GET', '/session', { headers: { host } })

  expect([status, json.code]).toEqual([421, 'misdirected_request'])
})

test.each(['localhost:5001', '127.0.0.1:5001', '[::1]:5001', 'otp.localhost:1', '127.8.9.1'])(
  'this machine’s own names are answered while the listener is on loopback: %s',
  async (host) => {
    const headers = { host }
    const [local, open] = await Promise.all([board(), board({ isLocal: false })])

    expect((await local.browser().call('GET', '/session', { headers })).status).toBe(401)
    expect((await open.browser().call('GET', '/session', { headers })).status).toBe(421)
  },
)

test('a proxy that does not pass the host on is refused, since all pages would look like ours', async () => {
  const at = await board()
  for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'via']) {
    const { status } = await at.browser().call('GET', '/session', { headers: { [name]: 'x' } })
    expect([name, status]).toEqual([name, 421])
  }
})

test('at another host a browser gets a page that says what to do, and no form', async () => {
  const at = await board({ isLocal: false })
  const headers = { host: 'otp.example.com:5001', accept: 'text/html,*/*' }

  const page = await at.browser().call('GET', '/', { headers })
  const api = await at.browser().call('GET', '/session', { headers: { host: headers.host } })

  expect(page.status).toBe(421)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.text).toContain('listen on 127.0.0.1:5001 and use ssh -L')
  expect(page.text).toContain('OTPMINT_DASHBOARD_URL')
  expect(page.text).not.toMatch(/<form|<input|<script|otp\.example\.com/)
  expect(api.json.code).toBe('misdirected_request')
})

const foreign: [why: string, headers: Record<string, string>][] = [
  ['neither header', { 'sec-fetch-site': '' }],
  ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.com' }],
  ['another port of this machine', { 'sec-fetch-site': 'same-site' }],
  ['a typed address', { 'sec-fetch-site': 'none' }],
  ['another origin', { 'sec-fetch-site': '', origin: 'http://127.0.0.1:3000' }],
  ['no origin', { 'sec-fetch-site': '', origin: 'null' }],
  ['two that disagree', { origin: 'https://evil.example.com' }],
  [
    'a foreign page that names our origin',
    { 'sec-fetch-site': 'cross-site', origin: 'http://127.0.0.1:5001' },
  ],
]

test.each(foreign)('a change with %s is refused and changes nothing', async (_, headers) => {
  const at = await board()
  const ada = await at.signedIn()
  const before = await at.apps.get(at.app.id)
  const calls: [string, string][] = [
    ['POST', '/session'],
    ['DELETE', '/session'],
    ['POST', '/v1/apps'],
    ['PATCH', `/v1/apps/${at.app.id}`],
    ['DELETE', `/v1/apps/${at.app.id}`],
  ]

  for (const [method, path] of calls) {
    const answer = await ada.call(method, path, { body: { name: 'Evil' }, headers })
    expect([method, path, answer.json?.code]).toEqual([method, path, 'foreign_origin'])
  }
  expect((await ada.call('GET', '/session')).status).toBe(200)
  expect(await at.apps.get(at.app.id)).toEqual(before)
})

test('a browser that sends no Sec-Fetch-Site is known by its Origin', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const headers = { 'sec-fetch-site': '', origin: 'http://127.0.0.1:5001' }

  expect((await ada.call('DELETE', '/session', { headers })).status).toBe(204)
})

test.each([
  ['text/plain', '{"name":"admin","password":"x"}'],
  ['application/x-www-form-urlencoded', 'name=admin&password=x'],
  ['multipart/form-data; boundary=x', '--x--'],
])('a form of a foreign page cannot be a body: %s', async (type, raw) => {
  const at = await board()
  const headers = { 'content-type': type }

  expect((await at.browser().call('POST', '/session', { raw, headers })).status).toBe(415)
})

test('behind TLS the cookie is bound to its host and to TLS', async () => {
  const at = await board({ url })
  const headers = { host: 'otp-admin.example.com', 'x-forwarded-for': '192.0.2.7' }
  const ada = at.browser()
  const body = { token: await at.link(), name: 'Ada', password }

  const secure = await ada.call('POST', '/session/accept', { body, headers })
  const local = await at.signedIn('admin', 'Grace')

  const attributes = 'Path=/; Max-Age=43200; HttpOnly; SameSite=Strict'
  const [set = ''] = secure.headers.getSetCookie()
  expect(set).toMatch(/^__Host-otpmint=[\w-]{43}; /)
  expect(set).toEndWith(`${attributes}; Secure`)
  expect(secure.headers.get('strict-transport-security')).toBe('max-age=31536000')
  expect((await ada.call('GET', '/session', { headers })).json.account.name).toBe('Ada')
  expect([...local.cookies.keys()]).toEqual(['otpmint'])
  // Neither cookie is taken at the other place.
  expect((await ada.call('GET', '/session')).status).toBe(401)
  expect((await local.call('GET', '/session', { headers })).status).toBe(401)
})

test('the cookie of another server is just unknown, and so is any other text', async () => {
  const [at, other] = await Promise.all([board(), board()])
  const ada = await other.signedIn()
  const stranger = at.browser()
  const [token = ''] = ada.cookies.values()
  for (const text of [token, '', 'x', 'x'.repeat(43), `${token}x`, 'x'.repeat(4000)]) {
    stranger.cookies.set('otpmint', text)
    const { status, json } = await stranger.call('GET', '/v1/apps')
    expect([status, json.code]).toEqual([401, 'unauthorized'])
  }
})

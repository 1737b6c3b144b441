import { expect, setDefaultTimeout, test } from 'bun:test'
import { v1Routes } from '../../../src/http/v1/routes.ts'
import { operations } from '../fixture.ts'
import { type Board, type Browser, board } from './fixture.ts'

setDefaultTimeout(120_000)

const routes = v1Routes.filter(({ caller }) => caller === 'admin')
const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`
const examples = new Map(operations)

/** A call of a route with parameters that are well-formed and its example as body. */
function ask(browser: Browser, { method, path }: (typeof routes)[number]) {
  const place = path.replace(/:([a-z_]+)/g, (_, name: string) => {
    const isTimed = ['suppression_id', 'recipient_id', 'verification_id'].includes(name)
    return name === 'locale' ? 'en' : 'x'.repeat(isTimed ? 30 : 22)
  })
  const described = examples.get(`${method} ${path.replace(/:([a-z_]+)/g, '{$1}')}`)
  const [[type = '', media] = []] = Object.entries(described?.requestBody?.content ?? {})
  const given =
    media === undefined
      ? {}
      : type === 'application/json'
        ? { body: media.example }
        : { raw: String(media.example), headers: { 'content-type': type } }
  return browser.call(method, place, given)
}

async function refusals(browser: Browser) {
  const codes = new Map<string, string | null>()
  for (const route of routes) {
    if (route.path.endsWith('/live')) continue
    const { json } = await ask(browser, route)
    codes.set(nameOf(route), json?.code ?? null)
  }
  return codes
}

const refused = new Set(['unauthorized', 'forbidden', 'confirmation_required'])

test('what a viewer may call is every route that reads, and no other', async () => {
  const at = await board()
  const codes = await refusals(await at.signedIn('viewer'))

  const reading = routes.filter(({ method, operation }) => method === 'GET' || operation.reads)
  expect(reading.length).toBeGreaterThan(20)
  expect(routes.length - reading.length).toBeGreaterThan(20)
  for (const [name, code] of codes) {
    const isReading = reading.some((route) => nameOf(route) === name)
    if (isReading) expect([name, refused.has(code ?? '')]).toEqual([name, false])
    else expect([name, code]).toEqual([name, 'forbidden'])
  }
})

/** Calls that are no GET and change nothing. */
const reads = [
  'POST /v1/apps/:id/templates/:locale/preview',
  'POST /v1/apps/:id/verifications/search',
]

test('the routes that a viewer may call besides GET are these', () => {
  const found = routes.filter(({ method, operation }) => method !== 'GET' && operation.reads)
  expect(found.map(nameOf)).toEqual(expect.arrayContaining(reads))
  for (const { operation } of found) {
    expect(operation.sensitive).toBeUndefined()
    expect(operation.id).toMatch(/^(search|preview|judge|explain|examine|test|try)/)
  }
})

/** Routes that make, change or remove secrets, apps or accounts. */
const sensitive = [
  'POST /v1/apps',
  'DELETE /v1/apps/:id',
  'POST /v1/apps/:id/keys',
  'DELETE /v1/apps/:id/keys/:key_id',
  'POST /v1/apps/:id/endpoints',
  'PATCH /v1/apps/:id/endpoints/:endpoint_id',
  'POST /v1/apps/:id/endpoints/:endpoint_id/rotate',
  'DELETE /v1/apps/:id/endpoints/:endpoint_id',
  'POST /v1/apps/:id/dkim',
  'DELETE /v1/apps/:id/dkim/:dkim_id',
  'POST /v1/apps/:id/webhooks',
  'PATCH /v1/apps/:id/webhooks/:webhook_id',
  'POST /v1/apps/:id/webhooks/:webhook_id/rotate',
  'DELETE /v1/apps/:id/webhooks/:webhook_id',
  'POST /v1/accounts',
  'PATCH /v1/accounts/:id',
  'DELETE /v1/accounts/:id',
  'POST /v1/accounts/:id/link',
]

test('an admin may call every route, those with secrets after the password was given', async () => {
  const at = await board()
  const ada = await at.signedIn()
  await at.signedIn('admin', 'spare')
  const fresh = await refusals(ada)
  at.clock.advance(600_000)
  const later = await refusals(ada)

  for (const [name, code] of fresh) {
    expect([name, refused.has(code ?? '')]).toEqual([name, false])
  }
  const asked = [...later].filter(([, code]) => code === 'confirmation_required')
  const marked = routes.filter(({ operation }) => operation.sensitive).map(nameOf)
  expect(asked.map(([name]) => name)).toEqual(marked)
  expect(marked).toEqual(expect.arrayContaining(sensitive))
})

test('without a session every route answers 401 first, whatever was sent', async () => {
  const at = await board()
  const own = at.dashboard.routes.filter(({ path }) => path.startsWith('/session'))
  const open = ['POST /session', 'POST /session/link', 'POST /session/accept']
  const all = [...routes.map(nameOf), ...own.map(({ method, path }) => `${method} ${path}`)]
  expect(own).toHaveLength(11)

  for (const name of all) {
    if (open.includes(name)) continue
    const [method = '', path = ''] = name.split(' ')
    const raw = method === 'GET' || method === 'DELETE' ? undefined : '{"not json'
    const answer = await at.browser().call(method, path.replace(/:[a-z_]+/g, 'x'), {
      ...(raw && { raw, headers: { 'content-type': 'text/plain' } }),
    })
    expect([name, answer.status, answer.json?.code]).toEqual([name, 401, 'unauthorized'])
  }
})

test('the listener serves the routes of the admin, sessions and its files, and nothing else', async () => {
  const at = await board()
  const isOfAdmin = ({ path }: { path: string }) => routes.some((route) => route.path === path)
  const others = at.dashboard.routes.filter((route) => !isOfAdmin(route)).map(nameOf)

  expect(others.filter((name) => !name.includes(' /session')).sort()).toEqual([
    'GET /',
    'GET /ui/:file',
  ])
  const onMain = at.server.routes.map(({ path }) => path)
  expect(onMain.filter((path) => /^\/(session|ui)\b/.test(path))).toEqual([])
})

test('the last admin can be neither removed nor made a viewer', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const id = await idOf(at, 'admin')

  const demoted = await ada.call('PATCH', `/v1/accounts/${id}`, { body: { role: 'viewer' } })
  const removed = await ada.call('DELETE', `/v1/accounts/${id}`)
  const other = await at.signedIn('admin', 'spare')
  const both = await Promise.all([
    ada.call('PATCH', `/v1/accounts/${id}`, { body: { role: 'viewer' } }),
    other.call('DELETE', `/v1/accounts/${await idOf(at, 'spare')}`),
  ])

  expect([demoted, removed].map(({ json }) => json.code)).toEqual(['last_admin', 'last_admin'])
  expect(both.map(({ status }) => status >= 400).filter(Boolean)).toHaveLength(1)
  const admins = (await at.accounts.list()).filter(({ role }) => role === 'admin')
  expect(admins).toHaveLength(1)
})

test('a change of the role holds at once, for a session that is open', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const grace = await at.signedIn('admin', 'Grace')
  const body = { name: 'Renamed' }
  const rename = () => grace.call('PATCH', `/v1/apps/${at.app.id}`, { body })
  expect((await rename()).status).toBe(200)

  await ada.call('PATCH', `/v1/accounts/${await idOf(at, 'Grace')}`, { body: { role: 'viewer' } })

  expect((await rename()).json.code).toBe('forbidden')
  expect((await grace.call('GET', '/session')).json.account.role).toBe('viewer')
})

test('names are one person’s, whatever their case, and refused by their field', async () => {
  const at = await board()
  const ada = await at.signedIn()
  const invite = (name: unknown, role: unknown = 'viewer') =>
    ada.call('POST', '/v1/accounts', { body: { name, role } })

  expect((await invite('Grace Hopper')).status).toBe(201)
  expect((await invite('grace  hopper')).json.code).toBe('account_name_taken')
  for (const wrong of ['', '  ', 'a\nb', 'x'.repeat(65), 7, null]) {
    expect((await invite(wrong)).json).toMatchObject({ errors: [{ field: 'name' }] })
  }
  expect((await invite('Ada', 'owner')).json).toMatchObject({ errors: [{ field: 'role' }] })
})

test('a server has at most a hundred accounts', async () => {
  const at = await board()
  const ada = await at.signedIn()
  for (let count = 1; count < 100; count++) {
    await ada.call('POST', '/v1/accounts', { body: { name: `P${count}`, role: 'viewer' } })
  }

  const more = await ada.call('POST', '/v1/accounts', { body: { name: 'More', role: 'viewer' } })

  expect(more.json.code).toBe('too_many_accounts')
  expect((await ada.call('GET', '/v1/accounts')).json.items).toHaveLength(100)
})

async function idOf(at: Board, wanted: string): Promise<string> {
  const found = (await at.accounts.list()).find(({ name }) => name === wanted)
  return found?.id ?? ''
}

import { expect, test } from 'bun:test'
import { adminToken, type CallOptions, type Site, site } from './fixture.ts'

const email = {
  host: 'smtp.example.com',
  port: 587,
  from: 'codes@example.com',
  password: 'hunter2',
}

const admin = (at: Site, method: string, path: string, options: CallOptions = {}) =>
  at.call(method, path, { token: adminToken, ...options })

async function created(at: Site, body: object = { name: 'Acme', email }) {
  const answer = await admin(at, 'POST', '/v1/apps', { body })
  expect(answer.status).toBe(201)
  return answer.json
}

test('a new app has two keys that work, and never shows its password', async () => {
  const at = await site()

  const app = await created(at)
  const read = await admin(at, 'GET', `/v1/apps/${app.id}`)
  const start = await at.call('POST', '/v1/verifications', {
    body: { to: 'ada@example.com' },
    token: app.live_key,
  })

  const [endpoint] = app.endpoints
  expect(app.registered_by).toBe('admin')
  expect(endpoint).toMatchObject({ channel: 'email', rank: 1 })
  expect(endpoint.email).toMatchObject({ security: 'starttls', user: 'codes@example.com' })
  expect(endpoint.email.has_secret).toBe(true)
  expect(JSON.stringify([app, read.json])).not.toContain('hunter2')
  expect(read.text).not.toContain(app.live_key)
  expect(read.json.keys).toHaveLength(2)
  expect(start.status).toBe(201)
})

test('every mistake of an app is named at once, by its path in the body', async () => {
  const at = await site()

  const answer = await admin(at, 'POST', '/v1/apps', {
    body: {
      name: 'a\nb',
      policy: { code_length: 3, attempts_max: 6, origin: 'http://app.example.com', color: 'red' },
      email: { host: '2130706433', port: '587', from: 'no address', secure: true, password: null },
      extra: 1,
    },
  })

  expect(answer.status).toBe(422)
  const fields = answer.json.errors.map(({ field }: { field: string }) => field)
  expect(fields.sort()).toEqual([
    'email.from',
    'email.host',
    'email.password',
    'email.port',
    'email.secure',
    'extra',
    'name',
    'policy.attempts_max',
    'policy.code_length',
    'policy.color',
    'policy.origin',
  ])
})

test('a change leaves absent fields as they are, and null unsets a field of the policy', async () => {
  const at = await site()
  const { id } = await created(at, { name: 'Acme', policy: { code_length: 8 } })
  const patch = (body: unknown) => admin(at, 'PATCH', `/v1/apps/${id}`, { body })

  const longer = await patch({ policy: { ttl_seconds: 60 } })
  const shorter = await patch({ policy: { code_length: null } })
  const email = await patch({ email: null })
  const odd = await patch({ policy: null })

  expect(longer.json.policy).toEqual({ code_length: 8, ttl_seconds: 60 })
  expect([shorter.json.name, shorter.json.policy]).toEqual(['Acme', { ttl_seconds: 60 }])
  expect(email.json.errors).toEqual([{ field: 'email', reason: 'is not a known field' }])
  expect(odd.json.errors[0].field).toBe('policy')
})

test('two keys of a mode are active at most, and a revoked one is unknown at once', async () => {
  const at = await site()
  const { id, live_key } = await created(at)
  const add = (mode = 'live') => admin(at, 'POST', `/v1/apps/${id}/keys`, { body: { mode } })

  const second = await add()
  const third = await add()
  const { json } = await admin(at, 'GET', `/v1/apps/${id}`)
  const first = json.keys.find((key: { mode: string }) => key.mode === 'live')
  const revoked = await admin(at, 'DELETE', `/v1/apps/${id}/keys/${first.id}`)
  const again = await admin(at, 'DELETE', `/v1/apps/${id}/keys/${first.id}`)

  expect(second.json.key).toMatch(/^otpm_live_/)
  expect(third).toMatchObject({ status: 409, json: { code: 'too_many_keys' } })
  expect(revoked.status).toBe(204)
  expect(again.json.code).toBe('key_not_found')
  const tokens = [live_key, second.json.key]
  const statuses = tokens.map(
    async (token) => (await at.call('GET', '/v1/verifications', { token })).status,
  )
  expect((await Promise.all(statuses)).sort()).toEqual([200, 401])
  expect((await add()).status).toBe(201)
})

test('a deleted app is gone with its keys', async () => {
  const at = await site()
  const { id, live_key: token } = await created(at)

  expect((await admin(at, 'DELETE', `/v1/apps/${id}`)).status).toBe(204)

  expect((await admin(at, 'DELETE', `/v1/apps/${id}`)).json.code).toBe('app_not_found')
  expect((await admin(at, 'GET', `/v1/apps/${id}`)).status).toBe(404)
  expect((await at.call('GET', '/v1/verifications', { token })).status).toBe(401)
})

test('every change is in the audit log with its actor and request', async () => {
  const at = await site()
  const { id } = await created(at)
  await admin(at, 'PATCH', `/v1/apps/${id}`, { body: { name: 'Acme 2' } })
  const key = await admin(at, 'POST', `/v1/apps/${id}/keys`, { body: { mode: 'test' } })
  await admin(at, 'DELETE', `/v1/apps/${id}/keys/${key.json.id}`)
  const last = await admin(at, 'DELETE', `/v1/apps/${id}`)

  const { json } = await admin(at, 'GET', '/v1/audit?limit=5')
  const actions = json.items.map(({ action }: { action: string }) => action)
  expect(actions).toEqual(['app.delete', 'key.revoke', 'key.create', 'app.update', 'app.create'])
  expect(json.items[0]).toMatchObject({
    who: 'admin',
    object: id,
    request_id: last.headers.get('x-request-id'),
  })
  expect(JSON.stringify(json)).not.toContain('hunter2')
})

test('stats and events are listed, and invalid ranges are refused', async () => {
  const at = await site()
  const { json } = await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' } })
  await at.call('POST', `/v1/verifications/${json.id}/cancel`)

  const stats = await admin(at, 'GET', '/v1/stats?bucket=day&to=2026-06-16T00:00:00Z')
  const events = await admin(at, 'GET', `/v1/events?app=${at.app.id}&type=verification.canceled`)
  const backwards = await admin(at, 'GET', '/v1/stats?from=2027-01-01T00:00:00Z')
  const endless = await admin(at, 'GET', '/v1/stats?bucket=minute&from=2020-01-01T00:00:00Z')
  const odd = await admin(at, 'GET', '/v1/stats?to=yesterday')
  const impossible = await admin(at, 'GET', '/v1/stats?to=2026-02-31T00:00:00Z')

  expect(stats.json.items.at(-1)).toMatchObject({ starts: 1, cancels: 1 })
  expect(events.json.items).toMatchObject([{ verification: json.id }])
  expect(backwards.json.errors[0].field).toBe('from')
  expect(endless.json.errors[0].field).toBe('bucket')
  expect(odd.json.errors[0].field).toBe('to')
  expect(impossible.json.errors[0].field).toBe('to')
})

test('alarms are listed, the newest first, with or without the cleared ones', async () => {
  const at = await site()
  const place = { kind: 'login_refused', appId: at.app.id } as const
  const [endpoint] = at.app.endpoints
  const change = (endpointId: string | null, event: 'alarm.raised' | 'alarm.cleared') => ({
    ...{ ...place, endpointId, now: at.clock.now(), event, data: { kind: place.kind } },
  })
  await at.ports.alarms.raise(change(null, 'alarm.raised'))
  at.clock.advance(1000)
  await at.ports.alarms.raise(change(endpoint?.id ?? '', 'alarm.raised'))
  await at.ports.alarms.clear(change(null, 'alarm.cleared'))

  const all = await admin(at, 'GET', '/v1/alarms')
  const open = await admin(at, 'GET', `/v1/alarms?open=true&app=${at.app.id}`)
  const others = await admin(at, 'GET', `/v1/alarms?app=${'x'.repeat(22)}`)
  const odd = await admin(at, 'GET', '/v1/alarms?open=yes')

  expect(all.json.items).toMatchObject([{ endpoint: endpoint?.id }, { endpoint: null }])
  expect(open.json.items).toMatchObject([{ kind: 'login_refused', until: null }])
  expect(others.json.items).toEqual([])
  expect(odd.json.errors[0].field).toBe('open')
})

test('an invalid cursor and one of another list are refused, in every list', async () => {
  const at = await site()
  const lists = {
    '/v1/apps': ['x', 'x'.repeat(30), '1'],
    '/v1/events': ['x', 'x'.repeat(30), '0', '-1', '1e3', '9'.repeat(16)],
    '/v1/alarms': ['x', 'x'.repeat(22), '01'],
    '/v1/audit': ['x', '1.5', ''],
  }
  for (const [path, cursors] of Object.entries(lists)) {
    for (const cursor of cursors) {
      const answer = await admin(at, 'GET', `${path}?cursor=${cursor}`)
      expect([path, cursor, answer.status]).toEqual([path, cursor, 422])
      expect(answer.json.errors).toEqual([{ field: 'cursor', reason: expect.any(String) }])
    }
  }
})

test('apps are listed page by page', async () => {
  const at = await site()
  await created(at, { name: 'Second' })

  const first = await admin(at, 'GET', '/v1/apps?limit=1')
  const next = await admin(at, 'GET', `/v1/apps?limit=1&cursor=${first.json.next_cursor}`)

  const names = [...first.json.items, ...next.json.items].map(({ name }) => name)
  expect(names.sort()).toEqual(['Acme', 'Second'])
  expect(next.json.next_cursor).toBeNull()
})

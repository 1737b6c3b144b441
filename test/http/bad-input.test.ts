import { expect, test } from 'bun:test'
import { problemTitles } from '../../src/domain/problem.ts'
import { problemStatuses } from '../../src/http/core/problems.ts'
import { adminToken, site } from './fixture.ts'

const canary = 'hunter2-CANARY-7f3a'

test('only application/json is accepted as a body', async () => {
  const at = await site()
  const raw = JSON.stringify({ to: 'ada@example.com' })
  for (const type of [
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'application/jsonx',
    'application/json; charset=latin1',
    'application/problem+json',
    '',
  ]) {
    const headers = { 'content-type': type }
    const answer = await at.call('POST', '/v1/verifications', { raw, headers })
    expect([type, answer.status]).toEqual([type, 415])
  }
  const headers = { 'content-type': 'Application/JSON; charset=UTF-8' }
  expect((await at.call('POST', '/v1/verifications', { raw, headers })).status).toBe(201)
})

test('a body of 16 KiB is read and a longer one refused, with and without Content-Length', async () => {
  const at = await site()
  const fits = (size: number) => `{"code":"${'x'.repeat(size - 11)}"}`

  const statuses = []
  for (const raw of [fits(16 * 1024), fits(16 * 1024 + 1)]) {
    for (const headers of [{}, { 'content-length': String(raw.length) }]) {
      const path = '/v1/verifications/x/check'
      statuses.push((await at.call('POST', path, { raw, headers })).status)
    }
  }

  expect(statuses).toEqual([422, 422, 413, 413])
})

test('JSON that is broken or nested deeper than eight levels is refused', async () => {
  const at = await site()
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  for (const raw of [
    '{',
    '',
    ' ',
    '{"to":}',
    'undefined',
    nested(9),
    `{"to":${'['.repeat(8000)}`,
  ]) {
    const answer = await at.call('POST', '/v1/verifications', { raw })
    const status = raw === '' ? 422 : 400
    expect([raw.slice(0, 20), answer.status]).toEqual([raw.slice(0, 20), status])
  }
  expect((await at.call('POST', '/v1/verifications', { raw: nested(8) })).status).toBe(422)
  const quoted = JSON.stringify({ to: '"[[[[[[[[[{{{{{' })
  expect((await at.call('POST', '/v1/verifications', { raw: quoted })).status).toBe(422)
})

test('unknown fields are refused by name, at every level, and all mistakes at once', async () => {
  const at = await site()

  const answer = await at.call('POST', '/v1/verifications', {
    body: { To: 'ada@example.com', code_length: '6', ttl_seconds: 5, metadata: { a: 1 }, x: 1 },
  })

  expect(answer.status).toBe(422)
  const fields = answer.json.errors.map(({ field }: { field: string }) => field)
  expect(fields.sort()).toEqual(['To', 'code_length', 'metadata.a', 'to', 'ttl_seconds', 'x'])
})

test('wrong JSON types are refused, never converted', async () => {
  const at = await site()
  for (const to of [['ada@example.com'], { $ne: 1 }, true, 1, null]) {
    const answer = await at.call('POST', '/v1/verifications', { body: { to } })
    expect(answer.status).toBe(422)
    expect(answer.json.errors).toEqual([{ field: 'to', reason: expect.any(String) }])
  }
  const proto = '{"to":"ada@example.com","__proto__":{"code_length":4}}'
  expect((await at.call('POST', '/v1/verifications', { raw: proto })).status).not.toBe(500)
  expect(at.sent).toHaveLength(0)
})

test('metadata is bounded, and variables must be empty', async () => {
  const at = await site()
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v']))
  for (const [body, field] of [
    [{ metadata: many }, 'metadata'],
    [{ metadata: { ['k'.repeat(41)]: 'v' } }, 'metadata'],
    [{ metadata: { k: 'v'.repeat(257) } }, 'metadata.k'],
    [{ variables: { name: 'Ada' } }, 'variables'],
    [{ client_ip: 'here' }, 'client_ip'],
    [{ purpose: 'Sign In' }, 'purpose'],
    [{ locale: 'de_AT' }, 'locale'],
    [{ locale: 'de-DE-DE' }, 'locale'],
    [{ locale: 'i-klingon' }, 'locale'],
  ] as const) {
    const answer = await at.call('POST', '/v1/verifications', {
      body: { to: 'ada@example.com', ...body },
    })
    expect([field, answer.status]).toEqual([field, 422])
    expect(answer.json.errors[0].field).toStartWith(field)
  }
  expect(at.sent).toHaveLength(0)
})

test('addresses that could mean two mailboxes or none are refused', async () => {
  const at = await site()
  for (const to of [
    'u@b.test, evil@x.test',
    'u@b.test\r\nBcc: evil@x.test',
    'x <u@b.test>',
    'grp:u@b.test;',
    'u@[127.0.0.1]',
    'u@b.test\0',
    `${'a'.repeat(65)}@b.test`,
  ]) {
    const answer = await at.call('POST', '/v1/verifications', { body: { to } })
    expect(answer.status).toBe(422)
    expect(answer.text).not.toContain('evil')
  }
  expect(at.sent).toHaveLength(0)
})

test('no refusal repeats what was submitted', async () => {
  const at = await site()
  const bodies: [string, string, unknown, string | null][] = [
    [
      'POST',
      '/reg_secretkey',
      { secretKey: canary, smtp_password: canary, smtp_host: canary },
      null,
    ],
    ['POST', '/otp', { secretKey: canary, mail: canary }, null],
    ['POST', '/verify-otp', { shareableKey: canary, otp: canary }, null],
    ['POST', '/v1/verifications', { to: canary, purpose: canary, metadata: canary }, at.liveKey],
    ['POST', `/v1/verifications/${canary}/check`, { code: canary }, at.liveKey],
    ['POST', '/v1/apps', { name: `${canary}\n`, email: { password: 7, host: canary } }, adminToken],
    ['POST', '/v1/apps', { name: 'A', email: { password: canary, port: canary } }, adminToken],
    ['POST', '/v1/apps/x/keys', { mode: canary }, adminToken],
    ['GET', `/v1/verifications?status=${canary}&to=${canary}`, undefined, at.liveKey],
    ['GET', `/v1/verifications?cursor=${canary}`, undefined, at.liveKey],
    ['POST', '/v1/verifications/search', { to: canary, cursor: canary }, at.liveKey],
    ['PATCH', `/v1/apps/${canary}/endpoints/${canary}`, { email: { host: canary } }, adminToken],
    ['GET', '/v1/apps', undefined, canary],
    ['GET', `/${canary}`, undefined, null],
  ]
  for (const [method, path, body, token] of bodies) {
    const answer = await at.call(method, path, { body, token })
    expect([path, answer.status >= 400]).toEqual([path, true])
    expect(answer.text).not.toContain(canary)
    expect(JSON.stringify([...answer.headers])).not.toContain(canary)
  }
  const broken = await at.call('POST', '/v1/verifications', { raw: `{"to":"${canary}"` })
  expect(broken.text).not.toContain(canary)
  expect(at.logged()).not.toContain(canary)
})

test('a fault answers 500 with a request id only, and the log has the place', async () => {
  const at = await site()
  at.ports.verifications.get = () => Promise.reject(new Error(`select * from ${canary}`))

  const answer = await at.call('GET', '/v1/verifications/x')

  expect(answer).toMatchObject({ status: 500, json: { code: 'internal_error' } })
  expect(answer.text).not.toContain('select')
  expect(at.logged()).toContain(answer.json.request_id)
  expect(at.logged()).toContain('bad-input.test.ts')
  expect(at.logged()).not.toContain(canary)
})

test('a store that cannot write answers 503 with Retry-After, and nothing is sent', async () => {
  const at = await site()
  const { Problem } = await import('../../src/domain/problem.ts')
  at.ports.verifications.start = () => Promise.reject(new Problem('store_unavailable'))

  const answer = await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' } })

  expect(answer).toMatchObject({ status: 503, json: { code: 'store_unavailable' } })
  expect(answer.headers.get('retry-after')).toBe('5')
  expect(at.sent).toHaveLength(0)
})

test('a lone surrogate in the metadata is the same in every answer', async () => {
  const at = await site()
  const raw = '{"to":"ada@example.com","metadata":{"a":"x\\ud800"}}'

  const started = await at.call('POST', '/v1/verifications', { raw })
  const read = await at.call('GET', `/v1/verifications/${started.json.id}`)

  expect(started.json.metadata).toEqual({ a: 'x\ufffd' })
  expect(read.json.metadata).toEqual(started.json.metadata)
})

test('a client that hangs up before its body ends is no fault of the server', async () => {
  const at = await site()
  const body = new ReadableStream({
    pull: (controller) => controller.error(new DOMException('gone', 'AbortError')),
  })
  const headers = { authorization: `Bearer ${at.liveKey}`, 'content-type': 'application/json' }
  const url = 'http://otp.example.com/v1/verifications'

  await at.server.handle(new Request(url, { method: 'POST', headers, body }))

  expect(at.logged()).toContain('"level":"debug","event":"client_gone"')
  expect(at.logged()).not.toContain('request_failed')
  expect(at.ports.metrics.render()).toContain('otpmint_http_requests_total{status="5xx"} 0\n')
})

test('404 and 405 are problems too, and 405 says what is allowed', async () => {
  const at = await site()

  const missing = await at.call('GET', '/v2')
  const deep = await at.call('GET', '/v1/verifications/x/check/y')
  const wrong = await at.call('PUT', '/v1/verifications')
  const check = await at.call('GET', '/v1/verifications/x/check')
  const search = await at.call('GET', '/v1/verifications/search')
  const original = await at.call('GET', '/otp')

  expect(missing).toMatchObject({ status: 404, json: { code: 'not_found' } })
  expect(deep.status).toBe(404)
  expect(wrong).toMatchObject({ status: 405, json: { code: 'method_not_allowed' } })
  expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST')
  expect(check.headers.get('allow')).toBe('POST')
  expect([search.status, search.headers.get('allow')]).toEqual([405, 'POST'])
  const removal = await at.call('DELETE', `/v1/apps/${at.app.id}/suppressions/remove`)
  expect([removal.status, removal.headers.get('allow')]).toEqual([405, 'POST'])
  expect(original.text).toBe('Error: This path does not answer that method')
})

test('every response carries the same protective headers and an id of its own', async () => {
  const at = await site({ http: { developerMode: true } })
  const ids = new Set<string | null>()
  const answers = [
    await at.call('GET', '/healthz'),
    await at.call('GET', '/nowhere'),
    await at.call('GET', '/dev/inbox.json'),
    await at.call('GET', '/swagger'),
    await at.call('POST', '/otp', { raw: '{' }),
    await at.call('GET', '/v1/verifications', { token: null }),
    await at.call('GET', '/v1/verifications'),
    await at.call('GET', '/'),
  ]
  for (const { headers } of answers) {
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('permissions-policy')).toContain('camera=()')
    expect(headers.get('server')).toBeNull()
    expect(headers.get('x-powered-by')).toBeNull()
    ids.add(headers.get('x-request-id'))
  }
  expect(ids.size).toBe(answers.length)
})

test('every problem has a status of the 400s or 500s', () => {
  expect(Object.keys(problemStatuses).sort()).toEqual(Object.keys(problemTitles).sort())
  for (const status of Object.values(problemStatuses)) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
  }
})

import { expect, setDefaultTimeout, test } from 'bun:test'
import { createInboxChannel, inboxMax } from '../../src/channels/inbox.ts'
import { createMetricsServer } from '../../src/http/metrics-server.ts'
import { createMetrics } from '../../src/metrics.ts'
import { codeOf, strangeKey } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

// The first request for a part of the dashboard bundles it.
setDefaultTimeout(30_000)

test('/readyz is 200 while the database takes writes and the server is not stopping', async () => {
  let stopping = false
  let writes = true
  const at = await site({ ports: { ready: async () => writes, stopping: () => stopping } })

  expect((await at.call('GET', '/readyz')).json).toEqual({ status: 'ready' })
  writes = false
  expect(await at.call('GET', '/readyz')).toMatchObject({ status: 503 })
  stopping = true
  expect((await at.call('GET', '/readyz')).json.code).toBe('shutting_down')
  expect((await at.call('GET', '/healthz')).status).toBe(200)
})

/** A site in developer mode whose sender delivers to the inbox. */
async function developing() {
  const at = await site({ http: { developerMode: true } })
  const channel = createInboxChannel(at)
  const start = async (to: string) => {
    const body = { to }
    const { json } = await at.call('POST', '/v1/verifications', { body, token: at.testKey })
    const handover = at.sent.at(-1)?.handover
    if (handover) await channel.deliver(handover, new AbortController().signal)
    at.clock.advance(1)
    return { id: String(json.id), code: codeOf(at.sent.at(-1)) }
  }
  return { at, start }
}

test('the inbox exists in developer mode only, and shows each code with its status', async () => {
  const closed = await site()
  const message = `/dev/inbox/messages/${'x'.repeat(30)}`
  const pages = ['/dev/inbox', '/ui/preview.html', '/ui/icon.svg']
  const paths = [...pages, '/dev/inbox.json', '/dev/inbox/messages', message]
  for (const path of paths) expect((await closed.call('GET', path)).status).toBe(404)
  expect((await closed.call('DELETE', '/dev/inbox/messages')).status).toBe(404)

  const { at, start } = await developing()
  const used = await start('used@example.com')
  await start('old@example.com')
  const path = `/v1/verifications/${used.id}/check`
  await at.call('POST', path, { body: { code: used.code }, token: at.testKey })
  at.clock.advance(600_000)
  const live = await start('live@example.com')
  const { json } = await at.call('GET', '/dev/inbox.json')

  const shown = json.items.map(({ to, state }: { to: string; state: string }) => [to, state])
  expect(shown).toEqual([
    ['live@example.com', 'live'],
    ['old@example.com', 'expired'],
    ['used@example.com', 'used'],
  ])
  expect(json.items[0].code).toBe(live.code)
})

test('the frame for a message has an origin of its own, and can load and send nothing', async () => {
  const { at } = await developing()

  const { headers, text } = await at.call('GET', '/ui/preview.html')

  expect(headers.get('content-security-policy')?.split('; ')).toEqual([
    'sandbox allow-scripts',
    "default-src 'none'",
    expect.stringMatching(/^script-src 'sha256-[\w+/]{43}='$/),
    "style-src 'unsafe-inline'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ])
  expect(text).not.toMatch(/fetch|XMLHttpRequest|https?:/)
})

test('in developer mode messages are searched, read with their source, and cleared without a credential', async () => {
  const { at, start } = await developing()
  const { code } = await start('ada@example.com')
  await start('bob@example.com')

  const found = await at.call('GET', `/dev/inbox/messages?search=${code}`, { token: null })
  expect(found.json.items).toMatchObject([{ to: 'ada@example.com', code, state: 'live' }])
  const [{ id }] = found.json.items
  const message = await at.call('GET', `/dev/inbox/messages/${id}`, { token: null })
  expect(message.json).toMatchObject({ id, html: expect.stringContaining(code) })
  expect(message.json.source).toContain('\r\n\r\n')
  expect(message.json.headers).toContainEqual({ name: 'To', value: 'ada@example.com' })
  const unknown = await at.call('GET', `/dev/inbox/messages/${'x'.repeat(30)}`, { token: null })
  expect(unknown).toMatchObject({ status: 404, json: { code: 'message_not_found' } })
  const wrong = await at.call('GET', '/dev/inbox/messages?limit=101&serch=a', { token: null })
  const fields = wrong.json.errors.map(({ field }: { field: string }) => field)
  expect([wrong.status, fields.sort()]).toEqual([422, ['limit', 'serch']])

  const cleared = await at.call('DELETE', '/dev/inbox/messages', { token: null })
  expect(cleared.status).toBe(204)
  expect((await at.call('GET', '/dev/inbox.json', { token: null })).json.items).toEqual([])
  const { items } = await at.audit.list({ limit: 1, cursor: null })
  expect(items).toMatchObject([{ who: 'open', action: 'inbox.clear', object: 'inbox' }])
})

test('of more messages than are kept the page gets the newest 200, at most 100 at once', async () => {
  const { at, start } = await developing()
  for (let number = 1; number <= inboxMax + 5; number++) {
    await start(`person-${number}@example.com`)
    at.clock.advance(1000)
  }

  const first = await at.call('GET', '/dev/inbox/messages?limit=100')
  const rest = await at.call(
    'GET',
    `/dev/inbox/messages?limit=100&cursor=${first.json.next_cursor}`,
  )

  expect([first.json.items.length, rest.json.items.length]).toEqual([100, 100])
  expect(first.json.items[0].to).toBe('person-205@example.com')
  expect([rest.json.items.at(-1).to, rest.json.next_cursor]).toEqual(['person-6@example.com', null])
})

test('pages load nothing from other hosts', async () => {
  const at = await site({ http: { developerMode: true } })
  for (const page of ['/', '/dev/inbox', '/swagger']) {
    const { text, headers } = await at.call('GET', page)
    expect(headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(text).not.toMatch(/https?:\/\//)
    expect(text).not.toMatch(/<script(?![^>]*src=)|<style| style=| on[a-z]+=/)
    for (const [, path = ''] of text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      const asset = await at.server.handle(new Request(`http://localhost${path}`))
      expect([path, asset.status]).toEqual([path, 200])
    }
  }
})

test('the page at / describes the server, and links to the inbox in developer mode only', async () => {
  const open = await site()
  const developer = await site({ http: { developerMode: true } })

  const page = await open.call('GET', '/', { token: null })

  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.text).toContain('href="/swagger"')
  expect(page.text).not.toMatch(/inbox|\{\{/)
  expect((await developer.call('GET', '/')).text).toContain('href="/dev/inbox"')
})

const asked = (at: Site, host: string) =>
  at.server.handle(new Request('http://localhost/dev/inbox.json', { headers: { host } }))

test('in developer mode only Host headers that name this machine are answered', async () => {
  const at = await site({ http: { developerMode: true } })
  const names = ['localhost', 'localhost:8080', '127.0.0.1:1', '[::1]:8080', 'app.localhost']
  for (const host of names) {
    expect([host, (await asked(at, host)).status]).toEqual([host, 200])
  }
  const foreign = ['evil.example', 'localhost.evil.example', '192.0.2.1', 'a, b', '']
  for (const host of foreign) {
    const answer = await asked(at, host)
    expect([host, answer.status]).toEqual([host, 421])
    expect(await answer.json()).toMatchObject({ code: 'misdirected_request' })
  }
})

test('in production every Host is answered, but not two at once', async () => {
  const at = await site()
  const ask = async (host: string) => {
    const request = new Request('http://localhost/healthz', { headers: { host } })
    return (await at.server.handle(request)).status
  }
  expect([await ask('otp.example.com'), await ask('10.0.0.7:8080')]).toEqual([200, 200])
  expect(await ask('otp.example.com, evil.example')).toBe(421)
})

test('metrics count requests, checks and limits, without addresses or ids', async () => {
  const at = await site()
  const started = await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' } })
  const path = `/v1/verifications/${started.json.id}/check`
  await at.call('POST', path, { body: { code: codeOf(at.sent[0]) } })
  await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' } })

  const text = at.ports.metrics.render()

  expect(text).toContain('otpmint_verifications_started_total{outcome="started"} 1\n')
  expect(text).toContain('otpmint_checks_total{outcome="approved"} 1\n')
  expect(text).toContain('otpmint_limited_total{limit="recipient_spacing"} 1\n')
  expect(text).toContain('otpmint_http_requests_total{status="2xx"} 2\n')
  expect(text).toContain('otpmint_http_request_seconds_bucket{status="4xx",le="+Inf"} 1\n')
  for (const secret of ['ada', 'example.com', started.json.id, at.liveKey, codeOf(at.sent[0])]) {
    expect(text).not.toContain(secret)
  }
})

test('the metrics listener answers GET /metrics and nothing else', async () => {
  const server = createMetricsServer(createMetrics()).listen({ hostname: '127.0.0.1', port: 0 })
  const base = `http://127.0.0.1:${server.port}`
  try {
    const answer = await fetch(`${base}/metrics`)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect((await fetch(base)).status).toBe(404)
    expect((await fetch(`${base}/metrics`, { method: 'POST' })).status).toBe(405)
    const foreign = await fetch(`${base}/metrics`, { headers: { host: 'evil.example' } })
    expect(foreign.status).toBe(421)
  } finally {
    await server.stop(true)
  }
})

test('the request log names the route and never the path, the address or the key', async () => {
  const at = await site()
  await at.call('GET', '/v1/verifications/secret-id?to=ada%40example.com')
  await at.call('GET', '/v1/apps', { token: adminToken })

  const lines = at
    .logged()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ route, status }) => [route, status])).toEqual([
    ['/v1/verifications/:id', 404],
    ['/v1/apps', 200],
  ])
  for (const secret of ['secret-id', 'ada', '192.0.2.1', adminToken, at.liveKey]) {
    expect(at.logged()).not.toContain(secret)
  }
})

test('401, 429 and 503 are logged with their reason and the address, others without', async () => {
  const at = await site({ ports: { ready: async () => false } })
  const from = '2001:db8:1:2:3::4'
  await at.call('GET', '/v1/verifications', { token: strangeKey(), from })
  await at.call('GET', '/v1/verifications', { token: null, from })
  await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' }, from })
  await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' }, from })
  await at.call('GET', '/readyz', { from })
  await at.call('GET', '/nowhere', { from })

  const lines = at
    .logged()
    .split('\n')
    .map((line) => JSON.parse(line))
  const told = lines.filter(({ level }) => level === 'info')
  expect(told.map(({ status, problem }) => [status, problem])).toEqual([
    [401, 'unauthorized'],
    [401, 'unauthorized'],
    [429, 'rate_limited'],
    [503, 'store_unavailable'],
  ])
  expect(new Set(told.map(({ client }) => client))).toEqual(new Set(['2001:db8:1:2::/64']))
})

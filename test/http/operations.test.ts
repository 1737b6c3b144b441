import { expect, test } from 'bun:test'
import { createInbox } from '../../src/channels/inbox.ts'
import { createMetricsServer } from '../../src/http/metrics-server.ts'
import { createMetrics } from '../../src/metrics.ts'
import { codeOf } from '../support/world.ts'
import { adminToken, site } from './fixture.ts'

test('ready means that the database writes and the server is not stopping', async () => {
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

test('the inbox is there in developer mode only, and shows the code', async () => {
  const closed = await site()
  for (const path of ['/dev/inbox', '/dev/inbox.json', '/dev/inbox.js', '/dev/inbox.css']) {
    expect((await closed.call('GET', path)).status).toBe(404)
  }

  const inbox = createInbox({ clock: closed.clock })
  const at = await site({ http: { developerMode: true }, ports: { inbox } })
  const body = { to: 'ada@example.com' }
  await at.call('POST', '/v1/verifications', { body, token: at.testKey })
  const handover = at.sent[0]?.handover
  if (handover) await inbox.deliver(handover, new AbortController().signal)

  const { json } = await at.call('GET', '/dev/inbox.json')
  expect(json.items).toHaveLength(1)
  expect(json.items[0]).toMatchObject({ to: 'ada@example.com', code: codeOf(at.sent[0]) })
})

test('pages load nothing but what lies beside them', async () => {
  const at = await site({ http: { developerMode: true } })
  for (const page of ['/dev/inbox', '/swagger']) {
    const { text, headers } = await at.call('GET', page)
    expect(headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(text).not.toMatch(/https?:\/\//)
    expect(text).not.toMatch(/<script(?![^>]*src=)|<style| style=| on[a-z]+=/)
    for (const [, path = ''] of text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      const asset = await at.server.handle(new Request(`http://otp.example.com${path}`))
      expect([path, asset.status]).toEqual([path, 200])
    }
  }
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

test('a label that is in no list is counted as other', () => {
  const metrics = createMetrics()
  metrics.count('otpmint_deliveries_total', 'ada@example.com')
  metrics.observe('otpmint_delivery_seconds', 'ada@example.com', 0.3)

  expect(metrics.render()).toContain('otpmint_deliveries_total{outcome="other"} 1\n')
  expect(metrics.render()).toContain('otpmint_delivery_seconds_count{outcome="other"} 1\n')
  expect(metrics.render()).not.toContain('ada')
})

test('the buckets of a histogram are cumulative', () => {
  const metrics = createMetrics()
  for (const seconds of [0.0001, 0.003, 0.003, 99]) {
    metrics.observe('otpmint_delivery_seconds', 'sent', seconds)
  }
  const lines = metrics.render().split('\n')
  const bucket = (bound: string) =>
    lines.find((line) => line.includes(`_bucket{outcome="sent",le="${bound}"}`))?.split(' ')[1]

  expect([bucket('0.0005'), bucket('0.005'), bucket('40'), bucket('+Inf')]).toEqual([
    ...['1', '3', '3', '4'],
  ])
})

test('the metrics listener answers GET /metrics and nothing else', async () => {
  const server = createMetricsServer(createMetrics()).listen({ hostname: '127.0.0.1', port: 0 })
  const base = `http://127.0.0.1:${server.port}`
  try {
    const answer = await fetch(`${base}/metrics`)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect((await fetch(base)).status).toBe(404)
    expect((await fetch(`${base}/metrics`, { method: 'POST' })).status).toBe(405)
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
  expect(lines.map(({ route, status }) => [route, status])).toEqual(
    [
      ['/v1/verifications/:id', 422],
      ['/v1/apps', 200],
    ].map(([route, status]) => [route, route === '/v1/apps' ? status : 404]),
  )
  for (const secret of ['secret-id', 'ada', '192.0.2.1', adminToken, at.liveKey]) {
    expect(at.logged()).not.toContain(secret)
  }
})

import { expect, test } from 'bun:test'
import { newApiKey } from '../../src/domain/api-key.ts'
import { adminToken, site } from './fixture.ts'

const open = ['/healthz', '/readyz', '/reg_secretkey', '/otp', '/verify-otp']

test('every route of /v1 answers 401 first, whatever was sent', async () => {
  const at = await site()
  const routes = at.server.routes.filter(({ path }) => path.startsWith('/v1/'))
  expect(routes.length).toBeGreaterThan(15)

  for (const { method, path } of routes) {
    const place = path.replace(/:[a-z_]+/g, 'x')
    const raw = method === 'POST' || method === 'PATCH' ? '{"not json' : undefined
    const answer = await at.call(method, `${place}?wrong=1`, {
      token: null,
      ...(raw && { raw, headers: { 'content-type': 'text/plain' } }),
    })
    expect([path, answer.status]).toEqual([path, 401])
    expect(answer.json.code).toBe('unauthorized')
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  }
})

test('outside of /v1 only these routes and pages answer without a key', async () => {
  const at = await site()
  const paths = at.server.routes.map(({ path }) => path).filter((path) => !path.startsWith('/v1/'))
  expect(paths.filter((path) => !path.startsWith('/swagger')).sort()).toEqual(open.sort())
})

test("an app's key opens no operator route, and the admin token no app route", async () => {
  const at = await site()

  expect((await at.call('GET', '/v1/apps', { token: at.liveKey })).status).toBe(401)
  expect((await at.call('GET', '/v1/verifications', { token: adminToken })).status).toBe(401)
  expect((await at.call('GET', '/v1/apps', { token: adminToken })).status).toBe(200)
})

test('a key with one character changed is refused before the store is asked', async () => {
  const at = await site()
  at.ports.apps.findByKey = () => Promise.reject(new Error('asked'))
  const changed = at.liveKey.slice(0, -1) + (at.liveKey.endsWith('0') ? '1' : '0')

  const answer = await at.call('GET', '/v1/verifications', { token: changed })

  expect(answer.status).toBe(401)
})

test('ten wrong keys a minute from one address, and the right one all the same', async () => {
  const at = await site()
  const wrong = () => at.call('GET', '/v1/apps', { token: newApiKey(at.random, 'admin') })

  const statuses = []
  for (let i = 0; i < 12; i++) statuses.push((await wrong()).status)
  const app = await at.call('GET', '/v1/verifications')
  const operator = await at.call('GET', '/v1/apps', { token: adminToken })
  at.clock.advance(60_000)

  expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
  expect([app.status, operator.status]).toEqual([200, 200])
  expect((await wrong()).status).toBe(401)
})

test('whatever X-Forwarded-For says, without a trusted proxy the peer is counted', async () => {
  const at = await site()
  const statuses = []
  for (let i = 0; i < 200; i++) {
    const headers = { 'x-forwarded-for': `10.${i}.2.3, 198.51.100.${i}` }
    const token = newApiKey(at.random, 'live')
    statuses.push((await at.call('GET', '/v1/verifications', { token, headers })).status)
  }
  expect(statuses.filter((status) => status === 401)).toHaveLength(10)
})

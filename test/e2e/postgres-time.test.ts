import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { SQL } from 'bun'
import { type Disturbed, proxyTo } from '../postgres/proxy.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { eventually, executable, killAll, logLines, scratch, start } from '../support/executable.ts'
import { call } from './client.ts'
import { cluster } from './postgres-cluster.ts'

setDefaultTimeout(90_000)
executable()
const { folder, remove } = scratch()
const { adminToken, nodeOf } = cluster(folder)
let server: PostgresServer
let proxy: Disturbed

beforeAll(async () => {
  server = await startPostgres()
  proxy = await proxyTo(server.port)
})
afterEach(killAll)
afterAll(async () => {
  remove()
  await proxy.close()
  await server.stop()
})

const statusOf = async (base: string, path = '/readyz') =>
  (await call(base + path, undefined, { token: adminToken })).status

/** A database whose clock is ahead: a function of that name comes before the system's. */
async function aheadBy(ms: number) {
  const url = await server.create()
  const sql = new SQL({ url: url.replace('//otpmint@', '//postgres@'), max: 1 })
  await sql.unsafe(`
    create function clock_timestamp() returns timestamptz language sql volatile
      as $$ select pg_catalog.clock_timestamp() + interval '${ms} ms' $$;
    alter database ${new URL(url).pathname.slice(1)} set search_path = public, pg_catalog`)
  return {
    url,
    correct: () => sql.unsafe('drop function public.clock_timestamp()').then(() => sql.close()),
  }
}

test('a node 400 ms off is not ready and serves by the database’s time, until it is right again', async () => {
  const { url, correct } = await aheadBy(400)
  const node = await start(['serve'], nodeOf(url))
  expect([await statusOf(node.base), await statusOf(node.base, '/v1/apps')]).toEqual([503, 200])
  await correct()
  await eventually(async () => (await statusOf(node.base)) === 200)
  await node.stop()

  const hour = await aheadBy(3_600_000)
  const other = await start(['serve'], nodeOf(hour.url))
  const before = Date.now()
  const { json } = await call(`${other.base}/v1/apps`, { name: 'Acme' }, { token: adminToken })
  await other.stop()
  await hour.correct()
  const aheadMs = Date.parse(String(json['created_at'])) - before
  expect(Math.round(aheadMs / 60_000)).toBe(60)
})

test('a node that is cut off from the database is not ready, answers 503, and comes back', async () => {
  const url = (await server.create()).replace(/:\d+\//, `:${proxy.port}/`)
  const node = await start(['serve'], nodeOf(url))
  expect(await statusOf(node.base)).toBe(200)
  proxy.block()
  await eventually(async () => (await statusOf(node.base)) === 503)
  await eventually(() => logLines(node.stdout()).some(({ event }) => event === 'beat_failed'))
  const refused = await call(`${node.base}/v1/apps`, undefined, { token: adminToken })
  const alive = await call(`${node.base}/healthz`)
  proxy.unblock()
  await eventually(async () => (await statusOf(node.base)) === 200, 40_000)
  const served = await statusOf(node.base, '/v1/apps')
  await node.stop()

  expect([refused.status, alive.status, served]).toEqual([503, 200, 200])
})

test('a node that was stopped for longer than 15 s says so, and serves again at once', async () => {
  const url = await server.create()
  const node = await start(['serve'], nodeOf(url))
  process.kill(node.pid, 'SIGSTOP')
  await Bun.sleep(15_000)
  process.kill(node.pid, 'SIGCONT')
  const status = await statusOf(node.base, '/v1/apps')
  const events = logLines(node.stdout()).map(({ event }) => event)
  await node.stop()

  expect(status).toBe(200)
  expect(events).toContain('node_was_silent')
})

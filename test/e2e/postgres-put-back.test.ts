import { expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, logLines, start } from '../support/executable.ts'
import { call, createApp } from './client.ts'
import { mailSink } from './mail-sink.ts'
import { clusterOnServer } from './postgres-cluster.ts'

setDefaultTimeout(60_000)
const place = clusterOnServer()
const { adminToken, nodeOf } = place

/** Ends the connections to a database, and lets no other one be made before `work` has ended. */
async function closed(name: string, work: () => Promise<unknown>): Promise<void> {
  await place.server.admin.unsafe(`alter database ${name} allow_connections false`)
  await place.server.admin.unsafe(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
  )
  await eventually(async () => {
    const open = await place.server.admin.unsafe(
      `select pid from pg_stat_activity where datname = '${name}'`,
    )
    return open.length === 0
  })
  await work()
  await place.server.admin.unsafe(`alter database ${name} allow_connections true`)
}

test('a code that was used is not accepted again when the database is put back to before that', async () => {
  const url = await place.server.create()
  const name = new URL(url).pathname.slice(1)
  const nodes = await Promise.all([1, 2].map(() => start(['serve'], nodeOf(url))))
  const [a] = nodes
  if (!a) throw new Error('no server')
  const sink = await mailSink()
  const { liveKey: token } = await createApp(a, adminToken, sink)
  const headers = { prefer: 'wait=10' }
  const started = await call(
    `${a.base}/v1/verifications`,
    { to: 'ada@example.com' },
    { token, headers },
  )
  await eventually(() => sink.mails.length === 1)
  const check = () =>
    call(
      `${a.base}/v1/verifications/${started.json.id}/check`,
      { code: sink.mails[0]?.code },
      { token },
    )

  await closed(name, () =>
    place.server.admin.unsafe(`create database ${name}_copy template ${name}`),
  )
  await eventually(async () => (await check()).json.valid === true)
  // A sign of life follows what was used, and is lost with it.
  const [{ seen }] = await place.server.admin.unsafe(
    'select (extract(epoch from now()) * 1000)::float8 as seen',
  )
  await eventually(async () => {
    const apps = await call(`${a.base}/readyz`)
    return apps.status === 200 && Date.now() > Number(seen) + 6_000
  })
  await closed(name, async () => {
    await place.server.admin.unsafe(`alter database ${name} rename to ${name}_old`)
    await place.server.admin.unsafe(`alter database ${name}_copy rename to ${name}`)
  })
  const adopted = () =>
    nodes
      .flatMap((node) => logLines(node.stdout()))
      .filter(({ event }) => event === 'database_foreign')
  await eventually(() => adopted().length > 0)
  const again = await check()
  await Promise.all(nodes.map((node) => node.stop()))
  await sink.close()

  expect(again.json['code']).toBe('verification_expired')
  expect(adopted()).toHaveLength(1)
})

import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { eventually, executable, killAll, scratch, start } from '../support/executable.ts'
import { type MailServer, mailServer, scriptedServer } from '../support/smtp.ts'
import { adminToken, call, codeOf, createApp } from './client.ts'

setDefaultTimeout(30_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

/** A port on loopback where nobody listens. */
async function deadPort(): Promise<number> {
  const server = await scriptedServer()
  server.close()
  return server.port
}

/** A server with an app whose first endpoint is dead and whose second one works. */
async function install(name: string, second: MailServer) {
  const dataDir = `${folder}/${name}`
  const { base } = await start(['serve'], { OTPMINT_DATA_DIR: dataDir })
  const token = adminToken(dataDir)
  const app = await createApp({ base }, token, { port: await deadPort() })
  const email = { host: '127.0.0.1', port: second.port, security: 'none', user: null }
  const body = { channel: 'email', email: { ...email, from: 'no-reply@acme.test' } }
  const added = await call(`${base}/v1/apps/${app.id}/endpoints`, body, { token })
  expect([added.status, added.json['rank']]).toEqual([201, 2])
  return { base, app, token }
}

test('a mail goes through the next endpoint within a second of a refused connection', async () => {
  const second = await mailServer()
  const { base, app } = await install('fail-over', second)

  const started = await call(
    `${base}/v1/verifications`,
    { to: 'ada@example.com' },
    { token: app.liveKey, headers: { prefer: 'wait=10' } },
  )
  await eventually(() => second.arrived.length > 0, 1_000)
  const code = codeOf(second.arrived[0]?.raw ?? '')
  const url = `${base}/v1/verifications/${started.json.id}`
  const checked = await call(`${url}/check`, { code }, { token: app.liveKey })
  const shown = await call(url, undefined, { token: app.liveKey })
  await second.close()

  expect(started.json.delivery?.status).toBe('sent')
  expect(checked.json.valid).toBe(true)
  const [delivery] = shown.json.deliveries ?? []
  expect(delivery?.status).toBe('sent')
  expect(delivery?.tries).toMatchObject([
    { number: 1, status: 'deferred', cause: 'network', ambiguous: false },
    { number: 2, status: 'sent' },
  ])
  const times = delivery?.tries.map(({ at }) => Date.parse(String(at))) ?? []
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeLessThan(1000)
  expect(new Set(delivery?.tries.map(({ endpoint }) => endpoint)).size).toBe(2)
})

test('an endpoint that refuses the login is skipped, and raises an alarm', async () => {
  const second = await mailServer()
  const { base, app, token } = await install('login', second)
  const refusing = await scriptedServer({
    EHLO: '250-mail.acme.test\r\n250 AUTH PLAIN LOGIN',
    AUTH: '535 5.7.8 bad credentials',
  })
  const listed = await call(`${base}/v1/apps/${app.id}/endpoints`, undefined, { token })
  const [first] = listed.json.items ?? []
  const email = { port: refusing.port, user: 'codes', password: 'wrong-one', security: 'none' }
  await call(
    `${base}/v1/apps/${app.id}/endpoints/${first?.id}`,
    { email },
    {
      token,
      method: 'PATCH',
    },
  )

  const started = await call(
    `${base}/v1/verifications`,
    { to: 'ada@example.com' },
    { token: app.liveKey, headers: { prefer: 'wait=10' } },
  )
  const alarms = await call(`${base}/v1/alarms`, undefined, { token })
  refusing.close()
  await second.close()

  expect(started.json.delivery?.status).toBe('sent')
  expect(second.arrived.length).toBe(1)
  expect(alarms.json.items).toMatchObject([{ kind: 'login_refused', endpoint: first?.id }])
})

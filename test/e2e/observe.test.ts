import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import {
  eventually,
  executable,
  finished,
  killAll,
  run,
  scratch,
  start,
} from '../support/executable.ts'
import { adminToken, call, createApp, wrongCode } from './client.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

test('healthcheck ends with 0 while the server is ready, with 1 when it has stopped', async () => {
  const env = { OTPMINT_DATA_DIR: join(folder, 'health') }
  const server = await start(['serve'], env)
  const { port } = new URL(server.base)
  const ready = await run(['healthcheck', '--port', port], env)
  // A proxy in the environment is not used for this machine.
  const proxied = await run(['healthcheck', '--port', port], {
    ...env,
    HTTP_PROXY: 'http://127.0.0.1:9',
    http_proxy: 'http://127.0.0.1:9',
  })
  await server.stop()
  const gone = await run(['healthcheck', '--port', port], env)

  expect([ready.exitCode, ready.stdout]).toEqual([0, 'ready\n'])
  expect(proxied.exitCode).toBe(0)
  expect([gone.exitCode, gone.stdout]).toEqual([1, ''])
  expect(gone.stderr).toContain('nothing answers')
})

test('metrics have their own listener, count operations, and contain no address', async () => {
  const env = { OTPMINT_DATA_DIR: join(folder, 'metrics'), OTPMINT_METRICS_LISTEN: '127.0.0.1:0' }
  const server = await start(['serve'], env)
  const sink = await mailSink()
  const { id: app, liveKey } = await createApp(server, adminToken(env.OTPMINT_DATA_DIR), sink)
  const to = 'metrics.person@example.com'
  const url = `${server.base}/v1/verifications`
  const started = await call(url, { to }, { token: liveKey, headers: { prefer: 'wait=10' } })
  const code = sink.mails[0]?.code ?? ''
  for (const typed of [wrongCode(code), code]) {
    await call(`${url}/${started.json.id}/check`, { code: typed }, { token: liveKey })
  }
  await call(url, { to }, { token: liveKey })
  await eventually(() => server.metricsUrl() !== '')
  const metrics = await call(server.metricsUrl())
  const elsewhere = await call(server.metricsUrl().replace('/metrics', '/v1/apps'))
  const onMain = await call(`${server.base}/metrics`)
  await server.stop()
  await sink.close()

  const values = Object.fromEntries(
    metrics.text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/ (?=[^ ]+$)/)),
  )
  expect(new URL(server.metricsUrl()).port).not.toBe(new URL(server.base).port)
  expect(metrics.headers.get('content-type')).toStartWith('text/plain; version=0.0.4')
  expect(Object.entries(values)).toEqual(
    expect.arrayContaining([
      [expect.stringMatching(/^otpmint_verifications_started_total\{.*"started"\}$/), '1'],
      [expect.stringMatching(/^otpmint_checks_total\{.*"wrong"\}$/), '1'],
      [expect.stringMatching(/^otpmint_checks_total\{.*"approved"\}$/), '1'],
      [expect.stringMatching(/^otpmint_deliveries_total\{.*"sent"\}$/), '1'],
      [expect.stringMatching(/^otpmint_limited_total\{.*"recipient_spacing"\}$/), '1'],
    ]),
  )
  for (const secret of [to, 'metrics.person', app, started.json.id, liveKey, code]) {
    expect(metrics.text).not.toContain(String(secret))
  }
  expect([elsewhere.status, onMain.status]).toEqual([404, 404])
})

test('openapi prints what the server answers at /swagger/json', async () => {
  const env = { OTPMINT_DATA_DIR: join(folder, 'openapi') }
  const server = await start(['serve'], env)
  const answer = await call(`${server.base}/swagger/json`)
  const page = await call(`${server.base}/swagger`)
  await server.stop()
  // A pipe holds 64 KiB, so the output must wait for a slow reader.
  const reader = '"$0" openapi | { read -rn 1 first; sleep 0.2; printf %s "$first"; cat; }'
  const printed = await finished(['bash', '-c', reader, executable()])

  // The server's document does not tell the version.
  const common = ({ info, ...rest }: Record<string, unknown>) => ({
    ...rest,
    info: { ...Object(info), version: '' },
    servers: undefined,
  })
  expect(printed.exitCode).toBe(0)
  expect(common(JSON.parse(printed.stdout))).toEqual(common(answer.json))
  expect(Object.keys(answer.json['paths'] as object)).toEqual(
    expect.arrayContaining(['/reg_secretkey', '/otp', '/verify-otp', '/v1/verifications']),
  )
  expect(page.text).not.toMatch(/(src|href)="(https?:)?\/\//)
})

test('wrong settings are all named at once, by name and without their values', async () => {
  const ran = await run(['serve'], {
    OTPMINT_PORT: 'canary-port',
    OTPMINT_CODE_LENGTH: '2',
    OTPMINT_ADMIN_TOKEN: 'canary-short',
    OTPMINT_PROT: '1',
    OTPMINT_DATA_DIR: join(folder, 'never'),
  })

  expect([ran.exitCode, ran.stdout]).toEqual([78, ''])
  const lines = ran.stderr.trim().split('\n')
  expect(lines).toHaveLength(4)
  for (const name of ['_PORT ', '_CODE_LENGTH ', '_ADMIN_TOKEN ', '_PROT ']) {
    expect(lines.filter((line) => line.includes(`OTPMINT${name}`))).toHaveLength(1)
  }
  expect(ran.stderr).not.toContain('canary')
})

test('a port that is taken is refused with the setting to change', async () => {
  const env = { OTPMINT_DATA_DIR: join(folder, 'first') }
  const server = await start(['serve'], env)
  const { port } = new URL(server.base)
  const dataDir = join(folder, 'second')
  const second = await run(['serve', '--port', port], {
    OTPMINT_DATA_DIR: dataDir,
    OTPMINT_METRICS_LISTEN: 'off',
  })
  const metrics = await run(['serve', '--port', '0'], {
    OTPMINT_DATA_DIR: dataDir,
    OTPMINT_METRICS_LISTEN: `127.0.0.1:${port}`,
  })
  await server.stop()

  expect(second.exitCode).toBe(78)
  expect(second.stderr).toContain(`127.0.0.1:${port} is taken by another process: set OTPMINT_HOST`)
  expect(metrics.exitCode).toBe(78)
  expect(metrics.stderr).toContain('set OTPMINT_METRICS_LISTEN')
  expect(await Bun.file(join(dataDir, 'serve.pid')).exists()).toBe(false)
})

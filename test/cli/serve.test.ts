import { Database } from 'bun:sqlite'
import { afterEach, expect, test } from 'bun:test'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../src/cli/run.ts'
import { readApiKey } from '../../src/domain/app/api-key.ts'
import { freePort } from '../support/port.ts'
import { command, installation, type Served, served, temporary, terminal } from './terminal.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function place() {
  const made = await installation()
  cleanups.push(made.remove)
  return made
}

function directory() {
  const made = temporary()
  cleanups.push(made.remove)
  return made.path
}

async function start(argv: string[], given = {}): Promise<Served> {
  const server = await served(argv, given)
  cleanups.push(server.stop)
  return server
}

test('a server starts in an empty directory, answers, and ends with 0 when it is stopped', async () => {
  const dataDir = join(directory(), 'new', 'data')
  const server = await start(['--data-dir', dataDir])

  const ready = await fetch(`${server.url}/readyz`)

  expect(ready.status).toBe(200)
  expect(statSync(dataDir).mode & 0o777).toBe(0o700)
  expect(await server.stop()).toBe(0)
  expect(server.io.output()).toContain('"event":"stopped"')
  expect(existsSync(join(dataDir, 'serve.pid'))).toBe(false)
})

test('every line on standard output is JSON', async () => {
  const server = await start(['--data-dir', directory()])
  await server.stop()

  for (const line of server.io.output().trimEnd().split('\n')) JSON.parse(line)
  expect(server.io.errors()).toBe('')
})

test('a second server is refused and told which process holds the directory', async () => {
  const dataDir = directory()
  const first = await start(['--data-dir', dataDir])

  const second = await command(['serve', '--port', '0', '--data-dir', dataDir])

  expect(second.code).toBe(1)
  expect(second.err).toContain('pid 4242')
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
})

test('a directory can be served again after its server has ended', async () => {
  const { at } = await place()

  const server = await start(at)

  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
})

test('without a terminal the admin token is in a file of mode 0600 and in no log', async () => {
  const dataDir = directory()
  const server = await start(['--data-dir', dataDir])
  const file = join(dataDir, 'admin.token')
  const token = readFileSync(file, 'utf8').trim()

  const headers = { authorization: `Bearer ${token}` }
  const answer = await fetch(`${server.url}/v1/apps`, { headers })

  expect(answer.status).toBe(200)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readApiKey(token)?.mode).toBe('admin')
  expect(server.io.output() + server.io.errors()).not.toContain(token)
  expect(await server.io.logged('admin_token_generated')).toMatchObject({ path: file })
})

test('at a terminal the admin token is shown once, and written to no file', async () => {
  const dataDir = directory()
  const first = await start(['--data-dir', dataDir], { isTerminal: true })
  await first.stop()
  const second = await start(['--data-dir', dataDir], { isTerminal: true })

  const [token = ''] = /otpm_admin_\w+/.exec(first.io.errors()) ?? []
  const headers = { authorization: `Bearer ${token}` }

  expect((await fetch(`${second.url}/v1/apps`, { headers })).status).toBe(200)
  expect(second.io.errors()).not.toContain('otpm_admin_')
  expect(first.io.output()).not.toContain('otpm_admin_')
  expect(existsSync(join(dataDir, 'admin.token'))).toBe(false)
})

test('an admin token in the settings is the only valid one', async () => {
  const token = `admin-${'x'.repeat(32)}`
  const server = await start(['--data-dir', directory()], { env: { OTPMINT_ADMIN_TOKEN: token } })

  const headers = { authorization: `Bearer ${token}` }

  expect((await fetch(`${server.url}/v1/apps`, { headers })).status).toBe(200)
})

test('a taken port is named with the setting that changes it', async () => {
  const { url } = await start(['--data-dir', directory()])
  const { port, host } = new URL(url)
  const dataDir = directory()

  const main = await command(['serve', '--port', port, '--data-dir', dataDir])
  const env = { OTPMINT_METRICS_LISTEN: host }
  const metrics = await command(['serve', '--port', '0', '--data-dir', dataDir], { env })

  expect([main.code, metrics.code]).toEqual([78, 78])
  expect(main.err).toContain('OTPMINT_PORT')
  expect(metrics.err).toContain('OTPMINT_METRICS_LISTEN')
})

test('metrics are served on their own listener and nowhere else', async () => {
  const env = { OTPMINT_METRICS_LISTEN: '127.0.0.1:0' }
  const server = await start(['--data-dir', directory()], { env })
  const { url = '' } = await server.io.logged('metrics_listening')

  const text = await (await fetch(url)).text()

  expect(text).toContain('otpmint_http_requests_total')
  expect((await fetch(`${server.url}/metrics`)).status).toBe(404)
})

test('a database without its master key is not opened, and no second key is made', async () => {
  const { dataDir, at } = await place()
  const key = join(dataDir, 'master.key')
  await Bun.file(key).delete()

  const { code, err } = await command(['serve', '--port', '0', ...at])

  expect(code).toBe(78)
  expect(err).toContain('master key')
  expect(existsSync(key)).toBe(false)
})

test('a database is not opened with the key of another database', async () => {
  const { at } = await place()
  const { out } = await command(['key', 'generate'])
  const env = { OTPMINT_MASTER_KEY: out.trim() }

  const { code, err } = await command(['serve', '--port', '0', ...at], { env })

  expect(code).toBe(78)
  expect(err).toContain("not this database's")
})

test('healthcheck ends with 0 for a ready server and with 1 without one', async () => {
  const server = await start(['--data-dir', directory()])
  const { port } = new URL(server.url)

  const ready = await command(['healthcheck', '--port', port])
  await server.stop()
  const gone = await command(['healthcheck', '--port', port])

  expect([ready.code, ready.out]).toEqual([0, 'ready\n'])
  expect(gone.code).toBe(1)
})

test('healthcheck --wait waits that long for a server that is starting', async () => {
  const port = freePort()
  const waiting = command(['healthcheck', '--port', String(port), '--wait', '20'])
  const server = terminal()
  const ended = run(['serve', '--port', String(port), '--data-dir', directory()], server)
  await server.logged('listening')
  const ready = await waiting
  server.signal()
  await ended
  const since = performance.now()
  const gone = await command(['healthcheck', '--port', String(port), '--wait', '1'])

  expect([ready.code, ready.out, ready.err]).toEqual([0, 'ready\n', ''])
  expect(gone.code).toBe(1)
  expect(gone.err).toBe(`otpmint healthcheck: nothing answers at http://127.0.0.1:${port}/readyz\n`)
  expect(performance.now() - since).toBeGreaterThan(1_000)
})

test('healthcheck fails for any other answer than 200', async () => {
  const other = Bun.serve({ port: 0, fetch: () => new Response('no', { status: 503 }) })
  cleanups.push(() => other.stop(true))

  const { code, err } = await command(['healthcheck', '--port', String(other.port)])

  expect(code).toBe(1)
  expect(err).toContain('503')
})

test('a server whose key does not open the keyset of its database is not ready', async () => {
  const dataDir = directory()
  const server = await start(['--data-dir', dataDir])
  const database = new Database(join(dataDir, 'otpmint.db'))
  database.run("update meta set value = cast('9' as blob) where name = 'keyset_version'")
  database.run("update meta set value = zeroblob(64) where name = 'keyset'")
  database.close()

  await server.io.logged('keys_lost')

  expect((await fetch(`${server.url}/readyz`)).status).toBe(503)
})

import { Database } from 'bun:sqlite'
import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { Settings } from '../../src/config/load.ts'
import { readApiKey } from '../../src/domain/app/api-key.ts'
import { askServer } from '../../src/runtime/control.ts'
import { dataDirectory } from '../../src/runtime/data-directory.ts'
import { rotateKey } from '../../src/runtime/keys.ts'
import { type Running, startRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { addApp } from '../support/world.ts'
import { eventLog, refusal, scratch } from './fixture.ts'

setDefaultTimeout(60_000)
const { newPath, settings, remove } = scratch('runtime')
const running: Running[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})
afterAll(remove)

async function start(at: Settings, openStore?: typeof openSqliteStore) {
  const log = eventLog()
  const told: string[] = []
  const io = { write: log.write, tell: null, pid: 4242 }
  const server = await startRuntime(at, io, openStore)
  running.push(server)
  const ready = async () => (await fetch(`${server.url}/readyz`)).status
  // The sweep logs the head of the audit log at a time that the tests do not control.
  const events = () => log.events().filter((event) => event !== 'audit_head')
  return { ...server, ...log, events, told, ready }
}

test('a first start makes key, token and audit log, and serves; a stop leaves no temporary file', async () => {
  const at = settings()
  const directory = dataDirectory(at.dataDir)
  const server = await start(at)
  const { ports } = server

  expect(await server.ready()).toBe(200)
  expect(server.events()).toEqual(['master_key_generated', 'admin_token_generated', 'listening'])
  const token = readFileSync(directory.adminToken, 'utf8').trim()
  expect(readApiKey(token)).toEqual({ mode: 'admin' })
  expect(statSync(directory.adminToken).mode & 0o777).toBe(0o600)
  expect((await ports.audit.after(0, 10)).map(({ action }) => action)).toEqual(['store.create'])
  expect(await ports.nodes.list()).toMatchObject([{ id: 'local', keysetVersion: 1 }])
  const apps = { headers: { authorization: `Bearer ${token}` } }
  expect((await fetch(`${server.url}/v1/apps`, apps)).status).toBe(200)

  await server.stop()
  expect(server.events().slice(-2)).toEqual(['stopping', 'stopped'])
  expect(existsSync(`${directory.database}-wal`)).toBe(false)
  for (const left of [directory.control, directory.pid]) expect(existsSync(left)).toBe(false)

  const again = await start(at)
  expect(again.events()).toEqual(['listening'])
  await again.stop()
})

test('a data directory open to other users gets mode 0700, and the log says so', async () => {
  const at = settings()
  const { root } = dataDirectory(at.dataDir)
  await (await start(at)).stop()
  chmodSync(root, 0o777)

  const server = await start(at)

  expect(server.lines[0]).toMatchObject({ level: 'warn', event: 'data_directory_repaired' })
  expect(statSync(root).mode & 0o777).toBe(0o700)
})

test('two processes never serve one directory, and the refused one harms nothing', async () => {
  const at = settings()
  const first = await start(at)

  const { exitCode, says } = await refusal(() => start(at))

  expect(exitCode).toBe(1)
  expect(says).toContain('pid 4242')
  expect(await first.ready()).toBe(200)
  expect((await askServer(at.dataDir))?.settings.dataDir).toBe(at.dataDir)
})

test('a taken port is refused by name, and everything that was started is stopped', async () => {
  const other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
  const at = settings()
  for (const taken of [
    { ...at, port: other.port ?? 0 },
    { ...at, metricsListen: { host: '127.0.0.1', port: other.port ?? 0 } },
  ]) {
    const { exitCode, says } = await refusal(() => start(taken))
    expect(exitCode).toBe(78)
    expect(says).toContain('is taken by another process')
  }
  await other.stop(true)

  expect(await (await start(at)).ready()).toBe(200)
})

test('developer mode is refused on an address other than loopback', async () => {
  const at = { ...settings(), developerMode: true }
  expect((await refusal(() => start({ ...at, host: '0.0.0.0' }))).exitCode).toBe(78)
  expect(existsSync(at.dataDir)).toBe(false)
  expect(await (await start(at)).ready()).toBe(200)
})

test('a directory with files of a restore and no database gets no new database', async () => {
  const at = settings()
  await (await start(at)).stop()
  const { database } = dataDirectory(at.dataDir)
  rmSync(database)
  writeFileSync(`${database}.restoring`, '')

  expect((await refusal(() => start(at))).says).toContain('otpmint.db.restoring')
  expect(existsSync(database)).toBe(false)
})

test('a key rotation beside a running server takes seconds, and the server keeps serving', async () => {
  const at = settings()
  const server = await start(at)
  await addApp(server.ports)
  const before = server.ports.keyring.codeKeyId()

  const rotated = await rotateKey(at, { newKeyFile: null, onProgress: () => {} })

  expect(rotated).toMatchObject({ renewed: 1, source: 'data_dir' })
  expect(rotated.oldFiles.map(({ kept }) => kept)).toEqual([expect.stringContaining('backups')])
  expect(server.ports.keyring.codeKeyId()).toBe(rotated.keyId)
  expect(rotated.keyId).not.toBe(before)
  expect(server.events()).toContain('keys_changed')
  await addApp(server.ports)
  await server.stop()
  const again = await start(at)
  expect(again.ports.keyring.codeKeyId()).toBe(rotated.keyId)
})

test('a rotation without a server does not wait for one that was killed', async () => {
  const at = settings()
  const server = await start(at)
  await server.stop()
  // A killed server leaves its row in the table of nodes, seen a moment ago.
  const store = await openSqliteStore({
    path: dataDirectory(at.dataDir).database,
    timers: server.ports.timers,
  })
  await store.nodes.beat({ id: 'local', seenAt: Date.now(), keysetVersion: 1, nextKeyId: null })
  await store.close()

  const begun = performance.now()
  await rotateKey(at, { newKeyFile: null, onProgress: () => {} })

  expect(performance.now() - begun).toBeLessThan(3_000)
})

test('damage makes the server not ready, with one log line, an alarm and a finding for doctor', async () => {
  const at = settings()
  let damage = () => {}
  const server = await start(at, (options) => {
    damage = options.onDamage ?? damage
    return openSqliteStore(options)
  })

  damage()
  damage()
  await Bun.sleep(20)

  expect(await server.ready()).toBe(503)
  expect(server.events().filter((event) => event === 'database_damaged')).toHaveLength(1)
  const query = { appId: null, open: true, limit: 10, cursor: null }
  const { items } = await server.ports.alarms.list(query)
  expect(items.map(({ kind }) => kind)).toEqual(['database_damaged'])
  const report = await askServer(at.dataDir)
  expect(report?.findings).toContainEqual(
    expect.objectContaining({ check: 'database', status: 'failed' }),
  )
})

test('damage that no request has met is found in the background after a start', async () => {
  const at = settings()
  const first = await start(at)
  for (let i = 0; i < 40; i++) await addApp(first.ports)
  await first.stop()
  const { database } = dataDirectory(at.dataDir)
  const file = new Database(database)
  const found = file.query("select rootpage from sqlite_schema where name = 'api_keys'").get()
  file.close()
  const { rootpage } = found as { rootpage: number }
  const bytes = readFileSync(database)
  bytes.fill(0xa5, (rootpage - 1) * 4096, (rootpage - 1) * 4096 + 64)
  writeFileSync(database, bytes)

  const server = await start(at)
  const atFirst = await server.ready()
  for (let tries = 0; tries < 60 && (await server.ready()) === 200; tries++) await Bun.sleep(100)

  expect(atFirst).toBe(200)
  expect(await server.ready()).toBe(503)
  expect(server.events()).toContain('database_damaged')
})

test('the settings that doctor receives contain no secret', async () => {
  const token = `otpm_admin_${'x'.repeat(36)}`
  const at = settings(newPath(), { OTPMINT_ADMIN_TOKEN: token })
  await start(at)

  const said = JSON.stringify(await askServer(at.dataDir))

  expect(said).toContain('(set)')
  expect(said).not.toContain(token)
})

test('doctor is told of X-Forwarded-For where no proxy is trusted, and only there', async () => {
  const proxies = async (environment: Record<string, string>) => {
    const at = settings(newPath(), environment)
    const { url } = await start(at)
    const findings = async () => {
      const report = await askServer(at.dataDir)
      return report?.findings.filter(({ check }) => check === 'proxies').length
    }
    const before = await findings()
    await fetch(`${url}/healthz`, { headers: { 'x-forwarded-for': '192.0.2.1' } })
    return [before, await findings()]
  }

  expect(await proxies({})).toEqual([0, 1])
  expect(await proxies({ OTPMINT_TRUSTED_PROXIES: '127.0.0.0/8' })).toEqual([0, 0])
})

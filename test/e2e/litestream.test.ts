import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startMoto } from '../gateways/peers.ts'
import {
  eventually,
  executable,
  killAll,
  logLines,
  run,
  scratch,
  start,
} from '../support/executable.ts'
import { adminToken, call, createApp } from './client.ts'
import { faultsOf } from './data-files.ts'
import { attemptsMax, createLoad, inParallel, type Load, random } from './kill-load.ts'
import {
  buildLitestream,
  killReplicas,
  replicate,
  restore,
  type Storage,
  settingsOf,
} from './litestream.ts'
import { type MailSink, mailSink } from './mail-sink.ts'

setDefaultTimeout(240_000)
executable()
const { folder, remove } = scratch()
const keys = { LITESTREAM_ACCESS_KEY_ID: 'test', LITESTREAM_SECRET_ACCESS_KEY: 'test' }
let moto: Awaited<ReturnType<typeof startMoto>>
const sinks: MailSink[] = []

beforeAll(async () => {
  await buildLitestream()
  moto = await startMoto()
  await fetch(`http://127.0.0.1:${moto.port}/otpmint-replica`, { method: 'PUT' })
}, 600_000)
afterAll(async () => {
  await Promise.all([killAll(), killReplicas()])
  await Promise.all([moto.close(), ...sinks.map((sink) => sink.close())])
  remove()
})

const env = {
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  OTPMINT_RESEND_AFTER_SECONDS: '5',
  OTPMINT_ATTEMPTS_MAX: String(attemptsMax),
}
/** What docs/litestream.md promises of a storage that answers. */
const lostMaxMs = 10_000

const storages: Record<string, (name: string) => Storage> = {
  'an S3 storage': () => ({
    replica: { type: 's3', endpoint: `http://127.0.0.1:${moto.port}` },
    keys,
  }),
  'a folder': folderFor,
}

function folderFor(name: string): Storage {
  return { replica: { type: 'file', path: join(folder, `${name}-copy`) }, keys: {} }
}

/** A server whose database is copied, under load. */
async function copied(name: string, storage: Storage) {
  const dataDir = join(folder, name)
  const file = join(dataDir, 'otpmint.db')
  const sink = await mailSink(() => random(20))
  sinks.push(sink)
  const first = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...env })
  const { liveKey, id } = await createApp(first, adminToken(dataDir), { port: sink.port })
  const settings = settingsOf(join(folder, `${name}.yml`), file, storage)
  const litestream = await replicate(settings, storage)
  const load = createLoad(liveKey, sink)
  return { ...{ dataDir, file, server: first, sink, settings, litestream, load, id, liveKey } }
}

const acknowledged = ({ all }: Load) => all.filter(({ id }) => id !== null)

/** The version of the library that wrote last (sqlite.org/fileformat.html, section 1.3). */
const versionIn = (file: string) => readFileSync(file).readUInt32BE(96)

/** How many tables there are: Litestream adds two. */
function tableCount(file: string): number {
  const database = new Database(file, { readonly: true })
  try {
    database.run('pragma busy_timeout = 5000')
    return database.query('select 1 from sqlite_schema').values().length
  } finally {
    database.close()
  }
}

/** An empty machine that has the keys of the lost one, and the copy of its database. */
async function elsewhere(dataDir: string, restoreTo: (file: string) => Promise<void>) {
  const other = `${dataDir}-elsewhere`
  mkdirSync(other, { mode: 0o700 })
  for (const name of ['master.key', 'admin.token']) {
    copyFileSync(join(dataDir, name), join(other, name))
  }
  await restoreTo(join(other, 'otpmint.db'))
  return { dataDir: other, server: await start(['serve'], { OTPMINT_DATA_DIR: other, ...env }) }
}

test.concurrent.each(Object.keys(storages))(
  'a server that is lost under load goes on elsewhere from its copy in %s, and accepts no code from before',
  async (kind) => {
    const name = kind.replaceAll(' ', '-')
    const storage = (storages[kind] as (typeof storages)[string])(name)
    const { dataDir, file, server, sink, settings, litestream, load, liveKey } = await copied(
      name,
      storage,
    )
    const ends = new AbortController()
    const working = load.run(server.base, ends.signal)
    await eventually(() => acknowledged(load).length > 50)
    const old = acknowledged(load)
    const later = performance.now() + lostMaxMs
    const faults: unknown[] = []
    for (let round = 0; round < 3 || performance.now() < later; round++) {
      await Bun.sleep(1000)
      const copy = join(folder, `${name}-${round}.db`)
      await restore(settings, file, copy, storage)
      faults.push(...faultsOf(copy))
    }
    await Promise.all([server.kill(), litestream.kill()])
    ends.abort()
    await working

    const other = await elsewhere(dataDir, (to) => restore(settings, file, to, storage))
    const api = `${other.server.base}/v1/verifications`
    const token = { token: liveKey }
    const missing: string[] = []
    await inParallel(old, async ({ id }) => {
      if ((await call(`${api}/${id}`, undefined, token)).status !== 200) missing.push(id ?? '')
    })
    const accepted: string[] = []
    await inParallel(acknowledged(load), async ({ id, to }) => {
      const code = sink.to(to)[0]?.code
      if (code === undefined) return
      const { json } = await call(`${api}/${id}/check`, { code }, token)
      if (json.valid === true) accepted.push(id ?? '')
    })
    const newcomer = `new-${name}@example.com`
    const started = await call(api, { to: newcomer }, token)
    await eventually(() => sink.to(newcomer).length === 1)
    const code = sink.to(newcomer)[0]?.code
    const checked = await call(`${api}/${started.json.id}/check`, { code }, token)
    const events = logLines(other.server.stdout()).map(({ event }) => event)
    const audit = await run(['audit', 'verify'], { OTPMINT_DATA_DIR: other.dataDir })
    await other.server.stop()

    expect(load.violations.slice(0, 5)).toEqual([])
    expect(new Set(faults)).toEqual(new Set(['ok']))
    expect(missing).toEqual([])
    expect(accepted).toEqual([])
    expect(events).toContain('database_foreign')
    expect(events).toContain('key_active')
    expect(checked.json.valid).toBe(true)
    expect(audit.exitCode).toBe(0)
  },
)

test.concurrent('stops and starts of the server do not make Litestream copy the whole database again', async () => {
  const name = 'restarts'
  const storage = folderFor(name)
  const { dataDir, server, litestream, load } = await copied(name, storage)
  let running = server
  for (let round = 0; round < 4; round++) {
    const ends = new AbortController()
    const before = acknowledged(load).length
    const working = load.run(running.base, ends.signal)
    await eventually(() => acknowledged(load).length > before + 20)
    ends.abort()
    await working
    expect(await running.stop()).toBe(0)
    running = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...env })
  }
  await running.stop()
  await litestream.stop()

  const wholeCopies = litestream.log().match(/ msg=sync .*\bsnap=true\b/g) ?? []
  expect(wholeCopies).toHaveLength(1)
})

test.concurrent('the SQLite of Litestream is 3.51.3 or newer, as it says in a database that it wrote to', async () => {
  const file = join(folder, 'version.db')
  const database = new Database(file)
  database.run('create table a (b)')
  database.close(true)
  const before = versionIn(file)
  const storage = folderFor('version')
  const litestream = await replicate(
    settingsOf(join(folder, 'version.yml'), file, storage),
    storage,
  )
  await eventually(() => tableCount(file) === 3)
  await litestream.stop()

  const version = versionIn(file)
  expect(version).toBeGreaterThanOrEqual(3_051_003)
  // Not that of this process, which wrote before.
  expect(version).not.toBe(before)
})
